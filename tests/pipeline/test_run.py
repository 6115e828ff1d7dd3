"""A whole run: what it leaves, what a second one reuses, what a changed one builds anew."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from workbench import AudioError, Catalog, read_audio
from workbench.api.errors import RecipeError, WorkbenchError
from workbench.api.types import Wish
from workbench.evaluation.table import ResultTable
from workbench.pipeline.evaluate import kept
from workbench.pipeline.report import RunReport
from workbench.pipeline.run import run_recipe
from workbench.pipeline.trained import open_run
from workbench.recipe.load import load_recipe
from workbench.tracking import Tracker


def run(path: Path, catalog: Catalog, *overrides: str) -> RunReport:
    return run_recipe(load_recipe(path, overrides, catalog), catalog)


def test_a_run_leaves_everything_and_a_second_one_reuses_it(
    tiny_recipe: Path, catalog: Catalog
) -> None:
    report = run(tiny_recipe, catalog)
    folder = report.folder

    table = ResultTable.from_json((folder / "table.json").read_text())
    assert [row.role for row in table.rows] == ["truth", "ceiling", "result", "floor", "floor"]
    assert table.figure("ground truth", "mel-distance").value == 0
    assert table.figure("generated", "mel-distance").n == 3
    assert table.figure("generated", "token perplexity").value > 1
    record = json.loads((folder / "run.json").read_text())
    assert record["status"] == "finished"
    assert (folder / "report.html").stat().st_size > 10_000
    for system in ("prompt", "ground-truth", "codec-round-trip", "generated", "another-item"):
        for path in (folder / "audio" / system).iterdir():
            assert read_audio(path).seconds == 1.0

    results = folder.parent.parent
    client = Tracker(results).client
    tracked = client.get_run(record["mlflow_run_id"])
    assert tracked.info.status == "FINISHED"
    assert tracked.data.params["codec.options.strides"] == "[8, 5, 4, 4]"
    logged = client.get_metric_history(record["mlflow_run_id"], "codec/mel")
    assert [point.step for point in logged] == list(range(6))
    looked = client.get_metric_history(record["mlflow_run_id"], "codec/validation_used_2")
    assert [point.step for point in looked] == [5]
    assert "validation_used_2 of codec" in (folder / "report.html").read_text()

    again = run(tiny_recipe, catalog)
    assert all(stage.reused for stage in again.stages)
    assert json.loads((folder / "run.json").read_text())["mlflow_run_id"] == tracked.info.run_id
    logged = client.get_metric_history(tracked.info.run_id, "codec/mel")
    assert [point.step for point in logged] == list(range(6))  # nothing twice

    other = run(tiny_recipe, catalog, "lm.training.steps=3")
    reused = {stage.name: stage.reused for stage in other.stages}
    assert reused["codec"]
    assert reused["tokens"]
    assert not reused["lm/lm"]
    assert other.folder != folder


def test_a_finished_run_goes_on_with_a_persons_file(tiny_recipe: Path, catalog: Catalog) -> None:
    folder = run(tiny_recipe, catalog).folder
    prompt = read_audio(next((folder / "audio" / "ground-truth").iterdir()))
    trained = open_run(folder, catalog, "cpu")
    audio, heard = trained.generate(Wish(seconds=2.0), prompt, seed=1)
    assert audio.seconds == 2.0
    assert heard is not None
    assert heard.seconds == 1.0
    same, _ = trained.generate(Wish(seconds=2.0), prompt, seed=1)
    other, _ = trained.generate(Wish(seconds=2.0), prompt, seed=2)
    assert bool((same.samples == audio.samples).all())
    assert not bool((other.samples == audio.samples).all())
    for precision in ("fp16", "int8"):
        quick = open_run(folder, catalog, "cpu", {"temperature": 0.5}, precision)
        assert quick.generate(Wish(seconds=1.0), prompt, seed=1)[0].seconds == 1.0
    with pytest.raises(WorkbenchError, match="--prompt"):
        trained.generate(Wish(), None, seed=0)


def test_a_folder_with_a_broken_file_is_used_and_the_file_named(
    tiny_recipe: Path, catalog: Catalog, tmp_path: Path
) -> None:
    import torch

    from workbench import Audio, write_audio

    music = tmp_path / "music"
    for number in range(8):
        split = ("train", "train", "test", "validation")[number % 4]
        rate = (8000, 22050, 44100)[number % 3]
        suffix = ("wav", "flac", "ogg", "mp3")[number % 4]
        wav = 0.1 * torch.randn(1 + number % 2, rate * 3)
        write_audio(music / split / f"{number}.{suffix}", Audio(wav, rate))
    (music / "train" / "broken.wav").write_bytes(b"not audio")
    report = run(tiny_recipe, catalog, "corpus.name=folder", f"corpus.options.path={music}")
    assert [entry.id for entry in report.skipped] == ["train/broken.wav"]
    assert "broken.wav" in (report.folder / "report.html").read_text()
    assert report.table.figure("generated", "mel-distance").n == 2


def test_a_split_that_holds_nothing_is_an_error_that_says_so(
    tiny_recipe: Path, catalog: Catalog
) -> None:
    with pytest.raises((WorkbenchError, AudioError), match="no usable test recordings"):
        run(tiny_recipe, catalog, "corpus.options.test=0")
    runs = list((tiny_recipe.parent / "results" / "runs").iterdir())
    assert [json.loads((r / "run.json").read_text())["status"] for r in runs] == ["failed"]


def test_pieces_too_short_for_the_task_are_an_error(tiny_recipe: Path, catalog: Catalog) -> None:
    with pytest.raises(WorkbenchError, match="only 0 of 3 test recordings"):
        run(tiny_recipe, catalog, "task.options.continuation_seconds=60", "lm.model.context=8000")


def test_training_what_cannot_be_trained_is_an_error(tiny_recipe: Path, catalog: Catalog) -> None:
    with pytest.raises(RecipeError, match=r"set codec\.training\.steps=0"):
        run(
            tiny_recipe,
            catalog,
            "codec.name=encodec",
            "codec.options={weights: random}",
            "corpus.options.seconds=2",
        )


def test_a_language_model_starts_only_from_one_that_knows_the_same_codes(
    tiny_recipe: Path, catalog: Catalog
) -> None:
    folder = run(tiny_recipe, catalog).folder
    weights = json.loads((folder / "run.json").read_text())["models"]["language_models"]["lm"]
    warm = run(tiny_recipe, catalog, f"lm.init={weights}", "lm.training.steps=1")
    assert warm.table.figure("generated", "mel-distance").n == 3
    with pytest.raises(RecipeError, match="another codec's codes"):
        run(tiny_recipe, catalog, f"lm.init={weights}", "codec.training.steps=2")
    with pytest.raises(RecipeError, match="no language model"):
        run(tiny_recipe, catalog, f"lm.init={tiny_recipe.parent}")


def test_a_codec_can_be_used_with_its_first_codebooks(tiny_recipe: Path, catalog: Catalog) -> None:
    folder = run(tiny_recipe, catalog, "codec.codebooks=1").folder
    trained = open_run(folder, catalog, "cpu")
    assert trained.codec.num_codebooks == 1
    with pytest.raises(RecipeError, match="the codec has 2 codebooks"):
        run(tiny_recipe, catalog, "codec.codebooks=3")


def test_prompts_are_encoded_without_what_follows_them(
    tiny_recipe: Path, catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    from workbench.pipeline import generation

    heard: list[int] = []
    original = generation.hear_alone

    def watched(request, held_out, codec, device):  # type: ignore[no-untyped-def]
        lengths: list[int] = []
        encode = codec.encode
        monkeypatch.setattr(
            codec, "encode", lambda wav: (lengths.append(wav.shape[-1]), encode(wav))[1]
        )
        out = original(request, held_out, codec, device)
        monkeypatch.setattr(codec, "encode", encode)
        heard.extend(lengths)
        assert out.prompt.shape == request.prompt.shape
        return out

    monkeypatch.setattr(generation, "hear_alone", watched)
    run(tiny_recipe, catalog)
    assert heard == [16000, 16000, 16000]


def test_figures_are_made_anew_where_the_files_behind_a_metric_have_changed(
    tiny_recipe: Path, catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when the weights of an embedded judge are replaced by others of the same version."""
    run(tiny_recipe, catalog)
    before = kept._stamp
    monkeypatch.setattr(kept, "_stamp", lambda path: [*before(path), "another file"])
    stages = run(tiny_recipe, catalog).stages
    assert [stage.name for stage in stages if not stage.reused] == ["evaluation"]
