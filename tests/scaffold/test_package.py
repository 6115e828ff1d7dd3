"""A new package is complete, takes no name that is taken, and overwrites nothing."""

from __future__ import annotations

import ast
import tomllib
from pathlib import Path

import pytest
import yaml

from workbench import PluginError, UnknownComponent
from workbench.host.hookspecs import KINDS
from workbench.scaffold.package import TEMPLATES, PackageNames, create_package, render


@pytest.mark.parametrize("kind", KINDS)
def test_a_package_has_code_options_readme_tests_and_a_recipe(catalog, tmp_path, kind):
    paths = create_package(catalog, kind.replace("_", "-"), "my-thing", tmp_path)
    assert sorted(paths) == sorted(
        Path("my-thing") / name
        for name in (
            "README.md",
            "pyproject.toml",
            "recipe.yaml",
            "tests/test_my_thing.py",
            "workbench_my_thing/__init__.py",
            "workbench_my_thing/plugin.py",
            "workbench_my_thing/py.typed",
            f"workbench_my_thing/{kind.removeprefix('semantic_')}.py",
        )
    )
    for path in paths:
        text = (tmp_path / path).read_text()
        assert "{{" not in text
        if path.suffix == ".py":
            ast.parse(text)
    project = tomllib.loads((tmp_path / "my-thing/pyproject.toml").read_text())["project"]
    assert project["name"] == "workbench-my-thing"
    assert project["entry-points"]["workbench"] == {"my-thing": "workbench_my_thing.plugin"}
    assert "my-thing" in str(yaml.safe_load((tmp_path / "my-thing/recipe.yaml").read_text()))


@pytest.mark.parametrize("kind", KINDS)
def test_there_is_a_template_folder_for_each_kind(kind):
    assert (TEMPLATES / kind).is_dir()


def test_the_api_version_is_todays():
    plugin = dict(render(PackageNames("codec", "mine")))[Path("workbench_mine/plugin.py")]
    assert "WORKBENCH_API = 1 " in plugin


def test_a_name_that_a_component_has_is_refused_with_who_has_it(catalog, tmp_path):
    with pytest.raises(PluginError) as caught:
        create_package(catalog, "codec", "xcodec", tmp_path)
    message = str(caught.value)
    assert message.startswith("there is a codec 'xcodec' already, of audio-workbench ")
    assert not list(tmp_path.iterdir())


def test_a_name_that_a_package_has_is_refused(catalog, tmp_path):
    with pytest.raises(PluginError, match="a Python package 'workbench_music' already"):
        create_package(catalog, "metric", "music", tmp_path)


@pytest.mark.parametrize("name", ["My-Thing", "my_thing", "3d", "-x", "none", "../x", "on", ""])
def test_a_name_that_can_not_be_used_is_refused(catalog, tmp_path, name):
    with pytest.raises(PluginError, match="can't name a plugin"):
        create_package(catalog, "codec", name, tmp_path)


def test_an_unknown_kind_is_refused_with_those_there_are(catalog, tmp_path):
    with pytest.raises(UnknownComponent, match="did you mean 'codec'"):
        create_package(catalog, "codex", "mine", tmp_path)


def test_nothing_is_overwritten(catalog, tmp_path):
    create_package(catalog, "metric", "mine", tmp_path)
    (tmp_path / "mine/recipe.yaml").write_text("changed")
    with pytest.raises(PluginError, match="is there already"):
        create_package(catalog, "metric", "mine", tmp_path)
    assert (tmp_path / "mine/recipe.yaml").read_text() == "changed"
