"""Provenance of figures: what must agree before two of them may be put side by side."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from workbench.api.types import Audio, EvaluationItem
from workbench.audio.signal import RESAMPLER
from workbench.host.discovery import Provider

NOT_COMPARED = frozenset({"seed", "package"})
"""Recorded and free to differ: repeating a run with other seeds is what seeds are for. Where a seed
does change the measure itself (a randomly initialised encoder), the hash of its weights tells. A
package may have a new version in which a metric is what it was; the metric's own version tells."""
STATED = ("definition", "version", "resampler", "loudness")
"""What every metric states of its figures; :func:`metric_settings` makes it."""
AS_IT_IS = "as it is"
"""The level of audio that nobody changes."""
ABSENT = "absent"
"""Shown for a field that only one of two figures has."""
SHARED = (
    "n", "items", "reference", "sample_rate", "converter", "clip_seconds", "prompt_seconds",
)  # fmt: skip
"""Fields that :func:`of_items` gives."""


@dataclass(frozen=True)
class ItemFacts:
    """What provenance keeps of one item: its truth by a hash, rate and lengths."""

    id: str
    reference: bytes
    sample_rate: int
    clip_seconds: float
    prompt_seconds: float | None


def metric_settings(
    definition: str,
    version: int | str,
    models: Mapping[str, str] | None = None,
    heard_at: int | None = None,
    resampler: str = "",
    loudness: str = AS_IT_IS,
) -> dict[str, Any]:
    """What a metric's figures state of how they were made: a beginning of ``Figure.settings``.

    ``version`` is raised whenever the same audio would score otherwise. ``models`` maps each model
    that judges to a hash of its weights. ``heard_at`` is the rate in Hz to which
    :func:`~workbench.convert` brings audio for the metric, None where it is scored at its own;
    ``resampler`` names what does so where that is something else. ``loudness`` says what is done to
    the audio's level.
    """
    converted = "none" if heard_at is None else f"{RESAMPLER} to {heard_at} Hz"
    settings: dict[str, Any] = {
        "definition": definition,
        "version": version,
        "resampler": resampler or converted,
        "loudness": loudness,
    }
    return settings | ({"models": dict(models)} if models else {})


def of_provider(provider: Provider) -> dict[str, str]:
    """What figures hold of where their metric comes from."""
    return {
        "provider": provider.distribution,
        "package": f"{provider.distribution} {provider.version}",
    }


def of_items(items: Sequence[EvaluationItem]) -> dict[str, Any]:
    """What all figures over ``items`` share (``SHARED``): which items, which truth, how long."""
    return of_facts([facts_of(item) for item in items])


def facts_of(item: EvaluationItem) -> ItemFacts:
    """One item's facts, which take less room than its audio."""
    return ItemFacts(
        item.id,
        _content(item.reference),
        item.reference.sample_rate,
        round(item.reference.seconds, 3),
        None if item.prompt is None else round(item.prompt.seconds, 3),
    )


def of_facts(facts: Sequence[ItemFacts]) -> dict[str, Any]:
    """As :func:`of_items`; ``converter`` is what brought audio of other rates to this one."""
    return {
        "n": len(facts),
        "items": _digest(item.id.encode() for item in facts),
        "reference": _digest(item.reference for item in facts),
        "sample_rate": _single([item.sample_rate for item in facts]),
        "converter": RESAMPLER,
        "clip_seconds": _single([item.clip_seconds for item in facts]),
        "prompt_seconds": _single(
            [item.prompt_seconds for item in facts if item.prompt_seconds is not None]
        ),
    }


def differences(first: Mapping[str, Any], second: Mapping[str, Any]) -> list[str]:
    """Fields in which two figures' settings differ, each as ``field: one value, other value``.

    Where both state their models by the weights' hash, it does not matter where the weights lie.
    """
    one, two = _flat(first), _flat(second)
    keys = sorted((one.keys() | two.keys()) - NOT_COMPARED)
    if first.get("models") and second.get("models"):
        keys = [key for key in keys if not (key.startswith("options.") and _ends_in_weights(key))]
    return [
        f"{key}: {one.get(key, ABSENT)} against {two.get(key, ABSENT)}"
        for key in keys
        if key not in one or key not in two or one[key] != two[key]
    ]


def _ends_in_weights(key: str) -> bool:
    return key.rpartition(".")[2] == "weights"


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
