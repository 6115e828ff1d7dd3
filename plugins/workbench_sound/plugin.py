"""Registers the text-to-sound task."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from workbench import BuildContext, Component, Slot, Task, hookimpl, slot


@dataclass
class CaptionOptions:
    """What reads the captions, and how the language models are told what was read."""

    encoder: Slot = slot("semantic_encoder", "clap")
    """A semantic encoder that reads as well, as `clap` does with its text tower."""
    t5: str = ""
    """Hugging Face id (`google/flan-t5-base`) or folder of a T5, whose encoder reads instead of
    `encoder`; empty: `encoder` reads."""
    pooled: bool = False
    """Tell one vector for the whole caption instead of one for each of its tokens: the vector in
    the space shared with audio where the reader has one, else the mean."""
    told_as: Literal["cross", "prefix"] = "cross"
    """`cross`: every layer of the language models attends to the caption. `prefix`: it comes before
    the codes, where `lm.model.context` must have room for it."""
    dropout: float = 0.1
    """Share of training without caption, which `lm.sampling.guidance_scale` needs."""

    def __post_init__(self) -> None:
        if not 0 <= self.dropout < 1:
            raise ValueError(f"dropout = {self.dropout!r}: must be in [0, 1)")


@dataclass
class TextToSoundOptions:
    """Which models there are, what they are told, and how long sounds last."""

    model: Literal["delay", "parallel", "ar+nar"] = "delay"
    """`delay`, `parallel`: one model in that pattern. `ar+nar`: one model for the first codebook,
    and one that fills in the others. `lm.model.pattern` is not used."""
    captions: CaptionOptions = field(default_factory=CaptionOptions)
    """How captions are read and told."""
    seconds: float = 0.0
    """Length of every sound: longer recordings are learnt in random pieces, shorter ones as they
    are. 0: a model learns where a sound ends."""
    shortest_seconds: float = 0.5
    """No end comes before, where a model learns it."""
    longest_seconds: float = 15.0
    """Where a model learns the end, what lasts longer is neither learnt nor asked for, and results
    are cut off here."""
    candidates: int = 1
    """Results made for each caption, of which the one is kept that `ranker` finds nearest to it."""
    ranker: Slot = slot("semantic_encoder", "clap")
    """An encoder of audio and captions that chooses among `candidates`; never the one that judges:
    a metric that names the same is refused."""

    def __post_init__(self) -> None:
        if self.seconds < 0:
            raise ValueError(f"seconds = {self.seconds!r}: must be at least 0")
        for name in ("shortest_seconds", "longest_seconds"):
            if getattr(self, name) <= 0:
                raise ValueError(f"{name} = {getattr(self, name)!r}: must be above 0")
        if self.shortest_seconds > self.longest_seconds:
            raise ValueError(
                f"shortest_seconds = {self.shortest_seconds!r}: must be at most longest_seconds "
                f"({self.longest_seconds!r})"
            )
        if self.candidates < 1:
            raise ValueError(f"candidates = {self.candidates!r}: must be at least 1")


def build(options: TextToSoundOptions, context: BuildContext) -> Task:
    """The task with what reads for it, on the context's device."""
    from workbench_sound.ranking import build_ranking
    from workbench_sound.reading import build_reader
    from workbench_sound.task import TextToSound

    reader = build_reader(options.captions, context)
    return TextToSound(options, reader, build_ranking(options, context))


@hookimpl
def workbench_tasks() -> list[Component]:
    """The tasks of this plugin."""
    summary = "make the sound that a caption describes"
    return [Component("text-to-sound", summary, TextToSoundOptions, build)]
