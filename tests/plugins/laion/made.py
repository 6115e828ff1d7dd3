"""Weights, sounds and captions that any environment can make alike: no random generator, no file.

Used by ``record.py`` (in an environment with laion-clap) and by the test of the clap plugin.
"""

from __future__ import annotations

import math
import zlib

import numpy as np
from numpy.typing import NDArray

RATE = 48_000
LENGTHS = {"short": 30_000, "window": 480_000, "long": 700_000}
PITCHES = {"short": 150.0, "window": 3000.0, "long": 700.0}
CAPTIONS = {"one": [10], "some": [57, 33, 91, 4], "many": list(range(5, 100))}
"""Token numbers of each caption, without the start and end that a tokenizer adds."""
VOCABULARY = 120
MAX_TOKENS = 77


def spread(name: str, count: int) -> NDArray[np.float64]:
    """``count`` numbers spread over [-0.5, 0.5), other ones for each name."""
    index = np.arange(1, count + 1, dtype=np.uint64) + np.uint64(zlib.crc32(name.encode()) << 20)
    mixed = index * np.uint64(0x9E3779B97F4A7C15)
    mixed ^= mixed >> np.uint64(29)
    mixed *= np.uint64(0xBF58476D1CE4E5B9)
    return (mixed >> np.uint64(40)).astype(np.float64) / 2**24 - 0.5


def weights(name: str, shape: tuple[int, ...]) -> NDArray[np.float32]:
    """A tensor of LAION's state dict, in a range in which activations stay lively."""
    count = math.prod(shape)
    values = spread(name, count).reshape(shape)
    if "bn0.running" in name:  # statistics of a spectrum in dB
        values = -20 + 5 * values if name.endswith("mean") else 400 + 100 * values
    elif name.endswith("running_var") or (len(shape) == 1 and name.endswith("weight")):
        values = 1 + 0.4 * values
    elif len(shape) == 1 or "logit" in name:
        values = 0.2 * values
    elif "embeddings" in name or "bias_table" in name:
        values = values.copy()
    else:
        values = values * math.sqrt(24 / math.prod(shape[1:]))
    return np.asarray(values, dtype=np.float32)


def sound(name: str) -> NDArray[np.float32]:
    """A glide upwards with a little noise, of the length and pitch that ``name`` has."""
    time = np.arange(LENGTHS[name]) / RATE
    glide = np.sin(2 * np.pi * PITCHES[name] * (time + time**2 / 20))
    return (0.3 * glide + 0.003 * spread(name, LENGTHS[name])).astype(np.float32)


def tokens(name: str) -> list[int]:
    """A caption's token numbers as RoBERTa's tokenizer frames and cuts them."""
    return [0, *CAPTIONS[name][: MAX_TOKENS - 2], 2]
