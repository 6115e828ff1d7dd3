"""Music continuation: hear some seconds of a piece, compose the next ones.

One language model learns random excerpts of prompt and continuation together, with no mark between
them, so that at test time it can go on from any prompt of any length.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from workbench import (
    Codec,
    Example,
    Generator,
    LMConfig,
    Request,
    Sequence,
    TokenizedExample,
    Wish,
    WorkbenchError,
)

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor

SHORTEST_TRAINING_FRAMES = 2
"""A sequence of one frame teaches nothing about continuing."""


class MusicContinuation:
    """See the module; implements ``workbench.Task``."""

    weights = Path(__file__).parent / "weights"
    """The language model that is shipped for ``lm.init: embedded``."""

    metrics: tuple[str, ...] = (
        "frechet",
        "mel-distance",
        "key-agreement",
        "tempo-agreement",
        "chord-agreement",
    )

    def __init__(self, prompt_seconds: float, continuation_seconds: float) -> None:
        self.prompt_seconds = prompt_seconds
        self.continuation_seconds = continuation_seconds

    def language_models(self, codec: Codec, lm: LMConfig) -> dict[str, LMConfig]:
        """One model over all codebooks."""
        del codec  # its numbers are in ``lm`` already
        return {"lm": lm}

    def training_sequence(
        self, role: str, item: TokenizedExample, rng: np.random.Generator
    ) -> Sequence | None:
        """A random excerpt as long as prompt and continuation; a shorter piece is taken whole."""
        del role  # there is only one
        frames = int(item.codes.shape[-1])
        if frames < SHORTEST_TRAINING_FRAMES:
            return None
        wanted = self._frames(self.prompt_seconds + self.continuation_seconds, item.frame_rate)
        start = int(rng.integers(0, max(1, frames - wanted + 1)))
        return Sequence(item.codes[:, start : start + wanted])

    def requests(self, items: Iterable[TokenizedExample], codec: Codec) -> list[Request]:
        """The first seconds of each piece that is long enough, to be continued."""
        prompt = self._frames(self.prompt_seconds, codec.frame_rate)
        frames = self._frames(self.continuation_seconds, codec.frame_rate)
        return [
            Request(
                id=item.example.id,
                example=item.example,
                prompt=item.codes[:, :prompt],
                frames=frames,
                reference=item.codes[:, prompt : prompt + frames],
            )
            for item in items
            if item.codes.shape[-1] >= prompt + frames
        ]

    def request(self, wish: Wish, codec: Codec) -> Request:
        """Go on from the end of the given audio, hearing as much of it as in training."""
        if wish.prompt is None:
            raise WorkbenchError("music continuation needs a prompt: give --prompt FILE")
        heard = self._frames(self.prompt_seconds, codec.frame_rate)
        seconds = wish.most_seconds or self.continuation_seconds
        return Request(
            id="wish",
            example=Example(id="wish", split="test"),
            prompt=wish.prompt[:, -heard:],
            frames=self._frames(seconds, codec.frame_rate),
        )

    def generate(
        self, generators: Mapping[str, Generator], requests: list[Request], seed: int
    ) -> list[Tensor]:
        """Continuations ``[K, frames]``, in order."""
        return generators["lm"](
            [request.prompt for request in requests],
            [request.frames for request in requests],
            seed=seed,
        )

    @staticmethod
    def _frames(seconds: float, frame_rate: float) -> int:
        return max(1, round(seconds * frame_rate))
