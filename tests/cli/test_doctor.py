from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from workbench.api.errors import NothingToExamine, UnknownRun
from workbench.cli.main import build_app


@pytest.fixture
def call(catalog: Any) -> Callable[..., Any]:
    def invoke(*words: object) -> Any:
        result = CliRunner().invoke(build_app(catalog), [str(word) for word in words])
        if result.exception and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    return invoke


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """Two runs: one whose codec is well, and one whose codec keeps one clip of eight."""
    for name, heard in (("well", 8), ("sick", 1)):
        stage = tmp_path / "store" / "codec" / name
        stage.mkdir(parents=True)
        look = {"doctor/items_given": 8, "doctor/items_in_loss": heard}
        lines = [{"phase": "main", "step": 50 * k, "loss": 5.0 - k, **look} for k in range(4)]
        (stage / "history.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
        run = tmp_path / "runs" / name
        run.mkdir(parents=True)
        entry = {"status": "finished", "stages": {"codec": {"folder": str(stage)}}}
        (run / "run.json").write_text(json.dumps(entry))
    return tmp_path


def test_a_healthy_run_says_so_with_its_figures(call: Callable[..., Any], results: Path) -> None:
    result = call("doctor", "well", "--results", results)
    assert result.exit_code == 0
    assert "codec: healthy (151 steps, 4 logged points)" in result.output
    assert "effective batch: 8 of 8 distinct items" in result.output


def test_findings_come_with_steps_and_advice(call: Callable[..., Any], results: Path) -> None:
    result = call("doctor", "sick", "codec", "--results", results)
    assert result.exit_code == 1
    assert "FAULT: effective batch, steps 0 to 150" in result.output
    assert "What to do: Look for an index or a slice" in result.output


def test_json(call: Callable[..., Any], results: Path) -> None:
    result = call("doctor", "sick", "--results", results, "--json")
    assert result.exit_code == 1
    (health,) = json.loads(result.output)
    assert health["findings"][0]["check"] == "effective batch"


def test_nothing_to_examine_has_a_status_of_its_own(
    call: Callable[..., Any], results: Path
) -> None:
    with pytest.raises(UnknownRun) as unknown:
        call("doctor", "nobody", "--results", results)
    with pytest.raises(NothingToExamine) as nothing:
        call("doctor", "well", "lm/lm", "--results", results)
    assert unknown.value.exit_status == nothing.value.exit_status == 2
