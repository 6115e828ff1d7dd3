"""Environments are made once, to their end, and in no other way than they state."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from workbench import Environment, ModelAbsent
from workbench.host import environments
from workbench.host.environments import folder_of, installed, interpreter, is_installed, remove


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "workbench" / "environments"


@pytest.fixture
def pip(monkeypatch) -> list[list[str]]:
    """Calls of pip, none of which installs anything."""
    calls = []

    def run(command, **settings):
        calls.append(command)
        return subprocess.CompletedProcess(command, 0, stdout="")

    monkeypatch.setattr(environments.subprocess, "run", run)
    # ensurepip takes seconds, and pip is not run here
    original = environments.EnvBuilder
    monkeypatch.setattr(
        environments, "EnvBuilder", lambda **settings: original(**{**settings, "with_pip": False})
    )
    return calls


def test_an_environment_is_made_on_first_use_and_never_again(cache, pip):
    environment = Environment("mine", ("tiny-library==1.0", "numpy<3"))
    assert not is_installed(environment)
    python = interpreter(environment)
    assert python.is_file()
    assert python.is_relative_to(cache)
    assert interpreter(environment) == python
    (call,) = pip
    assert call[-3:] == ["numpy", "tiny-library==1.0", "numpy<3"]
    assert call[0] == str(python)


def test_it_is_an_environment_of_its_own(pip):
    python = interpreter(Environment("mine", ("tiny-library",)))
    done = subprocess.Popen(
        [str(python), "-c", "import sys; print(sys.prefix)"], stdout=subprocess.PIPE, text=True
    )
    assert Path(done.communicate()[0].strip()) == python.parent.parent
    assert python.parent.parent != Path(sys.prefix)


def test_one_that_was_left_half_made_is_made_anew(pip):
    environment = Environment("mine", ("tiny-library",))
    folder = folder_of(environment)
    (folder / "lib").mkdir(parents=True)
    (folder / "lib" / "half").write_text("")
    interpreter(environment)
    assert is_installed(environment)
    assert not (folder / "lib" / "half").exists()


def test_other_requirements_are_another_environment():
    one = Environment("mine", ("a==1", "b"))
    assert folder_of(one) == folder_of(Environment("mine", ("b", "a==1")))
    assert folder_of(one) != folder_of(Environment("mine", ("a==2", "b")))


def test_what_is_in_the_cache_is_listed_and_can_be_removed(pip):
    environment = Environment("mine", ("tiny-library",))
    interpreter(environment)
    (found,) = installed()
    assert (found.name, found.requirements) == ("mine", ("tiny-library",))
    assert found.folder == folder_of(environment)
    (found.folder / "large").write_bytes(bytes(2_000_000))
    assert 2 <= found.megabytes < 4
    remove(found)
    assert installed() == []
    assert not is_installed(environment)


def test_what_pip_says_is_told_and_nothing_is_left(cache, monkeypatch, pip):
    def refuse(command, **settings):
        return subprocess.CompletedProcess(command, 1, stdout="lines\nERROR: No such thing")

    monkeypatch.setattr(environments.subprocess, "run", refuse)
    environment = Environment("mine", ("no-such-thing==9",))
    with pytest.raises(ModelAbsent) as error:
        interpreter(environment)
    for part in ("'mine'", "no-such-thing==9", "ERROR: No such thing", "environments create mine"):
        assert part in str(error.value)
    assert not folder_of(environment).exists()


def test_pip_does_not_see_our_packages(monkeypatch):
    monkeypatch.setenv("PYTHONPATH", "/ours")
    monkeypatch.setenv("VIRTUAL_ENV", "/ours")
    monkeypatch.setenv("HTTPS_PROXY", "kept")
    variables = environments.clean_environment()
    assert "PYTHONPATH" not in variables
    assert "VIRTUAL_ENV" not in variables
    assert variables["HTTPS_PROXY"] == "kept"


@pytest.mark.parametrize(
    ("name", "requirements"), [("My Own", ("a",)), ("../up", ("a",)), ("mine", ())]
)
def test_an_environment_needs_a_plain_name_and_something_to_install(name, requirements):
    with pytest.raises(ValueError, match=r"name|requirements"):
        Environment(name, requirements)
