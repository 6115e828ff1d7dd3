"""Speech synthesis and phonemes by espeak-ng, which runs in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import weakref
from bisect import bisect_right
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch

from workbench.api.errors import WorkbenchError
from workbench.api.types import Audio

_WORKER = Path(__file__).with_name("espeak_worker.py")


@dataclass(frozen=True)
class EspeakVoice:
    """A way of speaking: espeak-ng's voice for a language and how it is spoken."""

    name: str = "en-us"
    """Voice, with a variant where there is one: ``es``, ``cmn+f2``, ``en-us+m3``."""
    words_per_minute: int = 175
    """Speaking rate, 80 to 450."""
    pitch: int = 50
    """0 to 99."""
    pitch_range: int = 50
    """How far the pitch moves, 0 (monotone) to 99."""

    def __post_init__(self) -> None:
        limits = {"words_per_minute": (80, 450), "pitch": (0, 99), "pitch_range": (0, 99)}
        for name, (low, high) in limits.items():
            value = getattr(self, name)
            if not low <= value <= high:
                raise WorkbenchError(f"{name} = {value}: must be from {low} to {high}")


@dataclass(frozen=True)
class TimedText:
    """A word or a phoneme of an utterance; ``start`` and ``end`` are in seconds."""

    text: str
    start: float
    end: float


@dataclass(frozen=True)
class Speech:
    """An utterance with its timings, which follow one another without overlap.

    ``phonemes`` are IPA with stress marks and without tones (espeak-ng tells the time of no tone);
    pauses belong to none of them, and to no word.
    """

    audio: Audio
    words: tuple[TimedText, ...]
    phonemes: tuple[TimedText, ...]


@dataclass(frozen=True)
class Phonemes:
    """A piece of text in IPA and in espeak-ng's own mnemonics.

    In both, words are parted by spaces and phonemes by underscores. IPA loses the digits of
    mnemonics, and with them what parts some tones.
    """

    ipa: str
    mnemonics: str


