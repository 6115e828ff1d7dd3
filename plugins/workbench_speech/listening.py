"""Judges that remember what they have heard: the truth is the same for every system of a table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from weakref import WeakValueDictionary

from torch import Tensor

from workbench import (
    Audio,
    BuildContext,
    RecipeError,
    Recogniser,
    SpeakerEncoder,
    audio_hash,
    convert,
    freeze_judge,
    judge_key,
)


class Transcriber:
    """A recogniser that resamples and remembers; audio is recognised by its content."""

    def __init__(self, judge: Recogniser) -> None:
        self.judge = judge
        self.fingerprint = freeze_judge(judge)
        self._known: dict[tuple[str, str | None], str] = {}

    def __call__(self, audio: Audio, language: str | None) -> str:
        """What is said in ``audio``, its channels averaged."""
        key = (audio_hash(audio), language)
        if key not in self._known:
            wav = convert(audio, self.judge.sample_rate, 1).samples[0]
            self._known[key] = self.judge.transcribe(wav, language)
        return self._known[key]


class Voices:
    """A speaker encoder that resamples and remembers."""

    def __init__(self, judge: SpeakerEncoder) -> None:
        self.judge = judge
        self.fingerprint = freeze_judge(judge)
        self._known: dict[str, Tensor] = {}

    def __call__(self, audio: Audio) -> Tensor:
        """The voice in ``audio`` as a vector float32 ``[E]`` of length 1."""
        key = audio_hash(audio)
        if key not in self._known:
            wav = convert(audio, self.judge.sample_rate, 1).samples[0]
            self._known[key] = self.judge.embed_speaker(wav).float().cpu()
        return self._known[key]


_transcribers: WeakValueDictionary[str, Transcriber] = WeakValueDictionary()
_voices: WeakValueDictionary[str, Voices] = WeakValueDictionary()


def shared_transcriber(name: str, options: Mapping[str, Any], context: BuildContext) -> Transcriber:
    """The transcriber of this judge and options, shared by the metrics now alive that use it."""
    key = judge_key(name, options, context)
    found = _transcribers.get(key)
    if found is None:
        judge = context.build("semantic_encoder", name, options)
        if not isinstance(judge, Recogniser):
            raise RecipeError([f"judge = {name!r}: can't transcribe; 'recogniser' can"])
        found = _transcribers[key] = Transcriber(judge)
    return found


def shared_voices(name: str, options: Mapping[str, Any], context: BuildContext) -> Voices:
    """The voice encoder of this judge and options, shared by the metrics now alive that use it."""
    key = judge_key(name, options, context)
    found = _voices.get(key)
    if found is None:
        judge = context.build("semantic_encoder", name, options)
        if not isinstance(judge, SpeakerEncoder):
            raise RecipeError([f"judge = {name!r}: can't embed speakers; 'speaker' can"])
        found = _voices[key] = Voices(judge)
    return found
