"""The task."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from workbench import (
    Codec,
    Condition,
    Example,
    Generator,
    LMConfig,
    Request,
    Sequence,
    TokenizedExample,
    Wish,
    WorkbenchError,
)
from workbench_labelled_continuation.plugin import LabelledOptions


class LabelledContinuation:
    """Go on from a prompt, with the label's symbol before it."""

    metrics = ("mel-distance", "code-statistics")

    def __init__(self, options: LabelledOptions) -> None:
        self.options = options

    def language_models(self, codec: Codec, lm: LMConfig) -> dict[str, LMConfig]:
        """One model that knows the labels' symbols, and learns to do without one too."""
        del codec
        return {"lm": replace(lm, prefix_symbols=self.options.symbols, condition_dropout=0.1)}

    def training_sequence(
        self, role: str, item: TokenizedExample, rng: np.random.Generator
    ) -> Sequence | None:
        """A random excerpt of the item with its label."""
        del role
        frames = int(item.codes.shape[-1])
        if frames < 2:
            return None
        options = self.options
        seconds = options.prompt_seconds + options.continuation_seconds
        wanted = max(2, round(seconds * item.frame_rate))
        start = int(rng.integers(0, max(1, frames - wanted + 1)))
        condition = self.condition(self.label(item.example))
        return Sequence(item.codes[:, start : start + wanted], condition)

    def requests(self, items: Iterable[TokenizedExample], codec: Codec) -> list[Request]:
        """The first seconds of each item that is long enough, with its label."""
        heard, wanted = self._frames(codec)
        return [
            Request(
                item.example.id,
                item.example,
                item.codes[:, :heard],
                wanted,
                self.condition(self.label(item.example)),
                item.codes[:, heard : heard + wanted],
            )
            for item in items
            if item.codes.shape[-1] >= heard + wanted
        ]

    def request(self, wish: Wish, codec: Codec) -> Request:
        """Go on from the end of the given audio; the wish's text is the label."""
        if wish.prompt is None or not wish.text:
            raise WorkbenchError("this task needs audio and a label: give --prompt and --text")
        heard, wanted = self._frames(codec)
        if wish.seconds is not None:
            wanted = max(1, round(wish.seconds * codec.frame_rate))
        example = Example("wish", "test", caption=wish.text)
        condition = self.condition(wish.text)
        return Request("wish", example, wish.prompt[:, -heard:], wanted, condition)

    def generate(
        self, generators: Mapping[str, Generator], requests: list[Request], seed: int
    ) -> list[Tensor]:
        """Continuations ``[K, frames]``, in order."""
        return generators["lm"](
            [request.prompt for request in requests],
            [request.frames for request in requests],
            [request.condition for request in requests],
            seed=seed,
        )

    def label(self, example: Example) -> str:
        """What the corpus knows under the option's name; empty where it knows nothing."""
        name = self.options.label
        known = {
            "caption": example.caption,
            "speaker": example.speaker,
            "language": example.language,
            **example.details,
        }
        return str(known.get(name) or "")

    def condition(self, label: str) -> Condition:
        """The label's symbol, the same on every machine; none for no label."""
        if not label:
            return Condition()
        digest = hashlib.sha256(label.encode()).digest()
        symbol = int.from_bytes(digest[:8], "big") % self.options.symbols
        return Condition(prefix=torch.tensor([symbol]))

    def _frames(self, codec: Codec) -> tuple[int, int]:
        """Frames of prompt and continuation."""
        heard = max(1, round(self.options.prompt_seconds * codec.frame_rate))
        return heard, max(1, round(self.options.continuation_seconds * codec.frame_rate))
