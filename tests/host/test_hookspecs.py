"""The contract is documented in full."""

from __future__ import annotations

import inspect

import pytest

from workbench.host import hookspecs

HOOKS = {
    name: function
    for name, function in inspect.getmembers(hookspecs, inspect.isfunction)
    if hasattr(function, "workbench_spec")
}


def test_every_kind_has_a_hook_and_every_hook_a_kind():
    assert set(HOOKS) == {*hookspecs.KINDS.values(), "workbench_commands"}


@pytest.mark.parametrize("name", HOOKS)
def test_each_hook_has_an_example_that_is_python_and_implements_it(name):
    doc = inspect.getdoc(HOOKS[name]) or ""
    text, _, example = doc.partition("Example::")
    assert len(text.split()) > 5
    code = inspect.cleandoc(example)
    compile(code, name, "exec")
    assert f"@hookimpl\ndef {name}(" in code


@pytest.mark.parametrize("name", sorted(set(HOOKS) - {"workbench_commands", "workbench_tasks"}))
def test_each_components_hook_states_shapes_and_rates(name):
    doc = inspect.getdoc(HOOKS[name]) or ""
    assert "float32" in doc
    assert "``[" in doc
    assert "Hz" in doc
