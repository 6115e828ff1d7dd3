"""The semantic profile: from names to readings, files, a plot and an MLflow run."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest
import torch
from mlflow.tracking import MlflowClient

from tests.codec.codec_parts import small_codec
from workbench import Audio, Catalog, Codes, Example, RecipeError, WorkbenchError
from workbench.evaluation.statistics import mean_figure
from workbench.evaluation.table import ResultTable, Row
from workbench.pipeline.codecs import parse_component
from workbench.pipeline.profile import Plan, Profile, questions
from workbench.pipeline.profile_page import (
    default_folder,
    plain,
    profile_figure,
    track_profile,
    write_profile,
)
from workbench.pipeline.profile_run import OWN_TEST, Asked, make_profile, note_trained, open_named
from workbench.pipeline.profile_systems import (
    Encoded,
    Recordings,
    choose_recordings,
    codec_views,
    with_encoders,
)
from workbench.tracking import store_uri

SPEECH = (
    "synthetic-speech:languages=[en],alignments=true,train=12,validation=0,test=12,test_voices=2,"
    "voices=2,max_words=3,vocabulary=9"
)
MUSIC = "synthetic-music:train=6,validation=0,test=6,seconds=3"
SCRATCH = (
    "xcodec:weights=scratch,strides=[8,5,4,2],latent_dim=8,quantizer.codebooks=3,quantizer.size=8,"
    "encoder.width=4,encoder.kind=spectral,encoder.n_fft=640,decoder.kind=istft,decoder.width=16,decoder.n_fft=640"
)


class Coder:
    """A codec whose first codebook tells whether a frame is loud, and whose second is noise."""

    sample_rate, channels, frame_rate, num_codebooks, codebook_size = 16000, 1, 50.0, 2, 4

    def encode(self, wav: torch.Tensor, lengths: Any = None) -> Codes:
        frames = wav[0, 0].split(320)
        loud = torch.tensor([int(frame.abs().mean() > 0.05) for frame in frames])
        noise = torch.randint(4, loud.shape, generator=torch.Generator().manual_seed(0))
        return Codes(torch.stack([loud, noise])[None], 4, 50.0)

    def decode(self, codes: Codes) -> torch.Tensor:
        return torch.zeros(1, 1, codes.frames * 320)


class Shown(Coder):
    def vectors(self, codes: Codes) -> torch.Tensor:
        """Codebook k's entry times 10 ** (1 - k), in dimension k."""
        parts = torch.zeros(1, 2, codes.frames)
        for level in range(codes.num_codebooks):
            parts[:, level] = codes.values[:, level] * 10.0**-level
        return parts


@pytest.fixture
def codec_folder(tmp_path: Path) -> Path:
    folder = tmp_path / "codec"
    small_codec("spectral").save(folder)
    return folder


@pytest.fixture(scope="module")
def outcome(tmp_path_factory: Any, catalog: Catalog) -> Any:
    """Two codecs (one of them twice, under other names) on speech and music."""
    folder = tmp_path_factory.mktemp("profile") / "other"
    small_codec("spectral").save(folder)
    asked = Asked(
        (SCRATCH, str(folder)),
        ("one", "other"),
        corpora=(SPEECH, MUSIC),
        yardsticks=("chance", "log-mel"),
        recordings=12,
        seconds=2.0,
        plan=Plan(phones=4),
    )
    return make_profile(asked, catalog, folder.parent, "cpu")


def test_every_kind_of_information_is_read_at_every_depth(outcome: Any) -> None:
    profile = outcome.profile
    speech, music = ("synthetic-speech", "synthetic-music")
    assert profile.panels() == [
        *((speech, name) for name in ("abx-within", "abx-across", "phone", "speaker")),
        *((speech, name) for name in ("perplexity", "bits")),
        *((music, name) for name in ("chord", "melody", "instrument", "key", "perplexity", "bits")),
    ]
    for corpus, information in profile.panels():
        for named in outcome.codecs:
            for depth in range(1, named.codec.num_codebooks + 1):
                figure = profile.find(corpus, information, named.label, depth)
                assert figure is not None
                assert figure.settings["kind"] == "cumulative"
                assert {"items", "fitted_on", "corpus", "definition"} <= figure.settings.keys()
    chance = profile.find(speech, "abx-across", "chance", 0)
    assert chance.value == 0.5
    heard = profile.find(speech, "abx-within", "log-mel", 0)
    assert heard.high < 0.4


def test_a_profile_is_a_function_of_its_seed(outcome: Any, catalog: Catalog, tmp_path) -> None:
    short = dataclasses.replace(
        outcome.asked, codecs=outcome.asked.codecs[:1], names=(), corpora=(SPEECH,), yardsticks=()
    )

    def values(seed: int) -> list[float]:
        asked = dataclasses.replace(short, plan=dataclasses.replace(short.plan, seed=seed))
        return [
            r.figure.value for r in make_profile(asked, catalog, tmp_path, "cpu").profile.readings
        ]

    first = [
        reading.figure.value
        for reading in outcome.profile.readings
        if (reading.corpus, reading.system) == ("synthetic-speech", outcome.codecs[0].label)
    ]
    assert values(0) == first


