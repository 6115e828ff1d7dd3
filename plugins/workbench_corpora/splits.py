"""Which split a recording belongs to, where the corpus itself doesn't say."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Collection, Mapping

from workbench import Split

SPLIT_NAMES: Mapping[str, Split] = {
    "train": "train",
    "training": "train",
    "validation": "validation",
    "valid": "validation",
    "val": "validation",
    "dev": "validation",
    "test": "test",
    "testing": "test",
    "eval": "test",
}
"""Words for the splits, in lower case, as folders and manifests use them."""


def held_out(keys: Collection[str], shares: Mapping[Split, float]) -> dict[str, Split]:
    """The split of each key: ``shares`` of them (rounded up) go to the splits it names.

    Keys are put in the order of their hashes, so the choice looks random, is the same on every
    machine and in any order of ``keys``, and moves few keys when others come or go. At least one
    key stays for training, where there are any.
    """
    ranked = sorted(keys, key=lambda key: hashlib.sha256(key.encode()).hexdigest())
    result: dict[str, Split] = {}
    for split, share in shares.items():
        wanted = math.ceil(share * len(keys) - 1e-9)
        for key in ranked[len(result) : min(len(result) + wanted, len(ranked) - 1)]:
            result[key] = split
    return {key: result.get(key, "train") for key in keys}
