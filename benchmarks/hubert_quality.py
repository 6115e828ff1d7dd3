"""How much speech the embedded HuBERT and WavLM hear, beside random weights and plain spectra.

PNMI (HuBERT's measure) and the share of frames whose phone a linear probe finds, on plain and on
acoustically varied speech of voices and sentences that nothing was trained on; see
``workbench_hubert/quality.py``.

    python benchmarks/hubert_quality.py
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import torch
from torch import Tensor, nn
from workbench_hubert.quality import SpeechQuality, measure_quality

from workbench import FrameGrid, LogMelFrames, MfccFrames, load_catalog
from workbench.audio.dataset import AudioDataset, prepare
from workbench.host.context import Context
from workbench.pipeline.corpus import recordings


class Spectrum(nn.Module):
    """A spectrum at HuBERT's rates, as an encoder to compare with."""

    sample_rate = 16_000
    frame_rate = 50.0

    def __init__(self, frames: nn.Module, dim: int) -> None:
        super().__init__()
        self.frames = frames
        self.dim = dim

    def forward(self, wav: Tensor) -> Tensor:
        """Frames ``[B, D, F]`` of audio ``[B, T]``."""
        features: Tensor = self.frames(wav, (wav.shape[-1] - 400) // 320 + 1)
        return features.transpose(1, 2)


def corpus(context: Context, folder: Path, count: int, variety: float) -> AudioDataset:
    """Speech of the pool of voices and of a seed that no shipped model was trained on."""
    options = {
        "train": count, "validation": 0, "test": count, "seed": 7, "voice_pool": "b",
        "alignments": True, "variety": variety,
    }  # fmt: skip
    speech = context.build("corpus", "synthetic-speech", options)
    return prepare(folder, recordings(speech), 16_000, 1, speech.fingerprint())


def main() -> None:
    """Print a table row an encoder."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--recordings", type=int, default=300, help="to fit and to score on")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument(
        "--weights", action="append", default=[], help="further ones: hubert=FOLDER"
    )
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    context = Context(load_catalog(), "cpu", seed=0)
    grid = FrameGrid(16_000, 320, 400)
    mel, cepstra = LogMelFrames(grid), MfccFrames(grid)
    encoders: dict[str, nn.Module] = {
        "log-mel": Spectrum(mel, mel.dim),
        "MFCC and differences": Spectrum(cepstra, cepstra.dim),
    }
    asked = ["hubert=random", "hubert=embedded", "wavlm=embedded", *arguments.weights]
    for name, weights in (text.split("=", 1) for text in asked):
        encoders[f"{name}, {weights}"] = context.build(
            "semantic_encoder", name, {"weights": weights}
        )
    print("| features | PNMI plain | phones plain | PNMI varied | phones varied |")
    print("|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        plain, varied = (
            corpus(context, Path(folder) / str(variety), arguments.recordings, variety)
            for variety in (0.0, 1.0)
        )
        for name, encoder in encoders.items():
            found = [
                measure_quality(encoder, data, arguments.recordings) for data in (plain, varied)
            ]
            print(f"| {name} | {' | '.join(map(cells, found))} |", flush=True)
        print(
            f"\nAlways naming the commonest phone: {found[0].chance:.3f}; {found[0].frames} frames."
        )


def cells(quality: SpeechQuality) -> str:
    """Two cells of the table."""
    return f"{quality.purity:.3f} | {quality.phone_accuracy:.3f}"


if __name__ == "__main__":
    main()
