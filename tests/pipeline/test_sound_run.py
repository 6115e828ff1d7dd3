"""A run told by captions: texts read once, the best of several kept, a sweep of the guidance."""

from __future__ import annotations

import pytest
import torch
import yaml
from typer.testing import CliRunner

from tests.pipeline.conftest import TINY
from workbench import Audio, Example, RecipeError, Request, Slot, read_audio
from workbench.cli.main import build_app
from workbench.evaluation.table import ResultTable
from workbench.pipeline.choosing import answer, refuse_own_judge
from workbench.pipeline.guidance import FILE, GuidanceSweep
from workbench.pipeline.run import run_recipe
from workbench.pipeline.texts import StoredTexts, write_texts
from workbench.recipe.load import load_recipe

CLAP = {
    "weights": "random",
    "size": {"patch_width": 8, "depths": [1, 1, 1, 1], "heads": [1, 1, 1, 1], "text_layers": 1},
}
OTHER = {**CLAP, "size": {**CLAP["size"], "embedding": 64}}


def captions(name, **options):
    return {"name": name, "options": options}


@pytest.fixture
def sound_recipe(tmp_path):
    """A recipe that makes half-second sounds with two candidates and three guidance scales."""
    task = {
        "seconds": 0.5,
        "candidates": 2,
        "captions": {"encoder": captions("clap", **CLAP), "dropout": 0.2},
        "ranker": captions("clap", **CLAP),
    }
    sounds = {"train": 6, "validation": 1, "test": 3, "seconds": 2.0, "captions": 2}
    recipe = {
        **TINY,
        "name": "sound",
        "corpus": captions("synthetic-sound", **sounds),
        "task": captions("text-to-sound", **task),
        "evaluation": {
            "items": 3,
            "guidance": [1, 3],
            "guidance_items": 2,
            "metrics": [captions("clap-score", judge=captions("clap", **OTHER)), "mel-distance"],
        },
        "results": str(tmp_path / "results"),
    }
    path = tmp_path / "sound.yaml"
    path.write_text(yaml.safe_dump(recipe))
    return path


def test_a_run_is_told_captions_and_sweeps_the_guidance(sound_recipe, tmp_path, catalog):
    report = run_recipe(load_recipe(sound_recipe, [], catalog), catalog)
    assert {"clap-score", "mel-distance"} <= set(report.table.columns)
    stages = {stage.name for stage in report.stages}
    assert {"texts", "guidance"} <= stages
    (folder,) = (tmp_path / "results/store/texts").iterdir()
    stored = StoredTexts(folder)
    assert 10 <= len(stored) <= 20  # two captions of ten scenes
    sweep = GuidanceSweep.from_json((report.folder / FILE).read_text())
    assert list(sweep.scales.values()) == [1, 3]
    scores = [sweep.table.figure(row, "clap-score") for row in sweep.scales]
    assert scores[0].n == 2
    assert scores[0].value != scores[1].value
    assert (report.folder / "plots/guidance.png").stat().st_size > 5000
    assert 'id="guidance"' in (report.folder / "report.html").read_text()

    wanted = tmp_path / "bell.wav"
    asked = ["generate", str(report.folder), "--text", "a bell rings", "--out", str(wanted)]
    asked += ["--results", str(tmp_path / "results"), "--device", "cpu"]
    for extra, seconds in (([], 0.48), (["--duration", "0.8"], 0.8)):
        done = CliRunner().invoke(build_app(catalog), [*asked, *extra])
        assert done.exit_code == 0, done.output
        assert read_audio(wanted).seconds == pytest.approx(seconds, abs=0.03)

    again = run_recipe(load_recipe(sound_recipe, [], catalog), catalog)
    assert all(stage.reused for stage in again.stages)


def test_what_can_not_work_is_said_before_anything_is_trained(sound_recipe, tmp_path, catalog):
    def refused(*overrides):
        with pytest.raises(RecipeError) as caught:
            run_recipe(
                load_recipe(sound_recipe, ["codec.training.steps=0", *overrides], catalog), catalog
            )
        assert not (tmp_path / "results/store/lm").exists()
        return str(caught.value)

    message = refused("task.options.captions.dropout=0")
    assert (
        "evaluation.guidance = [1, 3]" in message or "evaluation.guidance = [1.0, 3.0]" in message
    )
    message = refused("evaluation.metrics.0.options.judge.options.size.embedding=128")
    assert "would be pleased with its own choice" in message


class Numbers:
    """Makes results 0, 1, 2 ... and likes the one whose number is nearest to a request's wish."""

    candidates = 3
    ranker = Slot("clap", {"weights": "embedded"})

    def __init__(self):
        self.heard = []

    def generate(self, generators, requests, seed):
        del generators, seed
        return [torch.full((1, 1), number) for number in range(len(requests))]

    def rate(self, request, audio):
        self.heard.append(request.id)
        return -abs(float(audio.samples.mean()) - float(request.example.text))


def request(name, text):
    return Request(name, Example(name, "test", text=text), torch.zeros(1, 0, dtype=torch.long), 1)


def decode(asked, codes):
    del asked
    return Audio(codes.float(), 16000)


def test_the_best_of_several_is_kept_for_each_request():
    task = Numbers()
    requests = [request("a", "1"), request("b", "9")]
    kept = answer(task, {}, requests, 0, decode)
    assert [int(codes) for codes in kept] == [1, 5]  # of 0, 1, 2 and of 3, 4, 5
    assert task.heard == ["a"] * 3 + ["b"] * 3
    task.candidates = 1
    assert [int(codes) for codes in answer(task, {}, requests, 0, decode)] == [0, 1]


def test_a_judge_that_is_the_ranker_is_refused_at_any_depth():
    judge = {"name": "clap", "options": {"weights": "embedded"}}
    own = Slot("clap-score", {"judge": judge})
    other = Slot("clap-score", {"judge": {**judge, "options": {"weights": "embedded-judge"}}})
    refuse_own_judge(Numbers(), [other])
    with pytest.raises(RecipeError, match="metric 'clap-score'"):
        refuse_own_judge(Numbers(), [other, own])
    single = Numbers()
    single.candidates = 1
    refuse_own_judge(single, [own])


class Letters:
    """Reads a text as as many vectors as it has letters."""

    text_dim = 2

    def read(self, texts):
        return [torch.full((len(text), 2), len(text) / 3) for text in texts]


class Reading:
    reader = Letters()


@pytest.mark.parametrize("texts", [["a", "bell", "rain"], []])
def test_stored_texts_are_what_was_read(tmp_path, texts):
    write_texts(tmp_path, Reading(), texts)
    stored = StoredTexts(tmp_path)
    assert list(stored) == texts
    for text in texts:
        assert torch.allclose(stored[text], torch.full((len(text), 2), len(text) / 3), atol=1e-3)
    assert "siren" not in stored


def test_a_sweep_keeps_its_scales(tmp_path):
    sweep = GuidanceSweep(ResultTable(()), {"generated, guidance 1.5": 1.5})
    assert GuidanceSweep.from_json(sweep.to_json()).scales == sweep.scales
