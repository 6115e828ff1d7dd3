from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from tests.codec.codec_parts import FakeTeacher, small_codec, small_config, tones
from workbench import Codec, TrainableCodec, WeightsError, XCodec
from workbench.codec.config import SemanticConfig
from workbench.codec.semantic import describe_teacher

KINDS = ("dac", "spectral")


def teachers(*layouts: tuple[int, int]) -> tuple[FakeTeacher, ...]:
    return tuple(FakeTeacher(4 + i, rate, hop) for i, (rate, hop) in enumerate(layouts))


@pytest.mark.parametrize("kind", KINDS)
def test_it_keeps_the_codec_protocol(kind: str) -> None:
    codec = small_codec(kind)
    assert isinstance(codec, Codec)
    assert isinstance(codec, TrainableCodec)
    assert (codec.sample_rate, codec.channels, codec.frame_rate) == (8000, 1, 50.0)
    assert (codec.num_codebooks, codec.codebook_size) == (3, 16)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("samples", [1, 159, 160, 161, 1600, 4321])
def test_frames_are_exact_for_any_length(kind: str, samples: int) -> None:
    codec = small_codec(kind, teachers((8000, 160), (24000, 320), (48000, 4800)))
    codes = codec.encode(tones(2, samples))
    frames = -(-samples // 160)
    assert codes.values.shape == (2, 3, frames)
    assert codec.decode(codes).shape == (2, 1, frames * 160)


@pytest.mark.parametrize("kind", KINDS)
def test_an_item_of_a_padded_batch_gets_the_codes_it_gets_alone(kind: str) -> None:
    codec = small_codec(kind, teachers((8000, 160), (24000, 320)))
    lengths = [1600, 777, 1600, 160, 1]
    wav = tones(5, 1600)  # what lies beyond an item's length is not silence
    batch = codec.encode(wav, torch.tensor(lengths))
    assert batch.lengths is not None
    assert batch.lengths.tolist() == [10, 5, 10, 1, 1]
    for row, length in enumerate(lengths):
        alone = codec.encode(wav[row : row + 1, :, :length]).values[0]
        assert torch.equal(batch.values[row, :, : alone.shape[-1]], alone)


@pytest.mark.parametrize("kind", KINDS)
def test_stereo_and_fewer_codebooks(kind: str) -> None:
    codec = small_codec(kind, teachers((8000, 160)), channels=2)
    codes = codec.encode(tones(2, 1000, channels=2))
    assert codec.decode(codes).shape == (2, 2, 1120)
    coarse = codec.encode(tones(2, 1000, channels=2), codebooks=1)
    assert torch.equal(coarse.values, codes.values[:, :1])
    assert codec.decode(replace(codes, values=codes.values[:, :2])).shape == (2, 2, 1120)


def test_the_acoustic_control_has_no_semantic_parameter_and_differs_in_nothing_else() -> None:
    control, taught = small_codec(), small_codec(teachers=teachers((8000, 160)))
    ours, theirs = set(control.state_dict()), set(taught.state_dict())
    assert ours < theirs
    assert all(name.startswith("branches.") for name in theirs - ours)
    assert not any("teacher" in name for name in theirs)
    result = control(tones(2, 320))
    assert result.features == result.targets == ()


def test_teachers_are_neither_trained_nor_saved_but_move_along() -> None:
    (teacher,) = teachers((8000, 160))
    codec = small_codec(teachers=(teacher,))
    own = {id(parameter) for parameter in codec.parameters()}
    assert not any(id(parameter) in own for parameter in teacher.parameters())
    codec.to(torch.float64)
    assert teacher.conv.weight.dtype == torch.float64


def test_train_mode_leaves_teachers_in_eval_mode() -> None:
    (teacher,) = teachers((8000, 160))
    codec = small_codec(teachers=(teacher,))
    wav = tones(2, 1600)
    before = codec.targets(wav)[0]
    codec.train()
    teacher.train()
    assert torch.equal(codec.targets(wav)[0], before)
    assert not teacher.training


def test_codes_do_not_depend_on_the_mode() -> None:
    codec = small_codec(teachers=teachers((8000, 160)))
    wav = tones(2, 1600)
    codes = codec.encode(wav).values
    codec.train()
    assert torch.equal(codec.encode(wav).values, codes)
    state = {name: value.clone() for name, value in codec.state_dict().items()}
    codec.encode(wav)
    codec.quantizer.update()
    state["quantizer.steps"] += 1
    assert all(torch.equal(value, state[name]) for name, value in codec.state_dict().items())


def test_the_semantic_branch_reaches_the_codes() -> None:
    (teacher,) = teachers((8000, 160))
    codec = small_codec(teachers=(teacher,))
    wav = tones(1, 3200)
    before = codec.encode(wav).values
    with torch.no_grad():
        teacher.conv.weight.normal_()
    assert not torch.equal(codec.encode(wav).values, before)


def test_forward_agrees_with_encode_and_decode() -> None:
    codec = small_codec(teachers=teachers((8000, 160)))
    wav = tones(2, 1600)
    result = codec(wav)
    codes = codec.encode(wav)
    assert torch.equal(result.quantized.codes, codes.values)
    assert torch.allclose(result.wav, codec.decode(codes), atol=1e-6)
    given = codec(wav, targets=codec.targets(wav))
    assert torch.equal(given.wav, result.wav)


def test_gradients_reach_everything_that_is_trained() -> None:
    codec = small_codec(teachers=teachers((8000, 160), (24000, 320))).train()
    result = codec(tones(2, 1600))
    loss = result.wav.square().sum() + sum(f.square().sum() for f in result.features)
    loss.backward()
    missing = [name for name, p in codec.named_parameters() if p.grad is None]
    assert missing == []


def test_encoding_without_the_teachers_names_them() -> None:
    (teacher,) = teachers((8000, 160))
    config = small_config(teachers=[describe_teacher("fake0", teacher, 1.0)])
    codec = XCodec(config)
    with pytest.raises(WeightsError, match="fake0"):
        codec.encode(tones(1, 160))
    with pytest.raises(WeightsError, match="1 teachers; got 2"):
        codec.attach([teacher, teacher])


def test_another_teacher_is_refused() -> None:
    first, second = FakeTeacher(4), FakeTeacher(4, seed=1)
    codec = XCodec(small_config(teachers=[describe_teacher("fake", first, 1.0)]))
    with pytest.raises(WeightsError, match="fingerprint"):
        codec.attach([second])
    with pytest.raises(WeightsError, match="5 wide"):
        codec.attach([FakeTeacher(5)])
    codec.attach([first])


def test_codes_of_too_many_codebooks_are_refused() -> None:
    codec = small_codec()
    codes = codec.encode(tones(1, 320))
    more = replace(codes, values=codes.values.repeat(1, 2, 1))
    with pytest.raises(ValueError, match="at most 3 codebooks; got 6"):
        codec.decode(more)


@pytest.mark.parametrize("shape", [(1, 160), (1, 2, 160), (1, 1, 0)])
def test_audio_of_another_shape_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="expected audio"):
        small_codec().encode(torch.zeros(shape))


def test_bandwidth_in_codebooks() -> None:
    codec = small_codec()  # 50 frames/s of 4 bits: .2 kbit/s a codebook
    counts = [codec.codebooks_for(kbps) for kbps in (0.05, 0.2, 0.4, 0.6, 9)]
    assert counts == [1, 1, 2, 3, 3]


def test_a_semantic_branch_of_another_width_and_rate() -> None:
    (teacher,) = teachers((8000, 80))
    config = replace(
        small_config(teachers=[describe_teacher("fake", teacher, 1.0)]),
        semantic=SemanticConfig(width=10, strides=[2, 1]),
    )
    codec = XCodec(config, [teacher])
    assert config.fused_dim == 12 + 10
    result = codec(tones(2, 800))
    assert result.features[0].shape == result.targets[0].shape == (2, 4, 10)