class Espeak:
    """espeak-ng in a process that lasts as long as this object, started when it is first needed.

    Every answer is a pure function of what was asked, in any order; the samples of an utterance
    are the same each time. Use it from any thread; a forked process starts a worker of its own.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._owner = 0
        self._worker: subprocess.Popen[bytes] | None = None

    def speak(self, text: str, voice: EspeakVoice | None = None) -> Speech:
        """``text`` spoken: mono at 22,050 Hz, with about 0.3 s of silence at its end."""
        voice = voice or EspeakVoice()
        self._check(voice.name)
        request = {
            "do": "speak",
            "text": text,
            "voice": voice.name,
            "rate": voice.words_per_minute,
            "pitch": voice.pitch,
            "range": voice.pitch_range,
        }
        told, payload = self._ask(request)
        phonemes = _timed_phonemes(told["phonemes"], told["rate"])
        if not phonemes:
            raise WorkbenchError(f"text = {text!r}: espeak-ng finds nothing in it to speak")
        samples = np.frombuffer(payload, dtype="<i2").astype(np.float32) / 32768
        words = [
            (start / told["rate"], text[first : first + length])
            for first, length, start in told["words"]
        ]
        return Speech(
            audio=Audio(torch.from_numpy(samples)[None], told["rate"]),
            words=_timed_words(words, phonemes),
            phonemes=phonemes,
        )

    def phonemes(self, pieces: Sequence[str], voice: str) -> list[Phonemes]:
        """The pronunciation of each piece of text by a voice; punctuation is lost."""
        self._check(voice)
        told, _ = self._ask({"do": "phonemes", "pieces": list(pieces), "voice": voice})
        return [Phonemes(*piece) for piece in told["pieces"]]

    @property
    def version(self) -> str:
        """Version of espeak-ng, such as ``1.52.0``: another one speaks differently."""
        return str(self._about["version"])

    @property
    def voices(self) -> tuple[str, ...]:
        """Names of all voices, one or more for each language."""
        return tuple(self._about["voices"])

    @property
    def variants(self) -> tuple[str, ...]:
        """Names of the variants; any goes with any voice, as ``voice+variant``."""
        return tuple(self._about["variants"])

    def close(self) -> None:
        """End the worker; the next question starts a new one."""
        with self._lock:
            if self._worker is not None and self._owner == os.getpid():
                _end(self._worker)
            self._worker = None

    @cached_property
    def _about(self) -> dict[str, Any]:
        return self._ask({"do": "list"})[0]

    def _check(self, name: str) -> None:
        """Complain of an unknown voice or variant: espeak-ng itself ignores unknown variants."""
        voice, plus, variant = name.partition("+")
        for value, known, what in (
            (voice, self.voices, "voice"),
            (variant, self.variants, "variant"),
        ):
            if value in known or (what == "variant" and not plus):
                continue
            close = get_close_matches(value, known, n=1)
            guess = f" (did you mean {close[0]!r}?)" if close else ""
            raise WorkbenchError(
                f"voice {name!r}: espeak-ng has no {what} {value!r}{guess}; it has "
                f"{', '.join(known)}"
            )

    def _ask(self, request: dict[str, Any]) -> tuple[dict[str, Any], bytes]:
        """The worker's answer: what it tells, and samples as bytes."""
        with self._lock:
            worker = self._running()
            with suppress(BrokenPipeError):  # that it died shows in its answer
                worker.stdin.write(json.dumps(request).encode() + b"\n")  # type: ignore[union-attr]
                worker.stdin.flush()  # type: ignore[union-attr]
            header = worker.stdout.readline()  # type: ignore[union-attr]
            told: dict[str, Any] = json.loads(header) if header else {"error": "its process ended"}
            payload = worker.stdout.read(told.get("bytes", 0))  # type: ignore[union-attr]
        if "missing" in told:
            raise WorkbenchError(
                "speech synthesis and phonemes need espeak-ng: pip install espeakng-loader"
            )
        if "error" in told:
            raise WorkbenchError(f"espeak-ng failed on {request}: {told['error']}")
        return told, payload

    def _running(self) -> subprocess.Popen[bytes]:
        if self._worker is None or self._owner != os.getpid():
            # -P keeps this folder, whose modules have names of the standard library, off its path.
            self._worker = subprocess.Popen(
                [sys.executable, "-P", str(_WORKER)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
            )
            self._owner = os.getpid()
            weakref.finalize(self, _end, self._worker)
        return self._worker


def _end(worker: subprocess.Popen[bytes]) -> None:
    """Close the worker's input, at which it leaves, and wait for that."""
    with suppress(BrokenPipeError):  # it died with a request unread
        worker.stdin.close()  # type: ignore[union-attr]
    worker.stdout.close()  # type: ignore[union-attr]
    worker.wait()


def _timed_phonemes(marks: Sequence[tuple[int, str]], rate: int) -> tuple[TimedText, ...]:
    """Phonemes from marks at samples; each lasts to the next mark, and one without text is a pause.

    The last mark of an utterance is a pause's. ``(en)`` and the like switch languages.
    """
    return tuple(
        TimedText(text, start / rate, end / rate)
        for (start, text), (end, _) in pairwise(marks)
        if text and not text.startswith("(")
    )


def _timed_words(
    marks: Sequence[tuple[float, str]], phonemes: Sequence[TimedText]
) -> tuple[TimedText, ...]:
    """Words from marks in seconds: each lasts from its first phoneme to its last."""
    starts = [start for start, _ in marks]
    spoken: dict[int, list[TimedText]] = {}
    for phoneme in phonemes:
        spoken.setdefault(bisect_right(starts, phoneme.start) - 1, []).append(phoneme)
    return tuple(
        TimedText(text, spoken[number][0].start, spoken[number][-1].end)
        for number, (_, text) in enumerate(marks)
        if number in spoken
    )
