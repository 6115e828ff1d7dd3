"""Turns untyped mappings into dataclasses, collecting every problem with its full key path.

Leaves are converted by OmegaConf's structured configs; the walk over nested dataclasses and slots
is ours, since OmegaConf stops at the first error. A field made by ``slot`` or ``slots`` chooses a
component: its options are read against that component's own dataclass, to any depth.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping
from dataclasses import Field
from functools import lru_cache
from typing import Any, Literal, get_args, get_origin, get_type_hints

from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from workbench.api.errors import UnknownComponent, WorkbenchError
from workbench.api.settings import NO_COMPONENT, Slot
from workbench.api.types import Component
from workbench.host.fields import default_of, plain, public_fields, type_name
from workbench.host.merge import merged
from workbench.host.names import nearest

Lookup = Callable[[str, str], Component]


@dataclasses.dataclass(frozen=True)
class Reading:
    """What reading gave: an instance of the dataclass, or what is wrong."""

    value: Any
    """None where there are problems."""
    problems: list[str]
    unknown_component: bool
    """Whether a component was named that no loaded plugin provides."""


def read(config: type, given: object, where: str, lookup: Lookup) -> Reading:
    """Make an instance of dataclass ``config`` from ``given``.

    ``where`` is the key path of ``given`` for messages (``""`` at the top). ``lookup(kind, name)``
    gives a component or raises ``UnknownComponent``.
    """
    reader = _Reader(lookup)
    value = reader.dataclass(config, given, where, base=None)
    problems = reader.problems
    return Reading(None if problems else value, problems, reader.unknown_component)


class _Reader:
    """One walk; ``problems`` grows as it goes."""

    def __init__(self, lookup: Lookup) -> None:
        self.lookup = lookup
        self.problems: list[str] = []
        self.unknown_component = False
        self._nodes: dict[type, Any] = {}

    def dataclass(self, config: type, given: object, where: str, base: Any) -> Any:
        """Read ``given`` over ``base`` (holds the defaults; None: the class' own)."""
        if not isinstance(given, Mapping):
            self._wrong(where, given, "a mapping of " + ", ".join(_names(config)))
            return None
        self._unknown_keys(config, given, where)
        values: dict[str, Any] = {}
        wrong: set[str] = set()
        for field in public_fields(config):
            before = len(self.problems)
            values[field.name] = self._field(config, field, given, where, base)
            if len(self.problems) > before:
                wrong.add(field.name)
                values[field.name] = _default(field, base)
        return self._construct(config, values, wrong, where, base)

    def _construct(
        self, config: type, values: dict[str, Any], wrong: set[str], where: str, base: Any
    ) -> Any:
        """An instance, or None where a value is ``wrong`` or breaks a rule of ``__post_init__``.

        A wrong value is replaced by its default, so that the rules on the others are still tried;
        what a rule says about a replaced value is not the user's doing and is left out.
        """
        fields = {field.name: field for field in public_fields(config)}
        while True:
            try:
                instance = config(**values)
            except (ValueError, WorkbenchError) as error:
                name = str(error).partition(" ")[0]  # rules put the field's name first
                if name in wrong:
                    return None
                self.problems.append(f"{where}.{error}" if where else str(error))
                if name not in fields:
                    return None
                wrong.add(name)
                values[name] = _default(fields[name], base)
            else:
                return None if wrong else instance

    def _unknown_keys(self, config: type, given: Mapping[Any, Any], where: str) -> None:
        names = _names(config)
        for key, value in given.items():
            if key not in names:
                hint = nearest(str(key), names) or "."
                allowed = ", ".join(names) or "nothing"
                self.problems.append(
                    f"{_join(where, key)} = {value!r}: unknown key{hint} Allowed: {allowed}"
                )

    def _field(
        self, config: type, field: Field[Any], given: Mapping[Any, Any], where: str, base: Any
    ) -> Any:
        hint = _hints(config)[field.name]
        default = _default(field, base)
        path = _join(where, field.name)
        if _is_dataclass_type(hint):
            value = given.get(field.name, {})
            if issubclass(hint, Slot):
                return self._slot(hint, field, value, path, default)
            return self.dataclass(hint, value, path, default)
        if field.name not in given:
            return default
        if get_origin(hint) is list and _is_dataclass_type(get_args(hint)[0]):
            return self._list(get_args(hint)[0], field, given[field.name], path)
        return self._leaf(config, field.name, hint, given[field.name], path)

    def _list(self, item: type, field: Field[Any], given: object, path: str) -> Any:
        if not isinstance(given, (list, tuple)):
            self._wrong(path, given, f"a list of {item.__name__}")
            return None
        if issubclass(item, Slot):
            return [
                self._slot(item, field, value, f"{path}.{index}", item())
                for index, value in enumerate(given)
            ]
        return [
            self.dataclass(item, value, f"{path}.{index}", None)
            for index, value in enumerate(given)
        ]

    def _slot(self, config: type, field: Field[Any], given: object, path: str, base: Slot) -> Any:
        if isinstance(given, str):
            given = {"name": given}
        if not isinstance(given, Mapping):
            return self.dataclass(config, given, path, base)
        # Options of the default component mean nothing to another one: merged() drops them.
        choice = {"name": base.name, "options": base.options}
        chosen = merged(choice, {key: given[key] for key in choice if key in given})
        slot = self.dataclass(config, {**given, "options": {}, **chosen}, path, base)
        name, options = chosen["name"], chosen.get("options", {})
        if isinstance(name, str) and isinstance(options, Mapping):
            settings = self._choose(field, name, options, path)
            if slot is not None and settings is not None:
                slot.settings, slot.options = settings, plain(settings)
        return slot

    def _choose(self, field: Field[Any], name: str, options: Mapping[str, Any], path: str) -> Any:
        """Second pass: a slot's options as an instance of the dataclass of the component it names.

        None where there is no component or there are problems.
        """
        if name == NO_COMPONENT and field.metadata["optional"]:
            if options:
                self.problems.append(
                    f"{path}.options = {options!r}: no options are allowed beside name 'none'"
                )
            return None
        try:
            component = self.lookup(field.metadata["kind"], name)
        except UnknownComponent as error:
            self.problems.append(f"{path}.name = {name!r}: {error}")
            self.unknown_component = True
            return None
        return self.dataclass(component.config, options, f"{path}.options", None)

    def _leaf(self, config: type, name: str, hint: Any, value: object, path: str) -> Any:
        if config not in self._nodes:
            self._nodes[config] = OmegaConf.structured(config)
        node = self._nodes[config]
        try:
            OmegaConf.update(node, name, value, merge=False)
            converted = node[name]
        except OmegaConfBaseException:
            self._wrong(path, value, type_name(hint), _literals(hint))
            return None
        return OmegaConf.to_object(converted) if OmegaConf.is_config(converted) else converted

    def _wrong(self, path: str, value: object, expected: str, names: Iterable[str] = ()) -> None:
        hint = nearest(value, names) if isinstance(value, str) else ""
        self.problems.append(f"{path or 'top level'} = {value!r}: expected {expected}{hint}")


@lru_cache
def _hints(config: type) -> dict[str, Any]:
    return get_type_hints(config)


def _literals(hint: Any) -> list[str]:
    """The words that a hint allows, through unions."""
    if get_origin(hint) is Literal:
        return [value for value in get_args(hint) if isinstance(value, str)]
    return [word for part in get_args(hint) for word in _literals(part)]


def _is_dataclass_type(hint: Any) -> bool:
    return isinstance(hint, type) and dataclasses.is_dataclass(hint)


def _names(config: type) -> list[str]:
    return [field.name for field in public_fields(config)]


def _default(field: Field[Any], base: Any) -> Any:
    return default_of(field) if base is None else getattr(base, field.name)


def _join(where: str, key: object) -> str:
    return f"{where}.{key}" if where else str(key)
