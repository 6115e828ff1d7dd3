"""The command line: fast, without torch for what needs none, and plain about what went wrong."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from workbench import __version__
from workbench.host.hookspecs import KINDS

ONE_CODEC = """
@hookimpl
def workbench_codecs(): return [Component("c", "A codec", Options, build)]
"""

RUN = "import sys; sys.argv[0] = 'workbench'; from workbench.cli.main import main; main()"


def workbench(*arguments: str, env: dict[str, str] | None = None, cwd: Path | None = None):
    return subprocess.run(
        [sys.executable, "-c", RUN, *arguments],
        capture_output=True,
        text=True,
        cwd=cwd,
        env={**os.environ, "COLUMNS": "200", **(env or {})},
        check=False,
    )


@pytest.fixture
def installed(fake_plugin, tmp_path):
    """Environment of a subprocess in which the fake plugins alone are loaded."""

    def installed(*names: str) -> dict[str, str]:
        return {"PYTHONPATH": str(tmp_path / "site"), "WORKBENCH_PLUGINS": ",".join(names)}

    return installed


@pytest.mark.parametrize("arguments", [["--help"], ["plugins", "list"], ["--version"]])
def test_what_needs_no_model_imports_little_and_no_torch(arguments):
    """What starting takes is measured by benchmarks/startup.py; this is what it grows with."""
    watch = (
        "import atexit, sys; atexit.register(lambda: print([m for m in "
        "('torch', 'transformers', 'omegaconf', 'mlflow') if m in sys.modules], len(sys.modules)));"
    )
    done = subprocess.run(
        [sys.executable, "-c", watch + RUN, *arguments], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    heavy, count = done.stdout.splitlines()[-1].rsplit(" ", 1)
    assert heavy == "[]"
    assert int(count) < 500


def test_the_version_is_that_of_the_distribution_with_the_contracts():
    assert workbench("--version").stdout == f"workbench {__version__} (plugin contract 1)\n"


def test_plugins_list_as_json_tells_every_option_with_default_and_docstring():
    components = json.loads(workbench("plugins", "list", "--json").stdout)
    assert {component["kind"] for component in components} == set(KINDS)
    for component in components:
        assert component["distribution"] == "audio-workbench"
        assert component["summary"]
        for option in component["options"]:
            assert option["help"], f"{component['name']}.{option['name']} has no docstring"
            assert "default" in option


def test_plugins_list_prints_components_with_their_options(fake_plugin, installed):
    fake_plugin(
        "listed",
        """
        @hookimpl
        def workbench_codecs(): return [Component("coder", "A codec", Options, build)]
        """,
        version="4.5",
    )
    done = workbench("plugins", "list", "codec", env=installed("listed"))
    assert [line.rstrip() for line in done.stdout.splitlines()] == [
        "codec",
        "  coder  A codec  (listed 4.5)",
        "    size = 3  int  How large it is.",
        "    mode = \"fast\"  'fast' or 'exact'  How it works.",
    ]


def test_kinds_may_be_written_with_a_hyphen():
    one, other = (
        workbench("plugins", "list", "--json", kind).stdout
        for kind in ("semantic-encoder", "semantic_encoder")
    )
    assert one == other
    assert {component["kind"] for component in json.loads(one)} == {"semantic_encoder"}


def test_an_unknown_kind_is_one_message_and_exit_status_2():
    done = workbench("plugins", "list", "codex")
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert done.stderr.endswith(
        "error: there is no kind of component 'codex'; did you mean 'codec'? "
        "Allowed: codec, corpus, metric, semantic_encoder, task\n"
    )


def test_debug_shows_the_traceback():
    done = workbench("--debug", "plugins", "list", "codex")
    assert done.returncode == 1
    assert "Traceback" in done.stderr
    assert "UnknownComponent" in done.stderr


def test_a_broken_plugin_is_reported_and_the_rest_works(fake_plugin, installed):
    fake_plugin("fails", "import a_library_nobody_has")
    fake_plugin(
        "works", '@hookimpl\ndef workbench_codecs(): return [Component("c", "", Options, build)]'
    )
    done = workbench("plugins", "list", env=installed("fails", "works"))
    assert done.returncode == 0
    assert "  c" in done.stdout
    assert done.stderr == (
        "warning: a plugin could not be loaded: fails 1.0 (entry point 'fails'): importing "
        "fails failed: ModuleNotFoundError: No module named 'a_library_nobody_has'\n"
    )


def test_two_plugins_of_one_name_stop_with_both_distributions(fake_plugin, installed):
    fake_plugin("one", ONE_CODEC)
    fake_plugin("two", ONE_CODEC)
    done = workbench("plugins", "list", env=installed("one", "two"))
    assert done.returncode == 2
    assert done.stderr == (
        "error: two plugins provide the codec 'c': one 1.0 (entry point 'one') and two 1.0 "
        "(entry point 'two'); uninstall one of them or limit what is loaded with "
        "WORKBENCH_PLUGINS\n"
    )


def test_a_plugin_adds_commands(fake_plugin, installed):
    fake_plugin(
        "commanding",
        """
        import typer

        @hookimpl
        def workbench_commands(cli: typer.Typer) -> None:
            @cli.command()
            def tempo(path: str) -> None:
                "Print a tempo."
                typer.echo(f"{path}: 120")
        """,
    )
    done = workbench("tempo", "x.wav", env=installed("commanding"))
    assert (done.returncode, done.stdout) == (0, "x.wav: 120\n")


@pytest.mark.parametrize(
    "source",
    [
        '@cli.command("plugins")\n    def anything(): ...',
        "@cli.command()\n    def plugins(): ...",
        'cli.add_typer(typer.Typer(), name="plugins")',
    ],
)
def test_a_plugin_may_not_take_a_commands_name(fake_plugin, installed, source):
    hook = f"import typer\n@hookimpl\ndef workbench_commands(cli):\n    {source}\n"
    fake_plugin("taking", hook)
    done = workbench("plugins", "list", env=installed("taking"))
    assert done.returncode == 2
    assert done.stderr == (
        "error: taking 1.0 (entry point 'taking') adds the command 'plugins', which the workbench "
        "has already; uninstall it or limit what is loaded with WORKBENCH_PLUGINS\n"
    )


def test_a_plugin_whose_commands_fail_is_named(fake_plugin, installed):
    fake_plugin("grumbling", "@hookimpl\ndef workbench_commands(cli): raise ValueError('no')")
    done = workbench("plugins", "list", env=installed("grumbling"))
    assert done.returncode == 0
    assert done.stderr == (
        "warning: a plugin could not be loaded: grumbling 1.0 (entry point 'grumbling'): "
        "workbench_commands failed: ValueError: no\n"
    )


def test_an_unknown_command_is_a_usage_error():
    done = workbench("plugin")
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