def test_the_files_hold_the_readings(outcome: Any, tmp_path: Path) -> None:
    page, data, picture = write_profile(outcome, tmp_path)
    text = page.read_text()
    assert "## synthetic-music" in text
    assert "## Differences from" in text
    assert f"| {outcome.codecs[0].label}, 3 |" in text
    held = json.loads(data.read_text())
    row = next(r for r in held["readings"]["synthetic-music"] if r["depth"] == 2)
    assert row["system"] == outcome.codecs[0].label
    figure = outcome.profile.find("synthetic-music", "chord", row["system"], 2)
    assert row["figures"][0]["value"] == figure.value
    assert held["corpora"][0]["fingerprint"]
    assert held["codecs"][0]["codebooks"] == 3
    assert picture.read_bytes()[:4] == b"\x89PNG"


def test_the_plot_has_a_panel_a_kind_and_a_line_a_codec(outcome: Any) -> None:
    plot = profile_figure(outcome)
    assert len(plot.axes) == len(outcome.profile.panels())
    panel = plot.axes[0]
    names = [label for _, label in zip(*panel.get_legend_handles_labels(), strict=True)]
    assert set(names) == {"chance", "log-mel", *(named.label for named in outcome.codecs)}
    (legend,) = plot.legends
    assert len(legend.get_texts()) == 4


def test_depth_is_the_step_in_mlflow(outcome: Any, tmp_path: Path) -> None:
    files = write_profile(outcome, tmp_path / "out")
    run = track_profile(outcome, files, tmp_path)
    client = MlflowClient(store_uri(tmp_path))
    name = outcome.codecs[1].label
    curve = client.get_metric_history(run, f"profile/synthetic-speech/phone/{name}")
    found = {point.step: point.value for point in curve}
    assert found == {
        depth: outcome.profile.find("synthetic-speech", "phone", name, depth).value
        for depth in found
    }
    assert list(found) == list(range(1, outcome.codecs[1].codec.num_codebooks + 1))
    level = client.get_metric_history(run, "profile/synthetic-music/chord/log-mel")
    assert [point.step for point in level] == [0]
    assert {item.path for item in client.list_artifacts(run)} == {path.name for path in files}


@pytest.mark.parametrize(("kind", "levels"), [("cumulative", [0, 1]), ("single", [1])])
def test_views_of_a_depth(kind: Any, levels: list[int]) -> None:
    codec = Shown()
    codes = torch.tensor([[1, 0, 3], [2, 2, 0]])
    encoded = Encoded([codes], [codes])
    _, vectors = codec_views("x", codec, encoded, [1, 2], kind, "vectors")
    expected = torch.zeros(3, 2)
    for level in levels:
        expected[:, level] = codes[level] * 10.0**-level
    assert torch.allclose(vectors.features.test[0], expected)
    _, one_hot = codec_views("x", codec, encoded, [1, 2], kind, "one-hot")
    assert one_hot.features.train[0].shape == (3, 4 * len(levels))
    assert one_hot.features.train[0].sum(dim=1).tolist() == [len(levels)] * 3
    assert one_hot.compared[0].T.tolist() == [codes[level].tolist() for level in levels]


def test_a_codec_without_vectors_is_told_apart_by_its_codes() -> None:
    codes = torch.zeros(2, 3, dtype=torch.int64)
    with pytest.raises(WorkbenchError, match="use --tokens one-hot"):
        next(codec_views("x", Coder(), Encoded([codes], [codes]), [1], "cumulative", "vectors"))
    views = codec_views("x", Coder(), Encoded([codes], [codes]), [1], "cumulative", "one-hot")
    assert next(views).depth == 1


class Lines:
    """A corpus of silence."""

    def __init__(self, speakers: list[str]) -> None:
        self.speakers = speakers

    def fingerprint(self) -> str:
        return "0"

    def examples(self, split: Any) -> list[Example]:
        return [Example(f"{split}-{i}", split, speaker=s, details={"emotion": "xy"[i % 2]})
                for i, s in enumerate(self.speakers)]  # fmt: skip

    def audio(self, example: Example) -> Audio:
        return Audio(torch.zeros(1, 16000 * 3), 16000)


def test_recordings_are_drawn_and_cut() -> None:
    corpus = Lines(["a"] * 40)
    one, other = (choose_recordings("x", corpus, 10, 1.5, seed) for seed in (0, 1))
    assert len(one.train) == len(one.test) == 10
    assert one.test[0][1].seconds == 1.5
    assert one.provenance != other.provenance
    assert one.provenance == choose_recordings("x", corpus, 10, 1.5, 0).provenance


