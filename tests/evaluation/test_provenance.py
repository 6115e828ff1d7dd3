import torch

from workbench.api.types import Audio, EvaluationItem, Example
from workbench.audio.signal import RESAMPLER
from workbench.evaluation.provenance import SHARED, STATED, differences, metric_settings, of_items


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


def test_a_metric_states_what_it_does_to_audio_and_whom_it_asks():
    plain = metric_settings("mean difference", version=2)
    assert set(plain) == set(STATED)
    assert (plain["resampler"], plain["loudness"]) == ("none", "as it is")
    asked = metric_settings("d", 1, models={"judge": "ab12"}, heard_at=16000, loudness="-23 LUFS")
    assert asked["resampler"] == f"{RESAMPLER} to 16000 Hz"
    assert asked["loudness"] == "-23 LUFS"
    other = metric_settings(
        "d", 1, models={"judge": "cd34"}, resampler="its own", loudness="-23 LUFS"
    )
    assert differences(asked, other) == [
        "models.judge: ab12 against cd34",
        f"resampler: {RESAMPLER} to 16000 Hz against its own",
    ]


def test_a_new_release_of_a_package_is_no_difference_but_a_new_version_of_a_metric_is():
    old = {"provider": "p", "package": "p 1.0", "version": 1}
    assert differences(old, {**old, "package": "p 1.1"}) == []
    assert differences(old, {**old, "package": "p 1.1", "version": 2}) == ["version: 1 against 2"]


def test_where_weights_lie_counts_only_where_no_hash_tells_them_apart():
    one = {"options": {"judge": {"options": {"weights": "/a"}}}}
    two = {"options": {"judge": {"options": {"weights": "/b"}}}}
    assert differences(one, two) == ["options.judge.options.weights: /a against /b"]
    same = {"models": {"judge": "ab12"}}
    assert differences({**one, **same}, {**two, **same}) == []
    assert differences({**one, **same}, {**two, "models": {"judge": "cd34"}}) == [
        "models.judge: ab12 against cd34"
    ]


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
