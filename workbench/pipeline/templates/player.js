"use strict";
// Switches between versions of an item at the same position: all versions run together, one sounds.
(() => {
  document.body.classList.add("js");
  let context = null;
  let active = null;

  const decode = (uri) => {
    const text = atob(uri.slice(uri.indexOf(",") + 1));
    const bytes = new Uint8Array(text.length);
    for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
    return context.decodeAudioData(bytes.buffer);
  };

  const join = (prompt, clip) => {
    if (!prompt) return clip;
    const whole = context.createBuffer(
      clip.numberOfChannels, prompt.length + clip.length, clip.sampleRate);
    for (let c = 0; c < clip.numberOfChannels; c++) {
      whole.copyToChannel(prompt.getChannelData(Math.min(c, prompt.numberOfChannels - 1)), c);
      whole.copyToChannel(clip.getChannelData(c), c, prompt.length);
    }
    return whole;
  };

  class Player {
    constructor(item) {
      this.item = item;
      this.button = item.querySelector("button");
      this.slider = item.querySelector(".transport input");
      this.clock = item.querySelector("output");
      this.seconds = Number(item.dataset.seconds);
      this.offset = 0;
      this.chosen = 0;
      this.ready = null;
      this.sources = [];
      this.tracks = [...item.querySelectorAll(".track")].map((element) => ({
        element,
        radio: element.querySelector("input"),
        head: element.querySelector(".head"),
        uri: element.querySelector("audio").src,
      }));
      this.button.addEventListener("click", () => (this.playing ? this.pause() : this.play()));
      this.slider.addEventListener("input", () => this.seek(Number(this.slider.value)));
      this.tracks.forEach((track, number) => {
        track.radio.addEventListener("change", () => this.choose(number));
        const view = track.element.querySelector(".view");
        view.addEventListener("click", (event) => {
          const box = view.getBoundingClientRect();
          this.pick(number);
          this.seek(((event.clientX - box.left) / box.width) * this.seconds);
        });
      });
      // Only while something in the item has the focus: keys are the page's reader's elsewhere.
      item.addEventListener("keydown", (event) => {
        const number = Number(event.key) - 1;
        if (event.ctrlKey || event.altKey || event.metaKey || !(number in this.tracks)) return;
        this.pick(number);
        event.preventDefault();
      });
      this.choose(this.tracks.findIndex((track) => track.radio.checked));
      item.classList.add("is-ready");
      this.show();
    }

    get playing() { return this.sources.length > 0; }

    get position() {
      const passed = this.playing ? context.currentTime - this.started : 0;
      return Math.min(this.offset + passed, this.seconds);
    }

    load() {
      context ??= new AudioContext();
      this.ready ??= (async () => {
        const prompt = this.item.querySelector("audio.prompt");
        const head = prompt ? await decode(prompt.src) : null;
        for (const track of this.tracks) track.buffer = join(head, await decode(track.uri));
      })();
      return this.ready;
    }

    async play() {
      if (this.button.ariaBusy === "true") return;
      this.button.ariaBusy = "true";  // not disabled: that would take the focus away
      await this.load();
      await context.resume();
      this.button.ariaBusy = "false";
      if (active && active !== this) active.pause();
      active = this;
      if (this.offset >= this.seconds - 0.05) this.offset = 0;
      this.start();
      this.tick();
    }

    start() {
      this.started = context.currentTime;
      this.sources = this.tracks.map((track, number) => {
        const source = context.createBufferSource();
        track.gain = context.createGain();
        track.gain.gain.value = number === this.chosen ? 1 : 0;
        source.buffer = track.buffer;
        source.connect(track.gain).connect(context.destination);
        source.start(0, this.offset);
        return source;
      });
      this.button.textContent = "Pause";
    }

    stop() {
      this.offset = this.position;
      this.sources.forEach((source) => source.stop());
      this.sources = [];
    }

    pause() {
      if (!this.playing) return;
      this.stop();
      this.button.textContent = "Play";
      this.show();
    }

    seek(seconds) {
      const went = this.playing;
      if (went) this.stop();
      this.offset = Math.max(0, Math.min(seconds, this.seconds));
      if (went) this.start();
      this.show();
    }

    pick(number) {
      this.tracks[number].radio.checked = true;
      this.choose(number);
    }

    choose(number) {
      this.chosen = number;
      this.tracks.forEach((track, other) => {
        track.element.classList.toggle("is-chosen", other === number);
        if (this.playing) {  // a short ramp: a jump in level would click
          track.gain.gain.setTargetAtTime(other === number ? 1 : 0, context.currentTime, 0.005);
        }
      });
    }

    show() {
      const at = this.position;
      this.slider.value = at;
      this.slider.setAttribute("aria-valuetext", `${at.toFixed(1)} seconds`);
      this.clock.textContent = `${at.toFixed(1)} / ${this.seconds.toFixed(1)} s`;
      for (const track of this.tracks) track.head.style.left = `${(100 * at) / this.seconds}%`;
    }

    tick() {
      if (!this.playing) return;
      this.show();
      if (this.position >= this.seconds) {
        this.pause();
        return;
      }
      requestAnimationFrame(() => this.tick());
    }
  }

  document.querySelectorAll(".item").forEach((item) => new Player(item));
})();
