"""Registers the corpora: the embedded music, folders, manifests, Hugging Face data, mixtures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from workbench import BuildContext, Component, hookimpl

if TYPE_CHECKING:
    from workbench import Corpus


@dataclass
class SyntheticMusicOptions:
    """Options of the embedded music corpus."""

    train: int = 600
    """Pieces for training."""
    validation: int = 48
    """Pieces for validation."""
    test: int = 96
    """Pieces for testing."""
    seconds: float = 13.0
    """Length of each piece."""
    seed: int = 0
    """Seed of the pieces; the run's own seed does not change them."""
    sample_rate: int = 16000
    """Rate in Hz."""


def _build_synthetic_music(options: SyntheticMusicOptions, _context: BuildContext) -> Corpus:
    from workbench_corpora.synthetic_music import SyntheticMusic

    return SyntheticMusic(options)


@hookimpl
def workbench_corpora() -> list[Component]:
    """All corpora of this plugin."""
    return [
        Component(
            "synthetic-music",
            "Synthesised music in 24 keys with its score, made on the spot, the same everywhere",
            SyntheticMusicOptions,
            _build_synthetic_music,
        ),
    ]
