"""First-party plugins are plugins: without one, its components are gone and nothing else."""

from __future__ import annotations

from importlib.metadata import distribution

import pytest

from workbench import Context, UnknownComponent, load_catalog
from workbench.host.describe import describe
from workbench.host.discovery import ENTRY_POINT_GROUP
from workbench.host.hookspecs import KINDS

FIRST_PARTY = sorted(
    point.name
    for point in distribution("audio-workbench").entry_points
    if point.group == ENTRY_POINT_GROUP
)
LIGHT = {"metric": "si-sdr", "corpus": "synthetic-music", "task": "music-continuation"}
"""Components that are built at once, to see that what is left works."""


@pytest.mark.parametrize("gone", FIRST_PARTY)
def test_without_an_entry_point_just_its_components_are_gone(catalog, gone, monkeypatch):
    left = ",".join(name for name in FIRST_PARTY if name != gone)
    monkeypatch.setenv("WORKBENCH_PLUGINS", left)
    rest = load_catalog()
    assert rest.broken == ()
    everything = describe(catalog, KINDS)
    assert describe(rest, KINDS) == [c for c in everything if c.entry_point != gone]
    removed = [c for c in everything if c.entry_point == gone]
    for component in removed:
        with pytest.raises(UnknownComponent, match=f"no {component.kind} '{component.name}'"):
            rest.get(component.kind, component.name)
    names = {(c.kind, c.name) for c in removed}
    for kind, name in LIGHT.items():
        if (kind, name) not in names:
            assert Context(rest, "cpu", seed=0).build(kind, name) is not None
