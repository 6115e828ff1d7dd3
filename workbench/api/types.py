"""The values that pass between the core and its plugins.

All are frozen dataclasses. Tensors are torch tensors; this module does not import torch, so that
listing plugins stays fast. Shape letters: B batch, C channels, T samples, K codebooks, F frames.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from workbench.api.environment import Environment
from workbench.api.errors import PluginError

if TYPE_CHECKING:
    from torch import Tensor

Split = Literal["train", "validation", "test"]
SPLITS: tuple[Split, ...] = ("train", "validation", "test")


@dataclass(frozen=True)
class Audio:
    """A waveform in memory.

    ``samples`` is float32 ``[C, T]``, nominally within [-1, 1]; ``sample_rate`` is in Hz.
    """

    samples: Tensor
    sample_rate: int

    @property
    def channels(self) -> int:
        """Number of channels C."""
        return int(self.samples.shape[0])

    @property
    def seconds(self) -> float:
        """Duration in seconds."""
        return float(self.samples.shape[-1]) / self.sample_rate


@dataclass(frozen=True)
class Codes:
    """Discrete codes of a codec: integers ``[B, K, F]`` in ``[0, codebook_size)``.

    ``lengths`` (int64 ``[B]``) gives the valid frames of each item where a batch was padded.
    Checked once here, at the border between a codec and everything behind it.
    """

    values: Tensor
    codebook_size: int
    frame_rate: float
    lengths: Tensor | None = None

    def __post_init__(self) -> None:
        values = self.values
        if values.dim() != 3:
            raise PluginError(f"Codes.values must be [B, K, F]; got shape {list(values.shape)}")
        if values.is_floating_point() or values.is_complex():
            raise PluginError(f"Codes.values must hold integers; got dtype {values.dtype}")
        if values.numel() and (int(values.min()) < 0 or int(values.max()) >= self.codebook_size):
            raise PluginError(
                f"Codes.values must lie in [0, {self.codebook_size}); "
                f"got {int(values.min())} to {int(values.max())}"
            )

    @property
    def num_codebooks(self) -> int:
        """Number of codebooks K."""
        return int(self.values.shape[1])

    @property
    def frames(self) -> int:
        """Number of frames F, padding included."""
        return int(self.values.shape[2])


@dataclass(frozen=True)
class Example:
    """One item of a corpus: what is known about a recording, not the recording itself.

    ``id`` is unique within its corpus. ``domain`` is what is heard: ``speech``, ``music`` or
    ``sound``, where the corpus knows. ``details`` holds whatever else the corpus knows, as plain
    JSON values (the synthesised music's score, say); where a recording has several captions,
    ``details["captions"]`` lists all, and the first is ``caption``.
    """

    id: str
    split: Split
    text: str | None = None
    language: str | None = None
    speaker: str | None = None
    caption: str | None = None
    details: Mapping[str, Any] = field(default_factory=dict)
    domain: str | None = None


@dataclass(frozen=True)
class Skipped:
    """A recording that a corpus could not use, and why."""

    id: str
    reason: str


@dataclass(frozen=True)
class Condition:
    """What a language model is given besides codes, for one item.

    ``prefix``: int64 ``[P]``, symbols of the task's own table, put before the codes.
    ``memory``: float32 ``[S, D]``, vectors that the model attends to (a text encoder's output).
    """

    prefix: Tensor | None = None
    memory: Tensor | None = None


@dataclass(frozen=True)
class TokenizedExample:
    """An example with its codes, int64 ``[K, F]``, at ``frame_rate`` frames a second."""

    example: Example
    codes: Tensor
    frame_rate: float


@dataclass(frozen=True)
class Sequence:
    """What a language model learns from: codes ``[K, F]``, trained from frame ``loss_from`` on."""

    codes: Tensor
    condition: Condition = field(default_factory=Condition)
    loss_from: int = 0


@dataclass(frozen=True)
class Request:
    """One thing to generate: go on from ``prompt`` codes ``[K, P]`` for at most ``frames`` frames.

    ``reference`` holds the true codes ``[K, R]`` where they are known (held-out examples); R is
    ``frames`` unless the model decides how long it goes on, which it may from frame ``at_least``
    on. ``prompt_from`` is the id of the example whose recording the prompt is the beginning of;
    None for the item's own, which goes on where the prompt ends.
    """

    id: str
    example: Example
    prompt: Tensor
    frames: int
    condition: Condition = field(default_factory=Condition)
    reference: Tensor | None = None
    prompt_from: str | None = None
    at_least: int = 0

    @property
    def continues(self) -> bool:
        """Whether prompt and result are one recording, and not a result in the prompt's manner."""
        return self.prompt_from is None


@dataclass(frozen=True)
class Wish:
    """What a person asks a trained run for, as typed on the command line.

    ``prompt`` holds the codes ``[K, P]`` of all the audio that was given, ``prompt_text`` what is
    said in it; ``seconds`` how much to generate at most, where the person said so, and ``duration``
    how much exactly.
    """

    prompt: Tensor | None = None
    text: str | None = None
    language: str | None = None
    seconds: float | None = None
    prompt_text: str | None = None
    duration: float | None = None

    @property
    def most_seconds(self) -> float | None:
        """The most that may be generated, where the person said so."""
        return self.seconds if self.duration is None else self.duration


@dataclass(frozen=True)
class EvaluationItem:
    """What a metric sees of one item: audio to score, with the truth and the prompt beside it.

    Where ``continues``, prompt and audio are one recording in two pieces, and the example's text is
    what both say together; else the prompt is from elsewhere, and the audio alone says the text.
    """

    id: str
    example: Example
    generated: Audio
    reference: Audio
    prompt: Audio | None = None
    generated_codes: Tensor | None = None
    reference_codes: Tensor | None = None
    continues: bool = True

    @property
    def whole(self) -> Audio:
        """The audio that says the example's text: ``generated``, after the prompt it goes on from.

        Prompt and audio must agree in rate and channels, as a run's always do.
        """
        if self.prompt is None or not self.continues:
            return self.generated
        import torch

        samples = torch.cat([self.prompt.samples, self.generated.samples], dim=-1)
        return Audio(samples, self.generated.sample_rate)


@dataclass(frozen=True)
class Figure:
    """One number of a table: value, 95 % interval, number of items, and which way is better.

    ``per_item`` maps item ids to scores where the figure is a mean over items, ``replicates`` holds
    a set-level figure's bootstrap values in the common order; paired comparisons use either.
    ``weights`` maps item ids to what their scores count in the mean, where that is not the same for
    all (words of a sentence, in a word error rate).
    ``settings`` is the figure's provenance: all that must agree before two may be compared.
    A ``signed`` set-level figure, such as an unbiased estimate of a distance, may be negative: its
    replicates tell by how much it varies, and not by what factor.
    """

    name: str
    value: float
    low: float
    high: float
    n: int
    higher_is_better: bool
    unit: str = ""
    per_item: Mapping[str, float] | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    replicates: tuple[float, ...] | None = None
    weights: Mapping[str, float] | None = None
    signed: bool = False


@dataclass(frozen=True)
class Component:
    """What a plugin registers: a named, documented, lazily built part.

    ``config`` is a dataclass whose fields are the component's options, each with a default and a
    docstring under it. ``build(options, context)`` gets an instance of ``config`` and a
    :class:`~workbench.api.protocols.BuildContext`; it imports heavy modules inside, so that
    registering a component never imports torch.
    """

    name: str
    summary: str
    config: type
    build: Callable[[Any, Any], Any]
    environment: Environment | None = None
    """The environment of its own that ``build`` uses, for `workbench environments`."""
