"""The fields of option dataclasses: which are public, their types in words, their plain values."""

from __future__ import annotations

import dataclasses
import types
from collections.abc import Mapping
from dataclasses import MISSING, Field
from enum import Enum
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin


def plain(value: Any) -> Any:
    """``value`` as plain JSON and YAML values; dataclasses become dicts of their public fields."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: plain(getattr(value, f.name)) for f in public_fields(type(value))}
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, Enum):
        return value.name
    return str(value) if isinstance(value, Path) else value


def public_fields(config: type) -> list[Field[Any]]:
    """The fields that YAML may set."""
    return [f for f in dataclasses.fields(config) if not f.metadata.get("internal")]


def default_of(field: Field[Any]) -> Any:
    """A field's default, made afresh."""
    if field.default_factory is not MISSING:
        return field.default_factory()
    return field.default


def type_name(hint: Any) -> str:
    """A type for people: ``int``, ``list[float]``, ``'a', 'b' or 'c'``."""
    if hint is type(None):
        return "null"
    if get_origin(hint) is Literal:
        return _either([repr(value) for value in get_args(hint)])
    if get_origin(hint) in (Union, types.UnionType):
        return _either([type_name(part) for part in get_args(hint)])
    if get_origin(hint) is not None:
        parts = ["..." if part is ... else type_name(part) for part in get_args(hint)]
        return f"{get_origin(hint).__name__}[{', '.join(parts)}]"
    return "any value" if hint is Any else str(getattr(hint, "__name__", hint))


def _either(words: list[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} or {words[-1]}"
