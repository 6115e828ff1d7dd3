"""`import workbench` is the whole public face, and costs next to nothing."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import workbench

HEAVY = ("torch", "transformers", "omegaconf", "typer", "rich", "numpy", "mlflow", "yaml")


@pytest.mark.parametrize("name", workbench.__all__)
def test_each_public_name_resolves(name):
    assert getattr(workbench, name) is not None


def test_checkers_and_the_running_program_see_the_same_names():
    tree = ast.parse(Path(workbench.__file__).read_text())
    (block,) = [n for n in tree.body if isinstance(n, ast.If)]
    seen = {
        alias.asname: statement.module
        for statement in block.body
        if isinstance(statement, ast.ImportFrom)
        for alias in statement.names
    }
    assert seen == workbench._MODULES


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="module 'workbench' has no attribute 'Codecc'"):
        workbench.Codecc  # noqa: B018 - the look-up is the test


def test_names_are_listed():
    assert dir(workbench) == sorted(workbench.__all__)


def test_importing_and_registering_brings_in_nothing_heavy():
    code = (
        "import sys, workbench; from workbench import Component, hookimpl, BuildContext, Slot;"
        f"print([name for name in {HEAVY!r} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_importing_brings_in_few_modules():
    """What starting takes is measured by benchmarks/startup.py; this is what it grows with."""
    code = "import sys, workbench; print(len(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert int(done.stdout) < 120
