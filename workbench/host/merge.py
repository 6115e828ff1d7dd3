"""Lays one tree of plain values over another."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def merged(base: Any, layer: Any) -> Any:
    """``layer`` laid over ``base``, neither changed.

    Mappings merge key by key; anything else replaces. A list takes single items from a mapping
    with index keys (``{"0": ...}``), as overrides make them. Where a slot's ``name`` changes, the
    base's ``options`` are dropped: they belong to another component. A slot written as a bare
    string counts as ``{name: string}``.
    """
    if isinstance(base, str) and _continues_slot(layer):
        base = {"name": base}
    if isinstance(base, list) and _is_indices(layer, len(base)):
        return [merged(item, layer.get(str(i), item)) for i, item in enumerate(base)]
    if not (isinstance(base, Mapping) and isinstance(layer, Mapping)):
        return layer
    result = dict(base)
    if "name" in layer and layer["name"] != base.get("name", layer["name"]):
        result.pop("options", None)
    for key, value in layer.items():
        result[key] = merged(result[key], value) if key in result else value
    return result


def _continues_slot(layer: Any) -> bool:
    return isinstance(layer, Mapping) and "name" not in layer


def _is_indices(layer: Any, length: int) -> bool:
    indices = {str(i) for i in range(length)}
    return isinstance(layer, Mapping) and bool(layer) and set(layer) <= indices
