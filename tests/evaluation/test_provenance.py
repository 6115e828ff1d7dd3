import torch

from workbench.api.types import Audio, EvaluationItem, Example
from workbench.evaluation.provenance import SHARED, differences, of_items


def item(name, seconds=1.0, level=0.1, rate=100):
    audio = Audio(torch.full((1, round(seconds * rate)), level), rate)
    return EvaluationItem(name, Example(name, "test"), audio, audio, prompt=audio)


def test_equal_settings_have_no_differences():
    settings = {"metric": "frechet", "options": {"encoder": {"name": "mert"}}, "kinds": ["a"]}
    assert differences(settings, {**settings, "kinds": ("a",)}) == []


def test_each_differing_field_is_named_with_both_values():
    one = {"options": {"encoder": {"name": "mert", "layer": 9}}, "sample_rate": 16000}
    two = {"options": {"encoder": {"name": "clap", "layer": 9}}, "n": 3, "sample_rate": 16000}
    assert differences(one, two) == [
        "n: absent against 3",
        "options.encoder.name: mert against clap",
    ]


def test_seeds_may_differ():
    assert differences({"seed": 0, "n": 1}, {"seed": 1, "n": 1}) == []


def test_an_emptied_mapping_is_a_difference():
    assert differences({"options": {}}, {"options": {"a": 1}}) != []


def test_items_reference_audio_and_lengths_are_part_of_the_provenance():
    base = of_items([item("a"), item("b")])
    assert set(base) == set(SHARED)
    assert base["n"] == 2
    assert base["sample_rate"] == 100
    assert base["clip_seconds"] == 1.0
    assert differences(base, of_items([item("a"), item("b")])) == []

    def changed(*items):
        return {line.split(":")[0] for line in differences(base, of_items(items))}

    assert changed(item("a"), item("c")) == {"items"}
    assert changed(item("a"), item("b", level=0.2)) == {"reference"}
    assert changed(item("a"), item("b", seconds=2.0)) == {
        "reference",
        "clip_seconds",
        "prompt_seconds",
    }
    assert of_items([item("a"), item("b", seconds=2.0)])["clip_seconds"] == [1.0, 2.0]
