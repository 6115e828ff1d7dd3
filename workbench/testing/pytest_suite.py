"""A suite as pytest tests, one a promise."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

from workbench.host.catalog import load_catalog
from workbench.testing.subject import LONGEST_SECONDS, Check, Subject
from workbench.testing.suites import SUITES, judge


def contract_tests(
    kind: str,
    name: str,
    options: Mapping[str, Any] | None = None,
    longest_seconds: float = LONGEST_SECONDS,
) -> Callable[..., None]:
    """Tests that hold an installed component to its protocol; assign them to a name ``test_...``.

    ``options`` are what a recipe would give; small sizes make quick tests.
    """
    import pytest  # `workbench plugins check` does without it

    given = json.dumps(options or {})

    @pytest.mark.parametrize("check", [pytest.param(c, id=c.name) for c in SUITES[kind]])
    def test(check: Check, workbench_device: str) -> None:
        subject = _subject(kind, name, given, workbench_device, longest_seconds)
        outcome = judge(check, subject)
        if outcome.error is not None:
            raise outcome.error
        if outcome.verdict == "not applicable":
            pytest.skip(outcome.message)
        if outcome.verdict == "broken":
            pytest.fail(f"{kind} {name!r}: {outcome.message}", pytrace=False)

    return test


@lru_cache(maxsize=1)  # one model at a time in memory, built once for all its tests
def _subject(kind: str, name: str, options: str, device: str, longest_seconds: float) -> Subject:
    return Subject(load_catalog(), kind, name, json.loads(options), device, longest_seconds)
