"""Provenance of figures: what must agree before two of them may be put side by side."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

from workbench.api.types import Audio, EvaluationItem

NOT_COMPARED = frozenset({"seed"})
"""Recorded and free to differ: repeating a run with other seeds is what seeds are for. Where a seed
does change the measure itself (a randomly initialised encoder), the hash of its weights tells."""
ABSENT = "absent"
"""Shown for a field that only one of two figures has."""
SHARED = ("n", "items", "reference", "sample_rate", "clip_seconds", "prompt_seconds")
"""Fields that :func:`of_items` gives."""


def of_items(items: Sequence[EvaluationItem]) -> dict[str, Any]:
    """What all figures over ``items`` share (``SHARED``): which items, which truth, how long."""
    prompts = [item.prompt for item in items if item.prompt is not None]
    return {
        "n": len(items),
        "items": _digest(item.id.encode() for item in items),
        "reference": _digest(_content(item.reference) for item in items),
        "sample_rate": _single([item.reference.sample_rate for item in items]),
        "clip_seconds": _single([round(item.reference.seconds, 3) for item in items]),
        "prompt_seconds": _single([round(prompt.seconds, 3) for prompt in prompts]),
    }


def differences(first: Mapping[str, Any], second: Mapping[str, Any]) -> list[str]:
    """Fields in which two figures' settings differ, each as ``field: one value, other value``."""
    one, two = _flat(first), _flat(second)
    keys = sorted((one.keys() | two.keys()) - NOT_COMPARED)
    return [
        f"{key}: {one.get(key, ABSENT)} against {two.get(key, ABSENT)}"
        for key in keys
        if key not in one or key not in two or one[key] != two[key]
    ]


def _flat(settings: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested mappings as one level with dotted keys; empty ones are kept as ``{}``."""
    flat: dict[str, Any] = {}
    for key, value in settings.items():
        if isinstance(value, Mapping) and value:
            flat |= _flat(value, f"{prefix}{key}.")
        else:
            flat[f"{prefix}{key}"] = list(value) if isinstance(value, tuple) else value
    return flat


def _single(values: Sequence[float]) -> float | list[float] | None:
    """The common value, the range where there are several, None where there is none."""
    if not values:
        return None
    low, high = min(values), max(values)
    return low if low == high else [low, high]


def _content(audio: Audio) -> bytes:
    samples = audio.samples.detach().cpu().contiguous().numpy()
    return hashlib.sha256(f"{audio.sample_rate}".encode() + samples.tobytes()).digest()


def _digest(parts: Any) -> str:
    digest = hashlib.sha256()
    for part in parts:
        digest.update(hashlib.sha256(part).digest())
    return digest.hexdigest()[:16]
