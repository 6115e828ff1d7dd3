"""One of several processes that train a whole codec together; run by test_processes.py."""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from pathlib import Path

import torch

from tests.codec.codec_parts import FULL, FakeTeacher, small_codec
from workbench import AudioDataset, TrainingSession, TrainingSettings, XCodec
from workbench.codec.config import LossConfig, QuantizerConfig

SETTINGS = TrainingSettings(
    steps=10, batch_size=4, segment_seconds=0.2, learning_rate=1e-3, warmup_steps=2, log_every=1
)

LOSSES = {"weighted": FULL, "balanced": replace(FULL, balance=True)}


def codec_to_train(losses: LossConfig) -> XCodec:
    """Two teachers, k-means at step 2, and a threshold at which entries die at every step."""
    teachers = (FakeTeacher(4), FakeTeacher(5, sample_rate=24000, hop=320))
    quantizer = QuantizerConfig(
        codebooks=2, size=8, kmeans_step=2, dead_threshold=2.0, kmeans_iterations=5
    )
    codec = small_codec(teachers=teachers, losses=losses, quantizer=quantizer, normalise=True)
    for codebook in codec.quantizer.codebooks:
        codebook.inited.zero_()
    return codec


def train(folder: Path, data: AudioDataset, kind: str) -> XCodec:
    """Train in this process, alone or as one of those that the environment states."""
    codec = codec_to_train(LOSSES[kind])
    codec.fit(data, TrainingSession(SETTINGS, folder / kind, seed=3, device="cpu"))
    return codec


if __name__ == "__main__":
    torch.set_num_threads(1)
    root = Path(sys.argv[1])
    for kind in LOSSES:
        trained = train(root / "together", AudioDataset(root / "data"), kind)
        torch.save(trained.state_dict(), root / f"{kind}-{os.environ['RANK']}.pt")
    torch.distributed.barrier()  # a process that leaves first may take the other's connection
    torch.distributed.destroy_process_group()
