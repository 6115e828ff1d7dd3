"""Finds plugins through entry points and registers them with a fresh pluggy manager.

A plugin that can't be used is set aside with the reason, never skipped in silence: the command line
prints it, and looking for a missing component names it.
"""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from types import ModuleType
from typing import Any

import pluggy

from workbench.api.errors import PluginError
from workbench.api.version import API_VERSION
from workbench.host import hookspecs
from workbench.host.names import listing, nearest

ENTRY_POINT_GROUP = "workbench"
LIMIT_VARIABLE = "WORKBENCH_PLUGINS"
"""Environment variable: comma-separated entry points or distributions; nothing else is loaded."""


@dataclass(frozen=True)
class Provider:
    """Where a plugin comes from: its distribution and the entry point that named it."""

    distribution: str
    version: str
    entry_point: str

    def __str__(self) -> str:
        return f"{self.distribution} {self.version} (entry point {self.entry_point!r})"


@dataclass(frozen=True)
class BrokenPlugin:
    """A plugin that was found and can't be used."""

    provider: Provider
    reason: str

    def __str__(self) -> str:
        return f"{self.provider}: {self.reason}"


@dataclass(frozen=True)
class Plugins:
    """What discovery found: a manager with the usable plugins, where each is from, and the rest."""

    manager: pluggy.PluginManager
    providers: Mapping[str, Provider]
    """By the name under which the plugin is registered with the manager."""
    broken: tuple[BrokenPlugin, ...]


def discover(limit: str | None = None) -> Plugins:
    """Load the installed plugins; ``limit`` defaults to the variable WORKBENCH_PLUGINS."""
    if limit is None:
        limit = os.environ.get(LIMIT_VARIABLE)
    found = {_provider(point): point for point in entry_points(group=ENTRY_POINT_GROUP)}
    manager = pluggy.PluginManager(hookspecs.PROJECT)
    manager.add_hookspecs(hookspecs)
    providers: dict[str, Provider] = {}
    broken: list[BrokenPlugin] = []
    for provider in _chosen(found, limit):
        try:
            _register(manager, provider, found[provider])
        except PluginError as error:
            broken.append(BrokenPlugin(provider, str(error)))
        else:
            providers[str(provider)] = provider
    return Plugins(manager, providers, tuple(broken))


def _provider(point: EntryPoint) -> Provider:
    if point.dist is None:
        return Provider("unknown distribution", "?", point.name)
    return Provider(point.dist.name, point.dist.version, point.name)


def _chosen(found: Iterable[Provider], limit: str | None) -> list[Provider]:
    """The providers to load, sorted so that every run sees the same order."""
    ordered = sorted(found, key=lambda p: (p.distribution, p.entry_point))
    if limit is None:
        return ordered
    wanted = {name.strip() for name in limit.split(",") if name.strip()}
    known = {p.entry_point for p in ordered} | {p.distribution for p in ordered}
    unknown = sorted(wanted - known)
    if unknown:
        hint = nearest(unknown[0], known) or "."
        raise PluginError(
            f"{LIMIT_VARIABLE} = {limit!r}: no installed plugin is called {unknown[0]!r}{hint} "
            f"Allowed: {listing(known)}"
        )
    return [p for p in ordered if p.entry_point in wanted or p.distribution in wanted]


def _register(manager: pluggy.PluginManager, provider: Provider, point: EntryPoint) -> None:
    """Import the plugin and register it; raises ``PluginError`` where it can't be used."""
    try:
        plugin = point.load()
    except Exception as error:  # whatever a stranger's module raises while it is imported
        raise PluginError(f"importing {point.value} failed: {_words(error)}") from error
    _check_version(plugin)
    _check_hooks(manager, plugin)
    try:
        manager.register(plugin, name=str(provider))
    except ValueError as error:  # the same module under a second entry point
        raise PluginError(f"{point.value} is registered already: {error}") from error
    except pluggy.PluginValidationError as error:  # parameters that the hook doesn't have
        manager.unregister(name=str(provider))
        raise PluginError(" ".join(str(error).split())) from error


def _words(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"


def _check_version(plugin: ModuleType) -> None:
    wanted = getattr(plugin, "WORKBENCH_API", API_VERSION)
    if wanted != API_VERSION:
        advice = "update the workbench" if wanted > API_VERSION else "update the plugin"
        raise PluginError(
            f"it is written for version {wanted} of the plugin contract and this workbench has "
            f"version {API_VERSION}; {advice}"
        )


def _check_hooks(manager: pluggy.PluginManager, plugin: ModuleType) -> None:
    """Refuse hooks that don't exist, and functions named like hooks that lack the mark."""
    allowed = {name for name, _ in inspect.getmembers(hookspecs, _is_hookspec)}
    for name, function in inspect.getmembers(plugin, inspect.isfunction):
        marked = manager.parse_hookimpl_opts(plugin, name) is not None
        named_like_hook = name.startswith("workbench_") and _own(function, plugin)
        if (marked or named_like_hook) and name not in allowed:
            hint = nearest(name, allowed) or "."
            raise PluginError(f"there is no hook {name!r}{hint} Allowed: {listing(allowed)}")
        if named_like_hook and not marked:
            raise PluginError(f"{name!r} is a hook but is not marked with @hookimpl")


def _is_hookspec(value: object) -> bool:
    return hasattr(value, f"{hookspecs.PROJECT}_spec")


def _own(function: Callable[..., Any], plugin: ModuleType) -> bool:
    return function.__module__ == plugin.__name__
