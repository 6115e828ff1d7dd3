"""`workbench environments` at the command line."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from workbench import Environment, UnknownComponent, load_catalog
from workbench.api.errors import WorkbenchError
from workbench.cli.main import build_app
from workbench.host.environments import folder_of

PLUGIN = """
from workbench import Environment
OWN = Environment("own-library", ("old-library==0.1",))

@hookimpl
def workbench_metrics():
    return [
        Component("one", "A score", Options, build, environment=OWN),
        Component("two", "A score", Options, build, environment=OWN),
        Component("three", "A score", Options, build),
    ]
"""
OWN = Environment("own-library", ("old-library==0.1",))
OLDER = Environment("own-library", ("old-library==0.0.9",))


@pytest.fixture
def run(fake_plugin, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    catalog = load_catalog(fake_plugin("scores", PLUGIN))

    def invoke(*arguments):
        return CliRunner().invoke(build_app(catalog), ["environments", *arguments])

    return invoke


def made(environment: Environment) -> None:
    """An environment as it lies in the cache, without what takes long."""
    folder = folder_of(environment)
    (folder / "bin").mkdir(parents=True)
    (folder / "bin" / "python").write_bytes(bytes(3_000_000))
    told = {"name": environment.name, "requirements": environment.requirements}
    (folder / "workbench.json").write_text(json.dumps(told))


def test_list_shows_what_is_wanted_by_whom_and_what_is_there(run):
    said = run("list").output
    assert said == "own-library  for metric one, metric two: not made yet\n    old-library==0.1\n"
    made(OWN)
    made(OLDER)
    lines = run("list").output.splitlines()
    assert lines[0].endswith(f"{folder_of(OWN)}  (3 MB)")
    assert lines[2] == f"own-library  unused: {folder_of(OLDER)}  (3 MB)"


def test_create_prints_the_interpreter_of_one_that_is_there(run):
    made(OWN)
    assert run("create", "own-library").output.strip() == str(folder_of(OWN) / "bin" / "python")


def test_create_knows_what_components_want(run):
    error = run("create", "own-libary").exception
    assert isinstance(error, UnknownComponent)
    assert "did you mean 'own-library'" in str(error)


def test_remove_takes_all_of_a_name_or_the_unused(run):
    made(OWN)
    made(OLDER)
    run("remove", "unused")
    assert folder_of(OWN).exists()
    assert not folder_of(OLDER).exists()
    run("remove", "own-library")
    assert not folder_of(OWN).exists()
    error = run("remove", "own-library").exception
    assert isinstance(error, WorkbenchError)
    assert "it is empty" in str(error)
