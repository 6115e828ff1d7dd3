"""Settings of one language model: the recipe's sizes, and what codec and task add. No torch."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Literal

from workbench.api.settings import LMSizes, check
from workbench.api.types import Condition

PATTERNS = ("flatten", "delay", "parallel")
"""Orders in which a model may emit the codebooks of a frame (see :mod:`workbench.lm.patterns`)."""
MEMORY_AS = ("cross", "prefix")


@dataclass
class LMConfig(LMSizes):
    """Shape of a decoder-only transformer over the codebooks of a codec."""

    num_codebooks: int = 0
    """Codebooks K that the model emits; 0 until the codec is known."""
    codebook_size: int = 0
    """Entries in each codebook; 0 until the codec is known."""
    prefix_symbols: int = 0
    """Size of the task's table of prefix symbols (phonemes, languages); 0: no prefix."""
    memory_dim: int = 0
    """Width of the vectors that tell what is wanted (a text encoder's output); 0: none."""
    memory_as: Literal["cross", "prefix"] = "cross"
    """How they are told: each layer attends to them across, or they come before the codes, which
    costs positions and no weights but their projection."""
    end_symbol: bool = False
    """Learn where a sequence ends, so that generation may stop by itself."""
    given_codebooks: int = 0
    """0: the model is autoregressive. Above 0: it is given that many codebooks of all frames and
    fills in the others, one codebook of all frames at a time (see :mod:`workbench.lm.refine`)."""
    condition_dropout: float = 0.0
    """Probability of training an item without its condition, which guidance needs."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check(
            self.width % (2 * self.heads) == 0,
            "width",
            self.width,
            f"a multiple of twice the number of heads ({2 * self.heads})",
        )
        check(self.pattern in PATTERNS, "pattern", self.pattern, f"one of {', '.join(PATTERNS)}")
        sizes = (
            "num_codebooks",
            "codebook_size",
            "prefix_symbols",
            "memory_dim",
            "given_codebooks",
        )
        for name in sizes:
            check(getattr(self, name) >= 0, name, getattr(self, name), "at least 0")
        check(self.memory_as in MEMORY_AS, "memory_as", self.memory_as, "cross or prefix")
        self._check_conditions()
        self._check_given()

    def _check_conditions(self) -> None:
        dropped = self.condition_dropout
        check(0 <= dropped < 1, "condition_dropout", dropped, "in [0, 1)")
        conditioned = bool(self.prefix_symbols or self.memory_dim)
        check(
            conditioned or dropped == 0,
            "condition_dropout",
            dropped,
            "0 for a model without condition (prefix_symbols and memory_dim are 0)",
        )

    def _check_given(self) -> None:
        if not self.given_codebooks:
            return
        check(
            self.given_codebooks < self.num_codebooks,
            "given_codebooks",
            self.given_codebooks,
            f"below num_codebooks ({self.num_codebooks})",
        )
        check(
            not self.end_symbol,
            "end_symbol",
            self.end_symbol,
            "false where codebooks are given, and with them the length",
        )

    @property
    def cross_dim(self) -> int:
        """Width of the vectors that layers attend to across; 0 where none are."""
        return self.memory_dim if self.memory_as == "cross" else 0

    @property
    def before_dim(self) -> int:
        """Width of the vectors that come before the codes; 0 where none do."""
        return self.memory_dim if self.memory_as == "prefix" else 0

    def positions_before(self, condition: Condition) -> int:
        """Positions that an item's condition takes before the start symbol."""
        symbols = 0 if condition.prefix is None else len(condition.prefix)
        vectors = len(condition.memory) if self.before_dim and condition.memory is not None else 0
        return symbols + vectors

    @classmethod
    def of(cls, sizes: LMSizes, num_codebooks: int, codebook_size: int) -> LMConfig:
        """A model of these sizes for a codec's codes, without condition and end."""
        known = {name: value for name, value in asdict(sizes).items() if name in _SIZES}
        return cls(**known, num_codebooks=num_codebooks, codebook_size=codebook_size)

    @property
    def ffn_width(self) -> int:
        """Hidden width of the gated feed-forward layer, rounded up to a multiple of 16."""
        return -(-round(self.width * self.ffn_multiple) // 16) * 16


_SIZES = frozenset(LMSizes.__dataclass_fields__)
