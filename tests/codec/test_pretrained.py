from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from tests.codec.codec_parts import QUIET, FakeTeacher, small_codec, small_config, tones
from workbench import WeightsError, XCodecConfig, load_codec, scratch_codec, trained_codec
from workbench.codec.config import QuantizerConfig


@pytest.mark.parametrize("kind", ["dac", "spectral"])
def test_a_saved_codec_has_equal_codes_and_audio(kind: str, tmp_path: Path) -> None:
    teacher = FakeTeacher()
    codec = small_codec(kind, (teacher,))
    codec.save(tmp_path)
    again = load_codec(tmp_path, [teacher])
    assert again.config == codec.config
    wav = tones(2, 1500)
    codes = codec.encode(wav)
    assert torch.equal(again.encode(wav).values, codes.values)
    assert torch.equal(again.decode(codes), codec.decode(codes))
    assert not again.training


def test_decoding_needs_no_teacher(tmp_path: Path) -> None:
    codec = small_codec(teachers=(FakeTeacher(),))
    codec.save(tmp_path)
    codes = codec.encode(tones(1, 800))
    assert torch.equal(load_codec(tmp_path).decode(codes), codec.decode(codes))


def test_weights_of_teachers_are_not_in_the_file(tmp_path: Path) -> None:
    teacher = FakeTeacher()
    small_codec(teachers=(teacher,)).save(tmp_path)
    header = json.loads((tmp_path / "config.json").read_text())
    assert [entry["name"] for entry in header["config"]["teachers"]] == ["fake0"]
    from safetensors.torch import load_file

    saved = load_file(tmp_path / "model.safetensors")
    assert set(saved) == set(small_codec(teachers=(teacher,)).state_dict())


def test_another_teacher_is_refused_on_loading(tmp_path: Path) -> None:
    small_codec(teachers=(FakeTeacher(),)).save(tmp_path)
    with pytest.raises(WeightsError, match="not the weights"):
        load_codec(tmp_path, [FakeTeacher(seed=1)])


def test_scratch_is_a_function_of_the_seed() -> None:
    first, second, third = (scratch_codec(small_config(), (), seed) for seed in (1, 1, 2))
    state = first.state_dict()
    assert all(torch.equal(value, state[name]) for name, value in second.state_dict().items())
    other = third.state_dict()["fusion.weight"]
    assert not torch.equal(other, state["fusion.weight"])


def test_trained_weights_decide_the_architecture(tmp_path: Path) -> None:
    codec = small_codec(losses=replace(QUIET, mel=7))
    codec.save(tmp_path)
    embedded = tmp_path
    again = trained_codec("embedded", XCodecConfig(), (), embedded)
    expected = replace(
        codec.config, losses=XCodecConfig().losses, discriminator=again.config.discriminator
    )
    assert again.config == expected
    same = trained_codec(str(tmp_path), replace(XCodecConfig(), latent_dim=12), (), tmp_path)
    assert same.config.latent_dim == 12
    for asked, message in (
        (XCodecConfig(latent_dim=13), r"latent_dim is 12 there, 13 here"),
        (XCodecConfig(quantizer=QuantizerConfig(size=99)), r"quantizer\.size is 16 there, 99"),
    ):
        with pytest.raises(WeightsError, match=message):
            trained_codec(str(tmp_path), asked, (), tmp_path)


def test_a_recipe_must_name_the_encoders_of_the_weights(tmp_path: Path) -> None:
    teacher = FakeTeacher()
    small_codec(teachers=(teacher,)).save(tmp_path)
    source = str(tmp_path)
    with pytest.raises(WeightsError, match=r"encoders \['fake0'\].*the recipe has none"):
        trained_codec(source, XCodecConfig(), (), tmp_path)
    codec = trained_codec(source, XCodecConfig(), (("fake0", teacher, 0.5),), tmp_path)
    assert codec.config.teachers[0].weight == 0.5


def test_a_missing_file_and_a_foreign_folder_are_named(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="no such folder"):
        load_codec(tmp_path / "nowhere")
    (tmp_path / "config.json").write_text('{"model_type": "bert"}')
    with pytest.raises(WeightsError, match="describes no X-Codec"):
        load_codec(tmp_path)
    (tmp_path / "config.json").write_text('{"format": "workbench-xcodec", "config": {"depth": 1}}')
    with pytest.raises(WeightsError, match="depth"):
        load_codec(tmp_path)


def test_missing_weights_are_named(tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    small_codec().save(tmp_path)
    tensors = load_file(tmp_path / "model.safetensors")
    del tensors["fusion.bias"]
    save_file(tensors, tmp_path / "model.safetensors")
    with pytest.raises(WeightsError, match=r"fusion\.bias"):
        load_codec(tmp_path)