def test_probes_whose_speakers_are_all_tested_are_left_out_and_named() -> None:
    recordings = choose_recordings("x", Lines(["a", "b"] * 4), 8, 1.0, 0)
    profile = Profile()
    asked = questions(recordings, Plan(), (), profile)
    assert len(asked) == 1  # the speakers themselves
    assert profile.left_out == [
        "emotion on x: all training recordings are of speakers who are tested"
    ]


def test_further_details_can_be_asked_for() -> None:
    class Named(Lines):
        def examples(self, split: Any) -> list[Example]:
            found = []
            for example in super().examples(split):
                details = {"mood": {"now": example.details["emotion"]}}
                found.append(dataclasses.replace(example, speaker=None, details=details))
            return found

    recordings = choose_recordings("x", Named(["a"] * 6), 6, 1.0, 0)
    assert questions(recordings, Plan(), (), Profile()) == []
    assert len(questions(recordings, Plan(), ("mood.now",), Profile())) == 1


def test_what_corpora_do_not_tell_is_named(catalog: Catalog, tmp_path: Path, codec_folder) -> None:
    asked = Asked((str(codec_folder),), corpora=(MUSIC,), yardsticks=(), recordings=4, seconds=1.0,
                  plan=Plan(information=("phone",)))  # fmt: skip
    with pytest.raises(WorkbenchError, match=r"do not tell phone: .*alignments=true"):
        make_profile(asked, catalog, tmp_path, "cpu")


def test_unknown_names_are_refused(catalog: Catalog, tmp_path: Path, codec_folder: Path) -> None:
    with pytest.raises(RecipeError, match="--information 'phonemes': must be one of abx-within"):
        make_profile(
            Asked(("dac",), plan=Plan(information=("phonemes",))), catalog, tmp_path, "cpu"
        )
    with pytest.raises(RecipeError, match="--yardstick 'hubret': must be one of chance, log-mel"):
        make_profile(Asked((str(codec_folder),), yardsticks=("hubret",)), catalog, tmp_path, "cpu")
    twice = (str(codec_folder),) * 2
    for names in ((), ("one",), ("one", "one")):
        with pytest.raises(WorkbenchError, match="give each a name of its own by --name"):
            make_profile(Asked(twice, names), catalog, tmp_path, "cpu")


def test_codecs_have_short_names(catalog: Catalog, tmp_path: Path, codec_folder: Path) -> None:
    assert open_named(SCRATCH, tmp_path, catalog, "cpu").label == "xcodec:scratch"
    assert open_named("xcodec+mert", tmp_path, catalog, "cpu").label == "xcodec+mert"
    assert open_named(str(codec_folder), tmp_path, catalog, "cpu").label == "codec"


def test_teachers_follow_a_plus() -> None:
    known = ["hubert", "mert"]
    assert with_encoders("xcodec+mert", known) == ("xcodec", ["mert"])
    assert with_encoders("xcodec:a=1+hubert:layers=[1,2]+mert", known) == (
        "xcodec:a=1",
        ["hubert:layers=[1,2]", "mert"],
    )
    assert with_encoders("folder/a+b", known) == ("folder/a+b", [])


def test_the_language_model_of_a_run_is_quoted(catalog: Catalog, tmp_path: Path) -> None:
    run = tmp_path / "runs" / "one"
    run.mkdir(parents=True)
    name, options = parse_component(SCRATCH)
    models = {"codec": {"name": name, "options": options, "codebooks": 2}, "encoders": []}
    (run / "run.json").write_text(json.dumps({"models": models, "seed": 0, "status": "finished"}))
    scores = mean_figure("token perplexity", {"a": 5.0, "b": 7.0}, False)
    other = dataclasses.replace(scores, name="key")
    rows = (Row("truth", "truth", {f.name: f for f in (scores, other)}),)
    (run / "table.json").write_text(ResultTable(rows).to_json())
    named = open_named("one", tmp_path, catalog, "cpu")
    assert (named.label, named.run) == ("one", run)
    profile = Profile()
    note_trained(named, profile)
    assert profile.panels() == [(OWN_TEST, "token perplexity")]
    assert profile.find(OWN_TEST, "token perplexity", "one", 2).value == 6.0


def test_each_profile_has_a_folder_of_its_own(outcome: Any, tmp_path: Path) -> None:
    odd = [dataclasses.replace(named, label=f"{named.label}, {{}}") for named in outcome.codecs]
    folder = default_folder(dataclasses.replace(outcome, codecs=odd), tmp_path)
    assert folder.name.startswith("one--other-")
    other = dataclasses.replace(outcome, asked=dataclasses.replace(outcome.asked, seconds=3.0))
    assert default_folder(other, tmp_path) != default_folder(outcome, tmp_path)


def test_plain_values_are_json(outcome: Any) -> None:
    assert json.loads(json.dumps(plain(outcome), allow_nan=False))["format"] == 1


def test_recordings_know_their_examples() -> None:
    pair = (Example("a", "train"), Audio(torch.zeros(1, 10), 10))
    recordings = Recordings("x", "0", [pair], [], [])
    assert [e.id for e in recordings.examples("train")] == ["a"]
    assert recordings.examples("test") == []
