"""What the tests of corpora share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from workbench import Catalog, Context, Corpus

Build = Callable[..., Corpus]


@pytest.fixture
def build(catalog: Catalog) -> Build:
    """``build(name, **options)``: a corpus as a recipe would get it."""
    context = Context(catalog=catalog, device="cpu", seed=0)

    def make(name: str, **options: Mapping[str, Any]) -> Corpus:
        return context.build("corpus", name, options)

    return make
