"""What the command line of evaluate takes, and what it says of what it can't take."""

from __future__ import annotations

import json

import pytest
import torch
from typer.testing import CliRunner

from workbench import Audio, write_audio
from workbench.api.errors import RecipeError, UnknownComponent
from workbench.cli.main import build_app
from workbench.pipeline.evaluate.settings import default_metrics, read_section


@pytest.fixture
def call(catalog):
    def invoke(*words):
        result = CliRunner().invoke(build_app(catalog), ["evaluate", *(str(w) for w in words)])
        if result.exception and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    return invoke


@pytest.fixture
def folders(tmp_path):
    for number in range(3):
        generator = torch.Generator().manual_seed(number)
        wav = 0.1 * torch.randn(1, 4000, generator=generator)
        write_audio(tmp_path / "ref" / f"{number}.wav", Audio(wav, 8000))
        write_audio(tmp_path / "made" / f"{number}.wav", Audio(wav / 2, 8000))
    lines = [{"path": f"{n}.wav", "language": "en" if n else "es"} for n in range(3)]
    (tmp_path / "texts.jsonl").write_text("\n".join(json.dumps(line) for line in lines))
    (tmp_path / "metrics.yaml").write_text("metrics: [mel-distance, error-rates]\nby: [language]\n")
    return tmp_path


def test_folders_with_a_manifest_and_a_config(call, folders):
    judge = "error-rates:judge.name=recogniser,judge.options.weights=random"
    result = call(
        "--reference", folders / "ref", "--generated", folders / "made", "--text",
        folders / "texts.jsonl", "--config", folders / "metrics.yaml", "--metrics", "mel-distance",
        "--metrics", judge, "--results", folders / "results", "--name", "mine", "--device", "cpu",
    )  # fmt: skip
    said = " ".join(result.output.split())
    assert "left out: error-rates: error-rates: item '0' has no text" in said
    (folder,) = (folders / "results" / "runs").iterdir()
    assert folder.name.startswith("mine-")
    assert "By language" in (folder / "report.html").read_text()
    record = json.loads((folder / "run.json").read_text())
    assert (record["status"], record["kind"]) == ("finished", "evaluation")
    assert [entry["metric"] for entry in record["left_out"]] == ["error-rates"]
    assert (folder / "plots" / "spectrograms-1.png").exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "name one thing to evaluate"),
        (["run", "--codec", "dac"], "given: RUN, --codec"),
        (["--codec", "dac"], "--codec: --corpus must be given"),
        (["--reference", "ref"], "--reference: --generated must be given"),
        (["--prompts", "ref"], "--prompts: --reference and --generated must be given"),
        (["run", "--text", "x.csv"], "a run knows its texts"),
        (["run", "--depths", "1,x"], "--depths 1,x"),
        (["run", "--metrics", "mel-distanse"], "did you mean 'mel-distance'"),
        (["run", "--items", "1"], "items = 1: must be at least 2"),
        (["--reference", "a", "--generated", "b", "--depths", "1"], "only --codec has codebooks"),
        (["run", "--config", "nothing.yaml"], "there is no such file"),
    ],
)
def test_what_does_not_fit_together_is_said(call, words, said):
    with pytest.raises((RecipeError, UnknownComponent), match=said):
        call(*words)


def test_options_are_laid_over_the_config(catalog, folders):
    path = folders / "metrics.yaml"
    plain = read_section(path, {"by": None, "items": None}, [], catalog)
    assert [slot.name for slot in plain.section.metrics] == ["mel-distance", "error-rates"]
    assert (plain.section.by, plain.limit) == (["language"], None)
    over = read_section(path, {"items": 5}, ["si-sdr,mel-distance", "frechet:kinds=[set]"], catalog)
    assert [slot.name for slot in over.section.metrics] == ["si-sdr", "mel-distance", "frechet"]
    assert over.section.metrics[2].options["kinds"] == ["set"]
    assert over.limit == 5
    path.write_text("metrics: [{name: frechet, options: {kind: [set]}}]\n")
    with pytest.raises(RecipeError, match=r"metrics\.0\.options\.kind .*did you mean 'kinds'"):
        read_section(path, {}, [], catalog)
    path.write_text("- a list\n")
    with pytest.raises(RecipeError, match="expected a mapping"):
        read_section(path, {}, [], catalog)


def test_defaults_are_metrics_that_are_installed(catalog):
    names = [slot.name for slot in default_metrics(catalog)]
    assert "mel-distance" in names
    assert set(names) <= {component.name for component in catalog.components("metric")}
