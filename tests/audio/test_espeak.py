"""espeak-ng behind its process: what is said, when, and that it is always said alike."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from workbench import Espeak, EspeakVoice, WorkbenchError


@pytest.fixture(scope="module")
def espeak() -> Iterator[Espeak]:
    speaker = Espeak()
    yield speaker
    speaker.close()


def test_an_utterance_is_the_same_whatever_was_said_before(espeak: Espeak) -> None:
    voices = [EspeakVoice(name) for name in ("en-us", "en-us+klatt4", "es+f2", "cmn+whisper")]
    text = "seven green apples"
    first = [espeak.speak(text, voice).audio.samples for voice in voices]
    espeak.speak("something else, at length", EspeakVoice("de+m3", 220, 70, 10))
    again = [espeak.speak(text, voice).audio.samples for voice in reversed(voices)][::-1]
    time.sleep(1.1)  # espeak-ng takes the second of its start for a seed of its own
    other = Espeak()
    elsewhere = [other.speak(text, voice).audio.samples for voice in voices]
    other.close()
    for one, two, three in zip(first, again, elsewhere, strict=True):
        assert torch.equal(one, two)
        assert torch.equal(one, three)


def test_voice_settings_are_heard(espeak: Espeak) -> None:
    text = "a long and winding sentence"
    plain = espeak.speak(text).audio
    fast = espeak.speak(text, EspeakVoice(words_per_minute=260)).audio
    assert fast.seconds < 0.8 * plain.seconds
    for voice in (EspeakVoice(pitch=80), EspeakVoice(pitch_range=5), EspeakVoice("en-us+f2")):
        changed = espeak.speak(text, voice).audio.samples
        length = min(changed.shape[-1], plain.samples.shape[-1])
        assert not torch.allclose(changed[:, :length], plain.samples[:, :length], atol=0.05)


def test_words_and_phonemes_are_timed(espeak: Espeak) -> None:
    speech = espeak.speak("the red dog, found it")
    assert [word.text for word in speech.words] == ["the", "red", "dog", "found", "it"]
    assert [p.text for p in speech.phonemes[:5]] == ["ð", "ə", "ɹ", "ˈɛ", "d"]
    for marks in (speech.words, speech.phonemes):
        times = [time for mark in marks for time in (mark.start, mark.end)]
        assert times == sorted(times)
    red = [p for p in speech.phonemes if speech.words[1].start <= p.start < speech.words[1].end]
    assert [p.text for p in red] == ["ɹ", "ˈɛ", "d"]
    # The comma is a pause: silent, and part of no word.
    dog, found = speech.words[2:4]
    rate = speech.audio.sample_rate
    pause = speech.audio.samples[0, round(dog.end * rate) : round(found.start * rate)]
    words = speech.audio.samples[0, round(found.start * rate) : round(found.end * rate)]
    assert len(pause) > 0.1 * rate
    assert pause.square().mean() < 0.01 * words.square().mean()


def test_positions_count_characters_of_any_script(espeak: Espeak) -> None:
    words = espeak.speak("红色 的 狗 睡觉", EspeakVoice("cmn")).words
    assert [word.text[0] for word in words][:4] == ["红", "色", "的", "狗"]


def test_it_knows_itself(espeak: Espeak) -> None:
    assert re.fullmatch(r"1\.\d+(\.\d+)?.*", espeak.version)
    assert {"en-us", "es", "cmn", "de"} <= set(espeak.voices)
    assert {"f1", "m1", "klatt4"} <= set(espeak.variants)


def test_phonemes_of_pieces(espeak: Espeak) -> None:
    first, second = espeak.phonemes(["hello world", "dog"], "en-us")
    assert first.ipa == "h_ə_l_ˈoʊ w_ˈɜː_l_d"
    assert second.ipa == "d_ˈɑː_ɡ"
    (mandarin,) = espeak.phonemes(["妈骂"], "cmn")
    assert "55" in mandarin.mnemonics
    assert "51" in mandarin.mnemonics
    (both,) = espeak.phonemes(["one, two"], "en-us")
    assert both.ipa == "w_ˌʌ_n t_ˈuː"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("en-uss", "no voice 'en-uss'.*mean 'en-us'"),
        ("zh", "no voice 'zh'.*cmn"),
        ("en-us+f9", "no variant 'f9'.*f1"),
        ("en-us+", "no variant ''"),
    ],
)
def test_unknown_voices_are_refused_by_name(espeak: Espeak, name: str, message: str) -> None:
    for ask in (lambda: espeak.speak("a", EspeakVoice(name)), lambda: espeak.phonemes(["a"], name)):
        with pytest.raises(WorkbenchError, match=message):
            ask()


def test_settings_out_of_range_are_refused() -> None:
    with pytest.raises(WorkbenchError, match="words_per_minute = 20: must be from 80 to 450"):
        EspeakVoice(words_per_minute=20)
    with pytest.raises(WorkbenchError, match="pitch = 100: must be from 0 to 99"):
        EspeakVoice(pitch=100)


def test_nothing_to_speak_is_an_error(espeak: Espeak) -> None:
    for text in ("", " ", "..."):
        with pytest.raises(WorkbenchError, match="finds nothing in it to speak"):
            espeak.speak(text)


def test_a_worker_that_was_ended_is_started_anew(espeak: Espeak) -> None:
    before = espeak.speak("again").audio.samples
    espeak.close()
    assert torch.equal(espeak.speak("again").audio.samples, before)


def test_a_worker_that_died_is_told(espeak: Espeak) -> None:
    speaker = Espeak()
    speaker.speak("now")
    assert speaker._worker is not None
    os.kill(speaker._worker.pid, 9)
    speaker._worker.wait()
    with pytest.raises(WorkbenchError, match="its process ended"):
        speaker.speak("then")
    speaker.close()
    speaker.speak("then")
    speaker.close()


def test_the_library_stays_out_of_this_process(espeak: Espeak) -> None:
    espeak.speak("hello")
    assert "libespeak" not in Path("/proc/self/maps").read_text()


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "espeakng_loader.py").write_text("raise ImportError")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with pytest.raises(WorkbenchError, match="pip install espeakng-loader"):
        Espeak().speak("hello")
