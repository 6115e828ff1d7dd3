"""Options become typed dataclasses; every problem is found in one reading."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import pytest

from workbench import Component, Slot, UnknownComponent, slot, slots
from workbench.host.fields import plain, type_name
from workbench.host.merge import merged
from workbench.host.options import read


@dataclass
class Inner:
    rate: float = 0.5

    def __post_init__(self) -> None:
        if self.rate < 0:
            raise ValueError(f"rate = {self.rate!r}: must be at least 0")


@dataclass
class Outer:
    count: int = 1
    ratio: float = 1.0
    on: bool = False
    mode: Literal["fast", "exact"] = "fast"
    layers: list[int] | Literal["mean"] = "mean"
    limit: int | None = None
    names: list[str] = field(default_factory=list)
    table: dict[str, list[int]] = field(default_factory=dict)
    place: Path = Path("here")
    span: tuple[int, ...] = (1, 2)
    inner: Inner = field(default_factory=Inner)
    inners: list[Inner] = field(default_factory=list)


@dataclass
class Judged:
    judge: Slot = slot("semantic_encoder", "tiny", {"size": 2})
    others: list[Slot] = slots("semantic_encoder")
    extra: Slot = slot("semantic_encoder", "none")


@dataclass
class TinyOptions:
    size: int = 1
    within: Slot = slot("semantic_encoder", "none")


def find(kind: str, name: str) -> Component:
    if (kind, name) not in {("semantic_encoder", "tiny"), ("semantic_encoder", "other")}:
        raise UnknownComponent(f"there is no {kind} {name!r}. Allowed: other, tiny")
    return Component(name, "", TinyOptions, lambda options, context: None)


def problems(config: type, given: Any) -> list[str]:
    return read(config, given, "at", find).problems


def value(config: type, given: Any) -> Any:
    reading = read(config, given, "at", find)
    assert reading.problems == []
    return reading.value


@pytest.mark.parametrize(
    ("key", "given", "expected"),
    [
        ("count", "4", 4),
        ("ratio", 2, 2.0),
        ("ratio", "1e-3", 1e-3),
        ("on", "yes", True),
        ("mode", "exact", "exact"),
        ("layers", [9, 10], [9, 10]),
        ("limit", None, None),
        ("limit", 3, 3),
        ("names", ["a", "b"], ["a", "b"]),
        ("table", {"a.b": [1]}, {"a.b": [1]}),
        ("place", "there/file", Path("there/file")),
        ("span", [3, 4, 5], (3, 4, 5)),
        ("inner", {"rate": 2}, Inner(2.0)),
        ("inners", [{"rate": 1}, {}], [Inner(1.0), Inner(0.5)]),
    ],
)
def test_values_take_the_type_of_their_field(key, given, expected):
    got = getattr(value(Outer, {key: given}), key)
    assert got == expected
    assert type(got) is type(expected)


@pytest.mark.parametrize(
    ("key", "given", "problem"),
    [
        ("count", "many", "at.count = 'many': expected int"),
        ("count", 1.5, "at.count = 1.5: expected int"),
        ("count", None, "at.count = None: expected int"),
        ("ratio", [1], "at.ratio = [1]: expected float"),
        ("on", "maybe", "at.on = 'maybe': expected bool"),
        ("mode", "exat", "at.mode = 'exat': expected 'fast' or 'exact'; did you mean 'exact'?"),
        ("layers", "men", "at.layers = 'men': expected list[int] or 'mean'; did you mean 'mean'?"),
        ("limit", "x", "at.limit = 'x': expected int or null"),
        ("names", "a", "at.names = 'a': expected list[str]"),
        ("table", {"a": ["x"]}, "at.table = {'a': ['x']}: expected dict[str, list[int]]"),
        ("inner", 3, "at.inner = 3: expected a mapping of rate"),
        ("inner", {"rate": -1}, "at.inner.rate = -1.0: must be at least 0"),
        (
            "inner",
            {"rats": 1},
            "at.inner.rats = 1: unknown key; did you mean 'rate'? Allowed: rate",
        ),
        ("inners", 3, "at.inners = 3: expected a list of Inner"),
        ("inners", [{}, {"rate": "x"}], "at.inners.1.rate = 'x': expected float"),
    ],
)
def test_a_wrong_value_is_named_with_path_value_and_what_is_expected(key, given, problem):
    assert problems(Outer, {key: given}) == [problem]


def test_all_problems_come_at_once():
    given = {"count": "x", "inner": {"rate": "y"}, "oops": 1, "on": 7.5}
    assert sorted(p.split(" = ")[0] for p in problems(Outer, given)) == [
        "at.count",
        "at.inner.rate",
        "at.on",
        "at.oops",
    ]


@dataclass
class Sizes:
    width: int = 8
    heads: int = 4
    depth: int = 2

    def __post_init__(self) -> None:
        for name in ("width", "depth"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} = {getattr(self, name)}: must be at least 1")
        if self.width % self.heads:
            raise ValueError(f"heads = {self.heads}: must divide width {self.width}")


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"width": 9, "heads": 3}, []),
        ({"width": 0, "depth": 0}, ["at.width = 0", "at.depth = 0"]),
        ({"width": "x", "depth": 0}, ["at.width = 'x'", "at.depth = 0"]),
        ({"heads": 3, "depth": 0}, ["at.depth = 0", "at.heads = 3"]),
    ],
)
def test_rules_are_tried_on_the_other_values_where_one_is_wrong(given, expected):
    assert [p.split(":")[0] for p in problems(Sizes, given)] == expected


def test_a_rule_is_not_held_against_a_value_that_was_replaced():
    @dataclass
    class Pair:
        low: int = 0
        high: int = 1

        def __post_init__(self) -> None:
            if self.low >= self.high:
                raise ValueError(f"high = {self.high}: must be above low {self.low}")

    assert problems(Pair, {"low": 5, "high": "x"}) == ["at.high = 'x': expected int"]


def test_nothing_given_gives_the_defaults():
    assert value(Outer, {}) == Outer()


def test_a_slot_is_read_against_the_component_it_names():
    judged = value(Judged, {"judge": {"name": "other", "options": {"size": 5}}})
    assert judged.judge.settings == TinyOptions(5)
    assert judged.judge.options == {"size": 5, "within": {"name": "none", "options": {}}}


def test_a_bare_string_names_a_slots_component():
    judged = value(Judged, {"judge": "other", "others": ["tiny", {"name": "other"}]})
    assert [s.name for s in (judged.judge, *judged.others)] == ["other", "tiny", "other"]


def test_a_default_slot_keeps_its_options_and_may_be_changed_in_part():
    assert value(Judged, {}).judge.settings.size == 2
    within = {"judge": {"options": {"within": "tiny"}}}
    assert value(Judged, within).judge.settings.size == 2


def test_another_component_does_not_inherit_the_default_ones_options():
    assert value(Judged, {"judge": "other"}).judge.settings.size == 1


def test_slots_within_options_are_checked_to_any_depth():
    deep = {"judge": {"options": {"within": {"name": "tiny", "options": {"size": "x"}}}}}
    assert problems(Judged, deep) == ["at.judge.options.within.options.size = 'x': expected int"]


def test_an_unknown_component_is_named_with_its_path():
    assert problems(Judged, {"others": ["tiny", "huge"]}) == [
        "at.others.1.name = 'huge': there is no semantic_encoder 'huge'. Allowed: other, tiny"
    ]
    assert read(Judged, {"judge": "huge"}, "at", find).unknown_component
    assert not read(Judged, {"judge": 3}, "at", find).unknown_component


def test_an_optional_slot_may_be_none_and_then_takes_no_options():
    assert not value(Judged, {"extra": "none"}).extra.chosen
    assert problems(Judged, {"extra": {"name": "none", "options": {"size": 1}}}) == [
        "at.extra.options = {'size': 1}: no options are allowed beside name 'none'"
    ]
    assert problems(Judged, {"judge": "none"}) == [
        "at.judge.name = 'none': there is no semantic_encoder 'none'. Allowed: other, tiny"
    ]


def test_plain_values_read_back_to_an_equal_instance():
    outer = Outer(layers=[3], place=Path("a/b"), inners=[Inner(2.0)], table={"k": [1]})
    assert value(Outer, plain(outer)) == outer


@pytest.mark.parametrize(
    ("base", "layer", "expected"),
    [
        ({"a": {"b": 1, "c": 2}}, {"a": {"b": 3}}, {"a": {"b": 3, "c": 2}}),
        ({"a": [1, 2]}, {"a": [3]}, {"a": [3]}),
        ({"a": [1, 2]}, {"a": {"1": 3}}, {"a": [1, 3]}),
        ({"a": [{"b": 1, "c": 2}]}, {"a": {"0": {"b": 3}}}, {"a": [{"b": 3, "c": 2}]}),
        ({"a": [1]}, {"a": {"1": 3}}, {"a": {"1": 3}}),
        ({"a": 1}, {"a": None}, {"a": None}),
        ({"name": "x", "options": {"p": 1}}, {"name": "y"}, {"name": "y"}),
        (
            {"name": "x", "options": {"p": 1}},
            {"name": "x", "options": {"q": 2}},
            {"name": "x", "options": {"p": 1, "q": 2}},
        ),
        ("x", {"options": {"q": 2}}, {"name": "x", "options": {"q": 2}}),
        ({"name": "x", "weight": 2.0, "options": {}}, {"name": "y"}, {"name": "y", "weight": 2.0}),
    ],
)
def test_merging_keeps_what_the_layer_leaves_alone(base, layer, expected):
    assert merged(base, layer) == expected


def test_merging_changes_neither_side():
    base, layer = {"a": {"b": 1}}, {"a": {"c": 2}}
    merged(base, layer)
    assert (base, layer) == ({"a": {"b": 1}}, {"a": {"c": 2}})


@pytest.mark.parametrize(
    ("hint", "words"),
    [
        (int, "int"),
        (int | None, "int or null"),
        (Literal["a", "b", "c"], "'a', 'b' or 'c'"),
        (dict[str, list[float]], "dict[str, list[float]]"),
        (tuple[int, ...], "tuple[int, ...]"),
        (list[Any], "list[any value]"),
    ],
)
def test_types_are_put_in_words(hint, words):
    assert type_name(hint) == words
