"""Looks components up by kind and name."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from workbench.api.errors import PluginError, RecipeError, UnknownComponent
from workbench.api.settings import NO_COMPONENT
from workbench.api.types import Component
from workbench.host.discovery import (
    LIMIT_VARIABLE,
    BrokenPlugin,
    Plugins,
    Provider,
    discover,
)
from workbench.host.hookspecs import KINDS
from workbench.host.names import listing, nearest

_NAME = re.compile(r"[a-z0-9][a-z0-9_.-]*")


@dataclass(frozen=True)
class Entry:
    """A component and where it comes from."""

    component: Component
    provider: Provider


class Catalog:
    """Every component that the loaded plugins provide. Make one with :func:`load_catalog`."""

    def __init__(self, plugins: Plugins) -> None:
        self._plugins = plugins
        self._entries: dict[str, dict[str, Entry]] = {kind: {} for kind in KINDS}
        broken = list(plugins.broken)
        for name, provider in plugins.providers.items():
            try:
                components = self._collect(name)
            except PluginError as error:
                broken.append(BrokenPlugin(provider, str(error)))
                plugins.manager.unregister(name=name)
                continue
            for kind, component in components:
                self._add(kind, component, provider)
        self.broken: tuple[BrokenPlugin, ...] = tuple(broken)
        """Plugins that were found and can't be used, with the reason."""

    def components(self, kind: str) -> list[Component]:
        """All components of a kind, by name."""
        return [entry.component for _, entry in sorted(self._of_kind(kind).items())]

    def get(self, kind: str, name: str) -> Component:
        """One component; raises ``UnknownComponent`` naming the nearest and all allowed."""
        try:
            return self.find(kind, name)
        except UnknownComponent as error:
            raise UnknownComponent("; ".join([str(error), *self.faults()])) from None

    def find(self, kind: str, name: str) -> Component:
        """As :meth:`get`, but its error leaves out the plugins that could not be loaded."""
        return self._entry(kind, name).component

    def faults(self) -> list[str]:
        """A line for each plugin that could not be loaded, to go with an unknown component."""
        return [f"a plugin that could not be loaded: {plugin}" for plugin in self.broken]

    def provider(self, kind: str, name: str) -> Provider:
        """The distribution, its version and the entry point that provide a component."""
        return self._entry(kind, name).provider

    def options(
        self, kind: str, name: str, given: Mapping[str, Any] | None = None, where: str = "options"
    ) -> Any:
        """An instance of the component's dataclass holding ``given``.

        Raises ``RecipeError`` with every problem, each with its key path from ``where`` on.
        """
        from workbench.host.options import read  # brings OmegaConf in, which listing doesn't need

        reading = read(self.get(kind, name).config, given or {}, where, self.find)
        if reading.problems:
            faults = self.faults() if reading.unknown_component else []
            raise RecipeError(reading.problems + faults, source=f"options of {kind} {name!r}")
        return reading.value

    def command_hooks(self) -> list[tuple[Provider, Callable[[Any], object]]]:
        """What each plugin does to add its commands to a typer application, by provider."""
        return [
            (self._plugins.providers[implementation.plugin_name], implementation.function)
            for implementation in self._plugins.manager.hook.workbench_commands.get_hookimpls()
        ]

    def _of_kind(self, kind: str) -> dict[str, Entry]:
        if kind not in self._entries:
            raise UnknownComponent(
                f"there is no kind of component {kind!r}{nearest(kind, KINDS) or '.'} "
                f"Allowed: {listing(KINDS)}"
            )
        return self._entries[kind]

    def _entry(self, kind: str, name: str) -> Entry:
        entries = self._of_kind(kind)
        if name in entries:
            return entries[name]
        hint = nearest(name, entries) or "."
        said = f"there is no {kind} {name!r}{hint}" if name else f"a {kind} must be named."
        raise UnknownComponent(f"{said} Allowed: {listing(entries)}")

    def _collect(self, plugin: str) -> list[tuple[str, Component]]:
        """The components of one plugin; raises ``PluginError`` where it breaks the contract."""
        manager = self._plugins.manager
        found: list[tuple[str, Component]] = []
        for kind, hook in KINDS.items():
            for implementation in getattr(manager.hook, hook).get_hookimpls():
                if implementation.plugin_name == plugin:
                    found += [(kind, c) for c in _components(hook, implementation.function)]
        return found

    def _add(self, kind: str, component: Component, provider: Provider) -> None:
        entries = self._entries[kind]
        if component.name in entries:
            raise PluginError(
                f"two plugins provide the {kind} {component.name!r}: "
                f"{entries[component.name].provider} and {provider}; uninstall one of them or "
                f"limit what is loaded with {LIMIT_VARIABLE}"
            )
        entries[component.name] = Entry(component, provider)


def load_catalog(limit: str | None = None) -> Catalog:
    """Discover the installed plugins and catalogue what they provide."""
    return Catalog(discover(limit))


def _components(hook: str, function: Any) -> list[Component]:
    try:
        components = function()
    except Exception as error:  # a stranger's code
        raise PluginError(f"{hook} failed: {type(error).__name__}: {error}") from error
    if not isinstance(components, list):
        raise PluginError(f"{hook} must return a list of Component; got {components!r}")
    for component in components:
        _check_component(hook, component)
    return components


def _check_component(hook: str, component: object) -> None:
    if not isinstance(component, Component):
        raise PluginError(f"{hook} must return a list of Component; it holds {component!r}")
    name = component.name
    if not _NAME.fullmatch(name) or name == NO_COMPONENT:
        raise PluginError(
            f"{hook}: {name!r} can't name a component; allowed are small letters, digits, '_', '.' "
            f"and '-', but not 'none'"
        )
    if not dataclasses.is_dataclass(component.config):
        got = component.config
        raise PluginError(f"{hook}: config of {name!r} must be a dataclass; got {got!r}")
    for field in dataclasses.fields(component.config):
        if field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING:
            raise PluginError(f"{hook}: option {field.name!r} of {name!r} has no default")
