"""The contract as tests: what any component must keep, whoever wrote it.

In a plugin's own tests, one line a component::

    from workbench.testing import contract_tests

    test_contract = contract_tests("semantic_encoder", "hello", {"bands": 8})

makes a test of each promise in the suite of its kind. ``workbench plugins check`` runs the same
suites on an installed plugin. This package is for tests: plugins import :mod:`workbench` alone.
Names are resolved when they are first used, so that pytest starts without torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from workbench.testing.pytest_suite import contract_tests as contract_tests
    from workbench.testing.subject import Check as Check
    from workbench.testing.subject import ContractBroken as ContractBroken
    from workbench.testing.subject import NotApplicable as NotApplicable
    from workbench.testing.subject import Subject as Subject
    from workbench.testing.suites import SUITES as SUITES
    from workbench.testing.suites import Outcome as Outcome
    from workbench.testing.suites import examine as examine
    from workbench.testing.suites import judge as judge

_MODULES = {
    "contract_tests": "workbench.testing.pytest_suite",
    "Check": "workbench.testing.subject",
    "ContractBroken": "workbench.testing.subject",
    "NotApplicable": "workbench.testing.subject",
    "Subject": "workbench.testing.subject",
    "SUITES": "workbench.testing.suites",
    "Outcome": "workbench.testing.suites",
    "examine": "workbench.testing.suites",
    "judge": "workbench.testing.suites",
}

__all__ = list(_MODULES)


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_MODULES[name]), name)
