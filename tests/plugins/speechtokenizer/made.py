"""A small SpeechTokenizer's weights and a sound that any environment can make alike.

Used by ``record.py`` (in an environment with speechtokenizer) and by the test of the codec.
"""

from __future__ import annotations

import json
import math
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

CONFIG: dict[str, Any] = {
    "sample_rate": 16000, "strides": [8, 5, 4, 2], "n_filters": 4, "dimension": 12,
    "semantic_dimension": 6, "n_q": 3, "codebook_size": 16, "lstm_layers": 2, "bidirectional": True,
    "n_residual_layers": 1, "residual_kernel_size": 3, "dilation_base": 2, "activation": "ELU",
}  # fmt: skip
SAMPLES = 9000


def spread(name: str, count: int) -> NDArray[np.float64]:
    """``count`` numbers spread over [-0.5, 0.5), other ones for each name."""
    index = np.arange(1, count + 1, dtype=np.uint64) + np.uint64(zlib.crc32(name.encode()) << 20)
    mixed = index * np.uint64(0x9E3779B97F4A7C15)
    mixed ^= mixed >> np.uint64(29)
    mixed *= np.uint64(0xBF58476D1CE4E5B9)
    return (mixed >> np.uint64(40)).astype(np.float64) / 2**24 - 0.5


def weights(name: str, shape: tuple[int, ...]) -> NDArray[np.float32]:
    """A tensor of the state dict, in a range in which activations stay lively."""
    values = spread(name, math.prod(shape)).reshape(shape)
    if name.endswith("inited"):
        values = np.ones(shape)
    elif "bias" in name:
        values = 0.1 * values
    elif name.endswith("weight_g"):
        values = 1 + values
    elif name.endswith(("embed", "embed_avg")):
        values = 3 * values
    return np.asarray(values, dtype=np.float32)


def reference() -> dict[str, Any]:
    """What ``record.py`` recorded."""
    recorded: dict[str, Any] = json.loads(Path(__file__).with_name("reference.json").read_text())
    return recorded


def save(folder: Path, **changes: Any) -> Path:
    """The small model in the form in which its authors publish theirs."""
    folder.mkdir(exist_ok=True)
    (folder / "config.json").write_text(json.dumps({**CONFIG, **changes}))
    shapes = reference()["shapes"].items()
    state = {name: torch.from_numpy(weights(name, tuple(shape))) for name, shape in shapes}
    torch.save(state, folder / "SpeechTokenizer.pt")
    return folder


def sound() -> NDArray[np.float32]:
    """A glide with a little noise."""
    time = np.arange(SAMPLES) / 16000
    glide = np.sin(2 * np.pi * 300 * (time + 4 * time**2))
    return np.asarray(0.4 * glide + 0.3 * spread("noise", SAMPLES), dtype=np.float32)
