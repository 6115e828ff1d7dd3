"""Registers the text-to-speech task."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from workbench import BuildContext, Component, Task, hookimpl


@dataclass
class TextToSpeechOptions:
    """What the models read, which models there are, and what they hear before they speak."""

    front_end: Literal["phonemes", "characters"] = "phonemes"
    """`phonemes` by espeak-ng; or the text's `characters`, for languages without phonemes. The
    symbols are the same for all languages, and a symbol of the language comes before the text."""
    language: str = ""
    """Language of texts that state none, such as `en`; empty: all must state it."""
    model: Literal["ar+nar", "delay", "parallel"] = "ar+nar"
    """`ar+nar`: VALL-E's two models, one for the first codebook, one that fills in the others.
    `delay`, `parallel`: one model in that pattern. `lm.model.pattern` is not used."""
    prompt: Literal["continuation", "cross-utterance", "none"] = "continuation"
    """What is heard first: the recording's own beginning, another recording of the speaker, or
    nothing."""
    prompt_seconds: float = 3.0
    """Length of the prompt in seconds; the greatest length of one that is a whole recording, as a
    cross-utterance prompt with `prompt_text` is."""
    prompt_text: bool = True
    """Put what a cross-utterance prompt says before the text, as VALL-E does. Without it, nobody
    needs to know what the prompt says, and the prompt has always `prompt_seconds`."""
    seconds_per_symbol: float = 0.2
    """Speech is cut off after a second and this much for each symbol of its text."""
    longest_seconds: float = 20.0
    """Recordings that last longer are neither learnt nor asked for."""
    condition_dropout: float = 0.0
    """Share of training without text, which `lm.sampling.guidance_scale` needs."""

    def __post_init__(self) -> None:
        for name in ("prompt_seconds", "seconds_per_symbol", "longest_seconds"):
            value = getattr(self, name)
            if value <= 0:
                raise ValueError(f"{name} = {value!r}: must be above 0")
        if not 0 <= self.condition_dropout < 1:
            raise ValueError(f"condition_dropout = {self.condition_dropout!r}: must be in [0, 1)")
        if self.prompt != "cross-utterance" and not self.prompt_text:
            raise ValueError(
                "prompt_text = False: must be true unless prompt is 'cross-utterance'; "
                "a recording's text covers its beginning"
            )


def build(options: TextToSpeechOptions, _context: BuildContext) -> Task:
    """The task; it imports nothing heavy, but is made like any other component."""
    from workbench_tts.task import TextToSpeech

    return TextToSpeech(options)


@hookimpl
def workbench_tasks() -> list[Component]:
    """The tasks of this plugin."""
    return [
        Component(
            "tts",
            "speak a text, in the voice of a prompt",
            TextToSpeechOptions,
            build,
        )
    ]
