"""The examples and new packages of every kind work once installed, without an edit of the core.

A fresh environment for each would take minutes and 5 GB of libraries; instead pip builds all of
them and installs them, metadata and entry points included, into an empty folder that a fresh
interpreter gets beside the libraries of this one. No network: pip finds setuptools here.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from workbench import Catalog
from workbench.host.hookspecs import KINDS
from workbench.scaffold.package import create_package

EXAMPLES = Path(__file__).parents[2] / "examples"
NEW = {kind: f"new-{kind.replace('_', '-')}" for kind in KINDS}
PROVIDED = {
    "workbench-brightness": ["brightness"],
    "workbench-hf-encodec": ["hf-encodec"],
    "workbench-labelled-continuation": ["labelled-continuation"],
    "workbench-mfcc-teacher": ["mfcc"],
    "workbench-speech-teachers": ["wav2vec2", "whisper"],
    **{f"workbench-{name}": [name] for name in NEW.values()},
}
RUN_ALL = """
import sys
from pathlib import Path
import torch
from workbench import load_catalog
from workbench.pipeline.run import run_recipe
from workbench.recipe.load import load_recipe

torch.set_num_threads(1)
few = ["codec.training.steps=12", "lm.training.steps=2", "corpus.options.train=3",
       "codec.training.batch_size=2", "lm.training.batch_size=2", "evaluation.items=2",
       "results=results"]
catalog = load_catalog()
for path in sys.argv[1:]:
    trains = "codec" not in Path(path).parent.name
    own = [override for override in few if trains or not override.startswith("codec")]
    report = run_recipe(load_recipe(path, own, catalog), catalog)
    print("ran", path, len(report.table.columns))
"""


@pytest.fixture(scope="module")
def packages(tmp_path_factory, catalog: Catalog) -> list[Path]:
    """Copies of the examples, and a new package of every kind."""
    folder = tmp_path_factory.mktemp("packages")
    ignored = shutil.ignore_patterns("build", "*.egg-info", "__pycache__", "results")
    for example in EXAMPLES.iterdir():
        if example.is_dir():
            shutil.copytree(example, folder / example.name, ignore=ignored)
    for kind, name in NEW.items():
        create_package(catalog, kind, name, folder)
    return sorted(folder.iterdir())


@pytest.fixture(scope="module")
def environment(packages, tmp_path_factory) -> dict[str, str]:
    """Variables of an interpreter that sees the packages installed."""
    site = tmp_path_factory.mktemp("site")
    options = ["--quiet", "--no-deps", "--no-build-isolation", "--no-index", "--target", str(site)]
    install = [sys.executable, "-m", "pip", "install", *options]
    subprocess.run([*install, *map(str, packages)], check=True)
    return {**os.environ, "PYTHONPATH": str(site), "OMP_NUM_THREADS": "1"}


def run(environment: dict[str, str], cwd: Path, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, *arguments],
        env=environment,
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_each_package_provides_its_components(environment, tmp_path):
    code = "from workbench.cli.main import main; main()"
    listed = json.loads(run(environment, tmp_path, "-c", code, "plugins", "list", "--json"))
    provided: dict[str, list[str]] = {}
    for component in listed:
        if component["distribution"] in PROVIDED:
            provided.setdefault(component["distribution"], []).append(component["name"])
    assert provided == PROVIDED


def test_their_own_tests_pass(environment, packages, tmp_path):
    tests = [str(package / "tests") for package in packages]
    options = ["-q", "--import-mode=importlib", "-p", "no:cacheprovider", "-c", os.devnull]
    output = run(
        environment, tmp_path, "-m", "pytest", *options, "--rootdir", str(tmp_path), *tests
    )
    assert " passed" in output.splitlines()[-1]


def test_their_recipes_run(environment, packages, tmp_path):
    recipes = [str(package / "recipe.yaml") for package in packages]
    output = run(environment, tmp_path, "-c", RUN_ALL, *recipes)
    ran = [line.split() for line in output.splitlines() if line.startswith("ran ")]
    assert [path for _, path, _ in ran] == recipes
    assert all(int(figures) >= 2 for _, _, figures in ran)
