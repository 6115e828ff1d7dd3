"""Synthesised sound events: the kinds there are, scenes of them, and their captions."""

from __future__ import annotations

from collections.abc import Mapping

from workbench_corpora.sounds import (
    animals,
    birds,
    household,
    impacts,
    machines,
    signals,
    voices,
    weather,
)
from workbench_corpora.sounds.kind import Kind

KINDS: Mapping[str, Kind] = {
    kind.name: kind
    for family in (weather, animals, birds, machines, signals, impacts, household, voices)
    for kind in family.KINDS
}
"""All kinds of sound events by name."""
