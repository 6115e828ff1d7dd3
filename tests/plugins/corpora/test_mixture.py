"""Mixtures: the parts' examples interleaved by weight, each read from its own part."""

from __future__ import annotations

import json
from dataclasses import asdict
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile
import torch

from workbench import SPLITS, Example, RecipeError


@pytest.fixture
def parts(tmp_path):
    for name, count in (("a", 4), ("b", 8)):
        (tmp_path / name).mkdir()
        for number in range(count):
            value = (number + 1) * (0.01 if name == "a" else 0.001)
            path = tmp_path / name / f"{number}.wav"
            soundfile.write(path, np.full(100, value), 16000, subtype="FLOAT")

    def part(name: str, **more: object) -> dict[str, object]:
        options = {"path": str(tmp_path / name), "validation": 0, "test": 0}
        return {"name": "folder", "options": options, **more}

    return part


def train_ids(corpus) -> list[str]:
    return [example.id for example in corpus.examples("train")]


def test_parts_are_interleaved_evenly(build, parts):
    corpus = build("mixture", parts=[parts("a"), parts("b")])
    sources = [example.details["source"] for example in corpus.examples("train")]
    assert len(sources) == 12
    for end in (3, 6, 9, 12):
        assert sources[:end].count("0-folder") == end // 3


def test_each_example_is_read_from_its_own_part(build, parts):
    corpus = build("mixture", parts=[parts("a"), parts("b")])
    for example in corpus.examples("train"):
        number = int(example.id.split("/")[1].removesuffix(".wav"))
        scale = 0.01 if example.details["source"] == "0-folder" else 0.001
        expected = torch.full((1, 100), (number + 1) * scale)
        assert torch.allclose(corpus.audio(example).samples, expected)


def test_weights_repeat_and_thin_out_training_examples(build, parts):
    corpus = build("mixture", parts=[parts("a", weight=2.5), parts("b", weight=0.5)])
    ids = train_ids(corpus)
    assert len(set(ids)) == len(ids) == 10 + 4
    examples = list(corpus.examples("train"))
    times = [round(float(corpus.audio(e).samples[0, 0]) * 1000) for e in examples]
    # Part a holds 10, 20, 30, 40 (two or three times each), part b every second of 1 to 8.
    assert all(times.count(value) in (2, 3) for value in (10, 20, 30, 40))
    assert sorted(t for t in times if t < 10) == [1, 3, 5, 7]


def test_held_out_examples_count_once(build):
    options = {"train": 2, "validation": 2, "test": 3, "seconds": 1.0}
    part = {"name": "synthetic-music", "options": options, "weight": 3.0}
    corpus = build("mixture", parts=[part])
    assert [len(list(corpus.examples(split))) for split in SPLITS] == [6, 2, 3]


def test_examples_keep_their_details_and_survive_json(build):
    part = {"name": "synthetic-music", "options": {"train": 1, "seconds": 1.0}, "weight": 2.0}
    inner = build("synthetic-music", **part["options"])
    corpus = build("mixture", parts=[part])
    (original,) = inner.examples("train")
    for example in corpus.examples("train"):
        assert example.details["key"] == original.details["key"]
        restored = Example(**json.loads(json.dumps(asdict(example))))
        assert torch.equal(corpus.audio(restored).samples, inner.audio(original).samples)


def test_fingerprint_follows_parts_and_weights(build, parts):
    mixtures = [
        [parts("a")],
        [parts("b")],
        [parts("a"), parts("b")],
        [parts("b"), parts("a")],
        [parts("a", weight=2.0)],
    ]
    prints = {build("mixture", parts=mixture).fingerprint() for mixture in mixtures}
    assert len(prints) == len(mixtures)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "parts = .*: must be a list of at least one corpus"),
        ({"parts": [{"name": "foldr"}]}, "parts.0.name = 'foldr'"),
        ({"parts": [{"name": "folder"}]}, r"parts\.0\.options\.path = ''"),
        (
            {"parts": [{"name": "synthetic-music", "weight": 0.0}]},
            r"parts\.0\.weight = 0\.0: must be above 0",
        ),
        (
            {"parts": [{"name": "synthetic-music", "share": 0.0}]},
            r"parts\.0\.share = 0\.0: must be above 0",
        ),
        (
            {"parts": [{"name": "synthetic-music", "share": 1.0}, {"name": "synthetic-music"}]},
            r"parts = .*: must be a share in all of them or in none",
        ),
    ],
)
def test_wrong_options_are_told_plainly(build, options, message):
    with pytest.raises(Exception, match=message) as caught:
        build("mixture", **options)
    assert caught.value.exit_status == 2
    assert isinstance(caught.value, RecipeError) or "foldr" in message


def test_shares_name_the_domains_of_training_examples(build, parts):
    corpus = build("mixture", parts=[parts("a", share=0.7), parts("b", share=0.3)])
    assert corpus.crop_shares() == {"0-folder": 0.7, "1-folder": 0.3}
    for example in corpus.examples("train"):
        assert example.details["domain"] == example.id.split("/")[0]
        assert corpus.audio(example).samples.shape == (1, 100)
    assert build("mixture", parts=[parts("a"), parts("b")]).crop_shares() == {}


def test_shares_of_a_mixture_within_a_mixture_multiply(build, parts):
    inner = {"parts": [parts("a", share=3.0), parts("b", share=1.0)]}
    outer = [{"name": "mixture", "options": inner, "share": 2.0}, parts("b", share=1.0)]
    corpus = build("mixture", parts=outer)
    shares = {"0-mixture/0-folder": 1.5, "0-mixture/1-folder": 0.5, "1-folder": 1.0}
    assert corpus.crop_shares() == shares
    found = {example.details["domain"] for example in corpus.examples("train")}
    assert found == set(shares)
    assert all(corpus.audio(example).samples.numel() for example in corpus.examples("train"))
    with pytest.raises(RecipeError, match=r"parts\.0\.share = None: must be a number"):
        build("mixture", parts=[{"name": "mixture", "options": inner}])


def test_shares_change_the_fingerprint(build, parts):
    mixtures = [[parts("a", share=share), parts("b", share=1.0)] for share in (1.0, 2.0)]
    one, two = (build("mixture", parts=mixture).fingerprint() for mixture in mixtures)
    assert one != two


def test_crops_of_a_mixture_come_in_its_shares(catalog, parts, tmp_path):
    """From the recipe to the crops, whatever the parts' lengths: b is twice as long as a."""
    from workbench.pipeline.corpus import prepare_corpus
    from workbench.pipeline.experiment import Experiment
    from workbench.recipe.schema import Recipe, Slot

    mixture = [parts("a", share=0.8), parts("b", share=0.2)]
    recipe = Recipe(corpus=Slot("mixture", {"parts": mixture}), results=str(tmp_path / "results"))
    codec = SimpleNamespace(sample_rate=16000, channels=1)
    data, _ = prepare_corpus(Experiment(recipe, catalog, "cpu"), codec)
    expected = [0.8 / 4 if c.example.id.startswith("0") else 0.2 / 8 for c in data.clips("train")]
    assert data.chances("train").tolist() == pytest.approx(expected)
