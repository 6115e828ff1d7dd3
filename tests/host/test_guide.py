"""The author's guide is true: its code runs, and its reference agrees with the contract."""

from __future__ import annotations

import importlib
import inspect
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from types import FunctionType

import pytest

from workbench import load_catalog
from workbench.api import protocols
from workbench.host import hookspecs
from workbench.recipe.load import load_recipe
from workbench.scaffold.package import create_package

GUIDE = (Path(__file__).parents[2] / "plugins" / "README.md").read_text()
BLOCKS = re.findall(r"```(\w+)\n(.*?)```", GUIDE, re.DOTALL)
FILES = dict(re.findall(r"`(hello/[\w./]+)`[^\n]*\n\n```\w+\n(.*?)```", GUIDE, re.DOTALL))
PYTHON = [code for language, code in BLOCKS if language == "python"]


NEEDED = "hello,corpora,codecs,music,metrics"
"""Entry points that the guide's recipe needs."""


@pytest.fixture
def hello(tmp_path, catalog, monkeypatch):
    """The guide's package, made and installed (as metadata beside its source)."""
    create_package(catalog, "semantic-encoder", "hello", tmp_path)
    project = tomllib.loads(FILES["hello/pyproject.toml"])["project"]
    site = tmp_path / "hello"
    info = site / "workbench_hello-0.1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n"
    )
    points = "".join(f"{k} = {v}\n" for k, v in project["entry-points"]["workbench"].items())
    (info / "entry_points.txt").write_text(f"[workbench]\n{points}")
    monkeypatch.syspath_prepend(site)
    importlib.invalidate_caches()
    yield site
    for name in [name for name in sys.modules if name.startswith("workbench_hello")]:
        sys.modules.pop(name)


def workbench(site: Path, *arguments: str, plugins: str) -> subprocess.CompletedProcess[str]:
    run = "import sys; sys.argv[0] = 'workbench'; from workbench.cli.main import main; main()"
    env = {"PYTHONPATH": str(site), "WORKBENCH_PLUGINS": plugins, "COLUMNS": "200"}
    return subprocess.run(
        [sys.executable, "-c", run, *arguments],
        capture_output=True,
        text=True,
        cwd=site.parent,
        env={**os.environ, **env},
        check=False,
    )


def said(command: str) -> str:
    """What the guide says that a command prints."""
    _, _, rest = GUIDE.partition(f"$ {command}\n")
    return rest.partition("```")[0]


@pytest.mark.parametrize("name", FILES)
def test_each_file_is_shown_as_it_is_written(hello, name):
    assert (hello.parent / name).read_text() == FILES[name]


def test_the_parts_that_matter_are_shown():
    assert sorted(FILES) == [
        "hello/pyproject.toml",
        "hello/recipe.yaml",
        "hello/tests/test_hello.py",
        "hello/workbench_hello/encoder.py",
        "hello/workbench_hello/plugin.py",
    ]


def test_the_listing_is_what_the_command_prints(hello):
    command = "workbench plugins list semantic-encoder"
    done = workbench(hello, *command.split()[1:], plugins="hello")
    assert done.stderr == ""
    assert [line.rstrip() for line in done.stdout.splitlines()] == said(command).splitlines()


def test_the_errors_are_what_the_command_prints(hello):
    command = "workbench run hello/recipe.yaml encoder.options.band=3 encoder.options.bands=many"
    done = workbench(hello, *command.split()[1:], plugins=NEEDED)
    assert (done.returncode, done.stderr) == (2, said(command))


@pytest.mark.parametrize("overrides", [[], ["encoder=none"]])
def test_the_recipe_is_valid(hello, overrides):
    catalog = load_catalog(NEEDED)
    recipe = load_recipe(hello / "recipe.yaml", overrides, catalog)
    assert [encoder.name for encoder in recipe.encoders] == ["hello"] * (not overrides)


def test_the_test_it_shows_passes(hello):
    scope: dict[str, object] = {}
    exec(FILES["hello/tests/test_hello.py"], scope)
    test = scope["test_a_higher_tone_lies_in_a_higher_band"]
    assert isinstance(test, FunctionType)
    test()


@pytest.mark.parametrize("code", PYTHON)
def test_every_python_block_runs(hello, code):
    module = type(sys)("guide_block")
    sys.modules["guide_block"] = module
    try:
        exec(compile(code, "plugins/README.md", "exec"), module.__dict__)
    finally:
        del sys.modules["guide_block"]


def signature(function: FunctionType) -> str:
    """As in the source: without self, annotations as they are written, bars escaped for a table."""
    parameters = [p for p in inspect.signature(function).parameters.values() if p.name != "self"]
    written = inspect.Signature(
        parameters, return_annotation=inspect.signature(function).return_annotation
    )
    return f"{function.__name__}{written}".replace("'", "").replace("|", "\\|")


HOOKS = [f for _, f in inspect.getmembers(hookspecs, inspect.isfunction) if f.__doc__]
PROTOCOLS = [
    protocol
    for _, protocol in inspect.getmembers(protocols, inspect.isclass)
    if protocol.__module__ == protocols.__name__
]


@pytest.mark.parametrize("hook", [f for f in HOOKS if hasattr(f, "workbench_spec")])
def test_every_hook_is_in_the_reference_with_its_signature(hook):
    assert f"| `{signature(hook)}` |" in GUIDE


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_every_member_of_every_protocol_is_in_the_reference(protocol):
    _, found, section = GUIDE.partition(f"\n`{protocol.__name__}`: ")
    assert found
    table = re.findall(r"^\| `(.+?)` \|", section.partition("\n\n`")[0], re.MULTILINE)
    attributes = [f"{name}: {hint}" for name, hint in protocol.__annotations__.items()]
    methods = [
        signature(value)
        for name, value in vars(protocol).items()
        if isinstance(value, FunctionType) and (name == "__call__" or not name.startswith("_"))
    ]
    assert sorted(table) == sorted(attributes + methods)
