"""A recipe that runs the whole pipeline in seconds."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

TINY = {
    "name": "tiny",
    "threads": 1,
    "corpus": {
        "name": "synthetic-music",
        "options": {"train": 6, "validation": 1, "test": 3, "seconds": 4.0},
    },
    "codec": {
        "name": "xcodec",
        "options": {
            "weights": "scratch",
            "strides": [8, 5, 4, 4],
            "latent_dim": 16,
            "encoder": {"kind": "spectral", "n_fft": 640, "width": 16, "blocks": 1},
            "decoder": {
                "kind": "istft", "n_fft": 640, "width": 16, "blocks": 1,
                "fine_width": 16, "fine_blocks": 1,
            },
            "quantizer": {"codebooks": 2, "size": 16, "kmeans_step": 2, "dead_threshold": 0.1},
            "losses": {"mel": 1, "stft": 0, "pqmf": 0, "adversarial": 0, "feature_matching": 0},
        },
        "training": {"steps": 6, "batch_size": 2, "segment_seconds": 0.5, "log_every": 1},
    },
    "task": {
        "name": "music-continuation",
        "options": {"prompt_seconds": 1.0, "continuation_seconds": 1.0},
    },
    "lm": {
        "model": {"width": 16, "depth": 1, "heads": 1, "pattern": "delay", "context": 128},
        "training": {"steps": 6, "batch_size": 2, "log_every": 1},
    },
    "evaluation": {"items": 3, "metrics": ["mel-distance"]},
}  # fmt: skip


@pytest.fixture
def tiny_recipe(tmp_path: Path) -> Path:
    """The recipe's file; its results go beside it."""
    path = tmp_path / "tiny.yaml"
    path.write_text(yaml.safe_dump({**TINY, "results": str(tmp_path / "results")}))
    return path
