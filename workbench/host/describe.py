"""Describes components and their options, without building anything."""

from __future__ import annotations

import ast
import inspect
import sys
from collections.abc import Iterable
from dataclasses import Field, dataclass, is_dataclass
from functools import lru_cache
from itertools import pairwise
from typing import Any, get_type_hints

from workbench.host.catalog import Catalog
from workbench.host.fields import default_of, plain, public_fields, type_name


@dataclass(frozen=True)
class OptionDescription:
    """One option of a component."""

    name: str
    type: str
    default: Any
    """As plain values."""
    help: str
    """The docstring under the field; empty where there is none."""
    options: tuple[OptionDescription, ...] = ()
    """The options within, where this one is a group of options."""


@dataclass(frozen=True)
class ComponentDescription:
    """What `workbench plugins list` tells about a component."""

    kind: str
    name: str
    summary: str
    distribution: str
    version: str
    entry_point: str
    options: tuple[OptionDescription, ...]


def describe(catalog: Catalog, kinds: Iterable[str]) -> list[ComponentDescription]:
    """Every component of the given kinds, by kind and name."""
    return [
        _describe_component(catalog, kind, component.name)
        for kind in kinds
        for component in catalog.components(kind)
    ]


def _describe_component(catalog: Catalog, kind: str, name: str) -> ComponentDescription:
    component = catalog.get(kind, name)
    provider = catalog.provider(kind, name)
    return ComponentDescription(
        kind,
        name,
        component.summary,
        provider.distribution,
        provider.version,
        provider.entry_point,
        describe_options(component.config),
    )


def describe_options(config: type) -> tuple[OptionDescription, ...]:
    """The options that a dataclass holds, in order."""
    hints = get_type_hints(config)
    docs = field_docstrings(config)
    return tuple(
        _describe_option(field, hints[field.name], docs.get(field.name, ""))
        for field in public_fields(config)
    )


def _describe_option(field: Field[Any], hint: Any, doc: str) -> OptionDescription:
    kind = field.metadata.get("kind")
    if kind:
        return OptionDescription(
            field.name, f"{type_name(hint)} of {kind}", plain(default_of(field)), doc
        )
    within = describe_options(hint) if isinstance(hint, type) and is_dataclass(hint) else ()
    return OptionDescription(field.name, type_name(hint), plain(default_of(field)), doc, within)


def field_docstrings(config: type) -> dict[str, str]:
    """The string under each field of a dataclass and its bases, read from their source."""
    docs: dict[str, str] = {}
    for base in reversed(config.__mro__[:-1]):
        body = _class_bodies(base.__module__).get(base.__qualname__, [])
        for statement, following in pairwise(body):
            if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
                text = _string(following)
                if text:
                    docs[statement.target.id] = text
    return docs


def _string(statement: ast.stmt) -> str:
    if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant):
        value = statement.value.value
        return " ".join(value.split()) if isinstance(value, str) else ""
    return ""


@lru_cache
def _class_bodies(module: str) -> dict[str, list[ast.stmt]]:
    """Statements of each class of a module, by qualified name; one parse a module."""
    tree = ast.parse(inspect.getsource(sys.modules[module]))
    return dict(_classes(tree.body, ""))


def _classes(body: list[ast.stmt], prefix: str) -> Iterable[tuple[str, list[ast.stmt]]]:
    for statement in body:
        if isinstance(statement, ast.ClassDef):
            name = f"{prefix}{statement.name}"
            yield name, statement.body
            yield from _classes(statement.body, f"{name}.")
        elif isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield from _classes(statement.body, f"{prefix}{statement.name}.<locals>.")
