"""What `plugins list` tells comes from the dataclasses' own source."""

from __future__ import annotations

from dataclasses import dataclass, field

from workbench import Slot, load_catalog, slot
from workbench.host.describe import describe, describe_options, field_docstrings


@dataclass
class Base:
    first: int = 1
    """Inherited,
    over two lines."""
    second: int = 2
    """Overridden below."""


@dataclass
class Inner:
    depth: int = 4
    """How deep."""


@dataclass
class Derived(Base):
    second: int = 3
    """Said anew."""
    silent: str = "x"
    judge: Slot = slot("metric", "none")
    """A choice."""
    inner: Inner = field(default_factory=Inner)
    """A group."""


def test_docstrings_under_fields_are_found_with_those_of_bases():
    assert field_docstrings(Derived) == {
        "first": "Inherited, over two lines.",
        "second": "Said anew.",
        "judge": "A choice.",
        "inner": "A group.",
    }


def test_docstrings_of_a_class_within_a_function_are_found():
    @dataclass
    class Local:
        here: int = 0
        """Found."""

    assert field_docstrings(Local) == {"here": "Found."}


def test_options_are_told_with_type_default_and_what_lies_within():
    told = {option.name: option for option in describe_options(Derived)}
    assert list(told) == ["first", "second", "silent", "judge", "inner"]
    assert (told["second"].type, told["second"].default) == ("int", 3)
    assert told["silent"].help == ""
    assert told["judge"].type == "Slot of metric"
    assert told["judge"].default == {"name": "none", "options": {}}
    assert told["judge"].options == ()
    assert [(o.name, o.default, o.help) for o in told["inner"].options] == [
        ("depth", 4, "How deep.")
    ]


def test_components_are_told_with_where_they_come_from(fake_plugin):
    name = fake_plugin(
        "described",
        """
        @hookimpl
        def workbench_metrics(): return [Component("m", "A metric", Options, build)]
        """,
        version="3.1",
    )
    (told,) = describe(load_catalog(name), ["corpus", "metric"])
    assert (told.kind, told.name, told.summary) == ("metric", "m", "A metric")
    assert (told.distribution, told.version, told.entry_point) == ("described", "3.1", "described")
    assert [(o.name, o.help) for o in told.options] == [
        ("size", "How large it is."),
        ("mode", "How it works."),
    ]
