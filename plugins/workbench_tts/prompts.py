"""What is heard before the speech, in training and when asked: four ways, a class each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import torch
from torch import Tensor

from workbench import TokenizedExample, WorkbenchError
from workbench_tts.symbols import Text

if TYPE_CHECKING:
    import numpy as np

SHORTEST_FRAMES = 2
"""A recording of one frame teaches nothing."""


@dataclass(frozen=True)
class Line:
    """Codes ``[K, F]``, of which the first ``heard`` frames are a prompt, and the texts to read.

    ``prompt_from`` is the id of the prompt's recording; None where the prompt is the beginning of
    the same one, or there is none.
    """

    texts: tuple[Text, ...]
    codes: Tensor
    heard: int = 0
    prompt_from: str | None = None


class Prompting(Protocol):
    """Where prompts come from."""

    heard: bool
    """Whether there is a prompt at all."""
    paired: bool
    """Whether a prompt is another recording of the speaker."""
    told: bool
    """Whether the texts say what the prompt says too. Then a model learns to speak the prompt as
    well, as VALL-E's does; otherwise nothing would tell it how."""

    def drawn(
        self, item: TokenizedExample, partner: TokenizedExample | None, rng: np.random.Generator
    ) -> Line | None:
        """A line to learn; None where the recordings don't serve. ``partner`` where ``paired``."""
        ...

    def asked(self, item: TokenizedExample, others: Sequence[TokenizedExample]) -> Line | None:
        """A held-out line; None where the recordings don't serve. ``others`` by the speaker."""
        ...

    def given(self, prompt: Tensor, frame_rate: float) -> Tensor:
        """What is heard of the codes ``[K, P]`` of a person's prompt."""
        ...


class NoPrompt:
    """Nothing is heard, and the model picks a voice."""

    heard = False
    paired = False
    told = True

    def drawn(
        self, item: TokenizedExample, partner: TokenizedExample | None, rng: np.random.Generator
    ) -> Line | None:
        """The whole recording."""
        del partner, rng
        return self.asked(item, ())

    def asked(self, item: TokenizedExample, others: Sequence[TokenizedExample]) -> Line | None:
        """The whole recording."""
        del others
        long_enough = item.codes.shape[-1] >= SHORTEST_FRAMES
        return Line((Text.of(item.example),), item.codes) if long_enough else None

    def given(self, prompt: Tensor, frame_rate: float) -> Tensor:
        """None of it is wanted."""
        del prompt, frame_rate
        raise WorkbenchError("this run speaks without a prompt: leave --prompt out")


@dataclass(frozen=True)
class OwnBeginning:
    """The recording's first ``seconds``: its text says them too (VALL-E's continuation)."""

    seconds: float
    heard = True
    paired = False
    told = True

    def drawn(
        self, item: TokenizedExample, partner: TokenizedExample | None, rng: np.random.Generator
    ) -> Line | None:
        """The whole recording, with a beginning of random length, ``seconds`` on average."""
        del partner
        frames = int(item.codes.shape[-1])
        if frames < SHORTEST_FRAMES:
            return None
        longest = min(2 * _frames(self.seconds, item.frame_rate), frames - 1)
        return Line((Text.of(item.example),), item.codes, int(rng.integers(1, longest + 1)))

    def asked(self, item: TokenizedExample, others: Sequence[TokenizedExample]) -> Line | None:
        """The whole recording, which must be longer than the beginning."""
        del others
        heard = _frames(self.seconds, item.frame_rate)
        long_enough = item.codes.shape[-1] > heard
        return Line((Text.of(item.example),), item.codes, heard) if long_enough else None

    def given(self, prompt: Tensor, frame_rate: float) -> Tensor:
        """All of it, as what is said in it is told."""
        del frame_rate
        return prompt


@dataclass(frozen=True)
class ToldUtterance:
    """A whole other recording of at most ``seconds``, told by its transcript (VALL-E)."""

    seconds: float
    heard = True
    paired = True
    told = True

    def drawn(
        self, item: TokenizedExample, partner: TokenizedExample | None, rng: np.random.Generator
    ) -> Line | None:
        """The partner's recording, then the item's."""
        del rng
        return None if partner is None else self.asked(item, [partner])

    def asked(self, item: TokenizedExample, others: Sequence[TokenizedExample]) -> Line | None:
        """The first of the others that is short enough, then the item's."""
        longest = _frames(self.seconds, item.frame_rate)
        fit = (o for o in others if 1 <= o.codes.shape[-1] <= longest and o.example.text)
        other = next(fit, None)
        if other is None or item.codes.shape[-1] < SHORTEST_FRAMES:
            return None
        texts = (Text.of(other.example), Text.of(item.example))
        codes = torch.cat([other.codes, item.codes], dim=-1)
        return Line(texts, codes, int(other.codes.shape[-1]), other.example.id)

    def given(self, prompt: Tensor, frame_rate: float) -> Tensor:
        """All of it, as what is said in it is told."""
        del frame_rate
        return prompt


@dataclass(frozen=True)
class UntoldUtterance:
    """Exactly ``seconds`` of another recording, of which nobody needs to know what they say.

    The model counts frames to know where the prompt ends, so all prompts are of one length.
    """

    seconds: float
    heard = True
    paired = True
    told = False

    def drawn(
        self, item: TokenizedExample, partner: TokenizedExample | None, rng: np.random.Generator
    ) -> Line | None:
        """A random piece of the partner's recording, then the item's."""
        room = -1 if partner is None else self._room(partner)
        if partner is None or room < 0:
            return None
        return self._line(item, partner, int(rng.integers(room + 1)))

    def asked(self, item: TokenizedExample, others: Sequence[TokenizedExample]) -> Line | None:
        """The beginning of the first of the others that is long enough, then the item's."""
        other = next((other for other in others if self._room(other) >= 0), None)
        return None if other is None else self._line(item, other, 0)

    def given(self, prompt: Tensor, frame_rate: float) -> Tensor:
        """Its beginning."""
        heard = _frames(self.seconds, frame_rate)
        if prompt.shape[-1] < heard:
            raise WorkbenchError(
                f"the prompt lasts {prompt.shape[-1] / frame_rate:.2f} s; this run hears "
                f"{self.seconds:g} s of a voice: give a longer recording with --prompt"
            )
        return prompt[:, :heard]

    def _room(self, other: TokenizedExample) -> int:
        """Frames that a recording has more than are heard."""
        return int(other.codes.shape[-1]) - _frames(self.seconds, other.frame_rate)

    def _line(self, item: TokenizedExample, other: TokenizedExample, start: int) -> Line | None:
        if item.codes.shape[-1] < SHORTEST_FRAMES:
            return None
        heard = _frames(self.seconds, item.frame_rate)
        codes = torch.cat([other.codes[:, start : start + heard], item.codes], dim=-1)
        return Line((Text.of(item.example),), codes, heard, other.example.id)


def _frames(seconds: float, frame_rate: float) -> int:
    return max(1, round(seconds * frame_rate))
