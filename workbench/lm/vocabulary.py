"""Rows of the language model's one input table: codes, start, prefix symbols; imports no torch."""

from __future__ import annotations

from dataclasses import dataclass

from workbench.lm.config import LMConfig


@dataclass(frozen=True)
class Vocabulary:
    """Where each kind of input symbol lies in the table of input embeddings.

    A position's input is the sum of up to W rows, one for each token of a model step. Every
    codebook has one row more than it has entries, for "no token here": a codebook that has not
    started yet or has ended. As a target of the first codebook, that token is the sequence's end.
    """

    num_codebooks: int
    codebook_size: int
    prefix_symbols: int
    given_codebooks: int

    @classmethod
    def of(cls, config: LMConfig) -> Vocabulary:
        """The vocabulary of a model with these settings."""
        return cls(
            config.num_codebooks,
            config.codebook_size,
            config.prefix_symbols,
            config.given_codebooks,
        )

    @property
    def absent(self) -> int:
        """The token, in any codebook, that means "none" (as a target of codebook 0: the end)."""
        return self.codebook_size

    def code_row(self, codebook: int) -> int:
        """Row of token 0 of ``codebook``; its other tokens follow in order."""
        return codebook * (self.codebook_size + 1)

    @property
    def start(self) -> int:
        """Row of the symbol between the prefix and the codes."""
        return self.code_row(self.num_codebooks)

    @property
    def nothing(self) -> int:
        """A row of zeros, kept so: fills slots of positions that hold a single symbol."""
        return self.start + 1

    @property
    def no_condition(self) -> int:
        """Row that stands for each prefix symbol of an item without condition."""
        return self.start + 2

    @property
    def prefix_row(self) -> int:
        """Row of prefix symbol 0; the others follow in order."""
        return self.start + 3

    def stage_row(self, codebook: int) -> int:
        """Row that says which codebook is being filled in, where codebooks are given."""
        return self.prefix_row + self.prefix_symbols + codebook - self.given_codebooks

    @property
    def size(self) -> int:
        """Number of rows."""
        stages = self.num_codebooks - self.given_codebooks if self.given_codebooks else 0
        return self.prefix_row + self.prefix_symbols + stages
