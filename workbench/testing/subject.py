"""The component under test, and what a check is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from workbench.api.types import Component
from workbench.host.catalog import Catalog
from workbench.host.context import Context
from workbench.host.discovery import Provider

LONGEST_SECONDS = 65.0
"""Over a minute: longer than any window that a model may have been made for."""


class ContractBroken(AssertionError):
    """A component that does not keep its contract; the message says how, and what to do."""


class NotApplicable(Exception):
    """A check that has nothing to look at in this component; the message says why."""


@dataclass(frozen=True)
class Subject:
    """A component with the options that it is tested with."""

    catalog: Catalog
    kind: str
    name: str
    options: Mapping[str, Any] = field(default_factory=dict)
    """Options as a recipe gives them; small sizes keep the checks quick."""
    device: str = "cpu"
    """Torch device that it is built for."""
    longest_seconds: float = LONGEST_SECONDS
    """Longest audio it is given, for models that take long over a minute of it."""

    @property
    def component(self) -> Component:
        """What the plugin registered."""
        return self.catalog.get(self.kind, self.name)

    @property
    def provider(self) -> Provider:
        """Where the component comes from."""
        return self.catalog.provider(self.kind, self.name)

    @cached_property
    def built(self) -> Any:
        """The component, built once with seed 0; checks leave it as they found it."""
        return self.build()

    def build(self, seed: int = 0, options: Mapping[str, Any] | None = None) -> Any:
        """A fresh one, with ``options`` laid over the subject's."""
        context = Context(self.catalog, self.device, seed)
        return context.build(self.kind, self.name, {**self.options, **(options or {})})


@dataclass(frozen=True)
class Check:
    """One promise of the contract: a function that raises ``ContractBroken`` where it is broken."""

    run: Callable[[Subject], None]

    @property
    def name(self) -> str:
        """The promise in a few words."""
        return self.run.__name__.replace("_", " ")

    @property
    def promise(self) -> str:
        """The promise in a sentence."""
        return " ".join((self.run.__doc__ or "").split())


def require(rule: bool, message: str) -> None:
    """Raise ``ContractBroken`` unless ``rule`` holds."""
    if not rule:
        raise ContractBroken(message)
