"""Fixtures that several rooms' tests share."""

from __future__ import annotations

import importlib
import os
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from workbench import Catalog, load_catalog

# Tests run in several processes: one thread each, for what they start as well.
os.environ.setdefault("OMP_NUM_THREADS", "1")

FakePlugin = Callable[..., str]


@pytest.fixture
def fake_plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakePlugin]:
    """Installs a real distribution (dist-info with an entry point) whose plugin is ``source``.

    ``fake_plugin(name, source)`` returns the entry point's name, which is also the distribution's
    and the module's. The plugin is gone after the test.
    """
    made: list[str] = []

    def install(name: str, source: str, version: str = "1.0", prelude: bool = True) -> str:
        site = tmp_path / "site"
        info = site / f"{name}-{version}.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        (info / "entry_points.txt").write_text(f"[workbench]\n{name} = {name}\n")
        (site / f"{name}.py").write_text((PRELUDE if prelude else "") + textwrap.dedent(source))
        monkeypatch.syspath_prepend(site)
        importlib.invalidate_caches()
        made.append(name)
        return name

    yield install
    for name in made:
        sys.modules.pop(name, None)


PRELUDE = '''
from __future__ import annotations
from dataclasses import dataclass, field
from typing import Any, Literal
from workbench import Component, Slot, hookimpl, slot, slots

@dataclass
class Options:
    """Options of a component made for a test."""
    size: int = 3
    """How large it is."""
    mode: Literal["fast", "exact"] = "fast"
    """How it works."""

def build(options, context):
    return (options, context)
'''


@pytest.fixture(scope="session")
def catalog() -> Catalog:
    """The first-party components, as installed."""
    return load_catalog("audio-workbench")
