"""How much music the embedded MERT hears, beside random weights and plain spectra.

Linear probes tell from single frames of held-out pieces which chord sounds, which pitch class the
melody has and which instrument plays it; see ``workbench_mert/quality.py``.

    python benchmarks/mert_quality.py
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import torch
from torch import Tensor, nn
from workbench_mert.quality import Quality, measure_quality
from workbench_mert.spectra import ConstantQ

from workbench import FrameGrid, LogMelFrames, load_catalog
from workbench.audio.dataset import AudioDataset, prepare
from workbench.host.context import Context
from workbench.pipeline.corpus import recordings


class Spectrum(nn.Module):
    """A spectrum at MERT's rates, as an encoder to compare with."""

    sample_rate = 24_000
    frame_rate = 75.0

    def __init__(self, frames: nn.Module, dim: int) -> None:
        super().__init__()
        self.frames = frames
        self.dim = dim

    def forward(self, wav: Tensor) -> Tensor:
        """Frames ``[B, D, F]`` of audio ``[B, T]``."""
        features: Tensor = self.frames(wav, (wav.shape[-1] - 400) // 320 + 1)
        return features.transpose(1, 2)


def corpus(context: Context, folder: Path, pieces: int) -> AudioDataset:
    """The embedded music, prepared at 16 kHz; a seed that no shipped model was trained on."""
    options = {"train": pieces, "validation": 1, "test": pieces, "seed": 7}
    music = context.build("corpus", "synthetic-music", options)
    return prepare(folder, recordings(music), 16_000, 1, music.fingerprint())


def main() -> None:
    """Print one line an encoder."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pieces", type=int, default=40, help="pieces to fit and to score on")
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    context = Context(load_catalog(), "cpu", seed=0)
    grid = FrameGrid(24_000, 320, 400)
    spectra = {"log-mel": LogMelFrames(grid), "constant-Q": ConstantQ(grid)}
    encoders = {name: Spectrum(frames, frames.dim) for name, frames in spectra.items()}
    for weights in ("random", "embedded"):
        encoders[f"MERT, {weights}"] = context.build(
            "semantic_encoder", "mert", {"weights": weights}
        )
    with tempfile.TemporaryDirectory() as folder:
        data = corpus(context, Path(folder), arguments.pieces)
        for name, encoder in encoders.items():
            print(line(name, measure_quality(encoder, data, arguments.pieces)))


def line(name: str, quality: Quality) -> str:
    """An encoder's figures, with the share of the commonest label in brackets."""
    parts = [
        f"{label} {value:.3f} ({quality.chance[label]:.3f})"
        for label, value in quality.accuracy.items()
    ]
    return f"{name:16} {'  '.join(parts)}  chord purity {quality.chord_purity:.3f}"


if __name__ == "__main__":
    main()
