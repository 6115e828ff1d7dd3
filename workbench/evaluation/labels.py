"""What examples say of their recordings, as labels that features can be probed for.

Spans label moments of a recording, labels the whole of it. Both are read from
:class:`~workbench.api.types.Example`: its own fields, and what corpora put into ``details`` (the
guide to plugins lists the names). Whatever else details hold under a name can be probed by it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from workbench.api.types import Example

Span = tuple[float, float, str]
"""Start and end in seconds, and what it is."""

UNKNOWN = -1
"""Number of a frame that no span labels, or of a label that training data lack."""
STRESS = "ˈˌ"


def phones(example: Example) -> list[Span]:
    """``alignment``: ``[start, end, phone]`` of each phone; stress is not told apart."""
    spans = example.details.get("alignment", [])
    return [(float(start), float(end), name.strip(STRESS)) for start, end, name in spans]


def chords(example: Example) -> list[Span]:
    """``chords``: ``start``, ``end``, ``root`` (pitch class) and ``quality`` of each."""
    return [
        (chord["start"], chord["end"], f"{chord['root']} {chord['quality']}")
        for chord in example.details.get("chords", [])
    ]


def melody(example: Example) -> list[Span]:
    """``notes``: ``[onset, duration, pitch, role]`` of each; pitch classes of the melody's."""
    return [
        (onset, onset + duration, str(pitch % 12))
        for onset, duration, pitch, role in example.details.get("notes", [])
        if role == "melody"
    ]


SPANS: Mapping[str, Callable[[Example], list[Span]]] = {
    "phone": phones,
    "chord": chords,
    "melody": melody,
}
"""What moments of a recording can be probed for."""


def _key(example: Example) -> Sequence[str]:
    """``key``: ``tonic`` (pitch class) and ``mode``."""
    key = example.details.get("key")
    return [f"{key['tonic']} {key['mode']}"] if isinstance(key, Mapping) else detail(example, "key")


def _instrument(example: Example) -> Sequence[str]:
    """``instrument``, or the melody's of ``instruments`` by role."""
    return detail(example, "instrument") or detail(example, "instruments.melody")


def _event(example: Example) -> Sequence[str]:
    """``events``, each with its ``kind``, or ``labels``."""
    kinds = [event["kind"] for event in example.details.get("events", [])]
    return list(dict.fromkeys(kinds)) or detail(example, "labels")


LABELS: Mapping[str, Callable[[Example], Sequence[str]]] = {
    "speaker": lambda example: [example.speaker] if example.speaker else [],
    "language": lambda example: [example.language] if example.language else [],
    "accent": lambda example: detail(example, "accent"),
    "emotion": lambda example: detail(example, "emotion"),
    "instrument": _instrument,
    "key": _key,
    "genre": lambda example: detail(example, "genre"),
    "event": _event,
}
"""What recordings can be probed for without being asked to; none where an example does not say."""


def detail(example: Example, path: str) -> list[str]:
    """The labels under a name of ``details``; dots lead into mappings. None where it is missing."""
    value: Any = example.details
    for name in path.split("."):
        value = value.get(name) if isinstance(value, Mapping) else None
    if isinstance(value, str | int | float):
        return [str(value)]
    return [str(each) for each in value] if isinstance(value, list) else []


def labels_of(example: Example, name: str) -> list[str]:
    """What an example says under a name: one of ``LABELS``, else a detail."""
    read = LABELS.get(name)
    return list(read(example)) if read else detail(example, name)


def numbered(names: Sequence[str]) -> dict[str, int]:
    """A number for each different name, in alphabetical order."""
    return {name: number for number, name in enumerate(sorted(set(names)))}


def frame_labels(
    spans: Sequence[Span], frames: int, frame_rate: float, numbers: Mapping[str, int]
) -> Tensor:
    """The number int64 ``[F]`` of the label at each frame's middle; ``UNKNOWN`` for none."""
    times = (torch.arange(frames) + 0.5) / frame_rate
    found = torch.full((frames,), UNKNOWN)
    for start, end, name in spans:
        found[(times >= start) & (times < end)] = numbers.get(name, UNKNOWN)
    return found
