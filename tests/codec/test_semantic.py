from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.codec.codec_parts import FakeTeacher, tones
from workbench.codec.config import SemanticConfig, TeacherConfig
from workbench.codec.semantic import (
    SemanticBranch,
    SemanticDecoder,
    SemanticEncoder,
    Teacher,
    align_frames,
    describe_teacher,
    encoder_fingerprint,
)


def test_equal_rates_copy_and_repeat_the_last_frame() -> None:
    features = torch.randn(1, 2, 4)
    aligned = align_frames(features, 1.0, 6)
    assert torch.equal(aligned[:, :, :4], features)
    assert torch.equal(aligned[:, :, 4:], features[:, :, 3:].expand(-1, -1, 2))


def test_finer_frames_are_averaged_over_each_span() -> None:
    features = torch.tensor([[[0.0, 3.0, 6.0, 9.0, 12.0, 15.0]]])
    halves = align_frames(features, 1.5, 4)  # spans [0, 1.5), [1.5, 3), [3, 4.5), [4.5, 6)
    assert torch.allclose(halves, torch.tensor([[[1.0, 5.0, 10.0, 14.0]]]))
    thirds = align_frames(features, 3.0, 2)
    assert torch.allclose(thirds, torch.tensor([[[3.0, 12.0]]]))


def test_coarser_frames_are_interpolated_between_centres() -> None:
    features = torch.tensor([[[0.0, 8.0]]])
    aligned = align_frames(features, 0.25, 8)
    expected = torch.tensor([[[0.0, 0.0, 1.0, 3.0, 5.0, 7.0, 8.0, 8.0]]])
    assert torch.allclose(aligned, expected)


@settings(max_examples=60, deadline=None)
@given(ratio=st.floats(0.05, 20), available=st.integers(1, 50), frames=st.integers(1, 50))
def test_constant_features_stay_constant_at_any_rate(
    ratio: float, available: int, frames: int
) -> None:
    aligned = align_frames(torch.full((1, 1, available), 2.0), ratio, frames)
    assert aligned.shape == (1, 1, frames)
    assert torch.allclose(aligned, torch.full((1, 1, frames), 2.0), atol=1e-5)


@settings(max_examples=40, deadline=None)
@given(ratio=st.floats(0.1, 8), shorter=st.integers(1, 20))
def test_a_frame_does_not_depend_on_how_long_the_audio_is(ratio: float, shorter: int) -> None:
    features = torch.randn(1, 2, 400)
    long = align_frames(features, ratio, 40)
    assert torch.equal(align_frames(features, ratio, shorter), long[:, :, :shorter])


@pytest.mark.parametrize(("rate", "hop"), [(8000, 160), (24000, 320), (16000, 320), (48000, 4800)])
@pytest.mark.parametrize("samples", [160, 480, 4000, 8160])
def test_a_teacher_gives_exactly_the_codec_frames(rate: int, hop: int, samples: int) -> None:
    encoder = FakeTeacher(sample_rate=rate, hop=hop)
    teacher = Teacher(encoder, describe_teacher("fake", encoder, 1.0))
    features = teacher(tones(3, samples), 8000, 50.0, samples // 160)
    assert features.shape == (3, 6, samples // 160)


def test_a_teacher_stays_in_eval_mode_and_passes_no_gradient() -> None:
    encoder = FakeTeacher()
    teacher = Teacher(encoder, describe_teacher("fake", encoder, 1.0))
    wav = tones(1, 1600).requires_grad_()
    quiet = teacher(wav, 8000, 50.0, 10)
    teacher.train()
    encoder.train()  # someone else who holds the encoder
    again = teacher(wav, 8000, 50.0, 10)
    assert torch.equal(quiet, again)
    assert not again.requires_grad
    assert not any(module.training for module in teacher.modules())


def test_padding_follows_the_configuration() -> None:
    encoder = FakeTeacher(hop=160)
    wav = tones(1, 1600)
    counts = {}
    for padding in (0, 80, 160):
        teacher = Teacher(encoder, TeacherConfig(padding=padding))
        counts[padding] = teacher.features(wav, 8000).shape[-1]
    assert counts == {0: 10, 80: 11, 160: 12}
    half = Teacher(encoder, TeacherConfig(padding=None))
    assert torch.equal(
        half.features(wav, 8000), Teacher(encoder, TeacherConfig(padding=80)).features(wav, 8000)
    )


@pytest.mark.parametrize("strides", [[1, 1], [2, 1], [3, 2]])
def test_branch_strides_divide_and_multiply_the_rate_exactly(strides: list[int]) -> None:
    config = SemanticConfig(strides=strides, channel_ratios=[2, 1], width=5)
    factor = strides[0] * strides[1]
    encoded = SemanticEncoder(config, 7)(torch.randn(2, 7, 9 * factor))
    assert encoded.shape == (2, 5, 9)
    assert SemanticDecoder(config, 7)(encoded).shape == (2, 7, 9 * factor)


def test_normalised_features_have_mean_zero_and_variance_one() -> None:
    branch = SemanticBranch(SemanticConfig(), 3, 4)
    features = torch.randn(2, 3, 50) * torch.tensor([[1.0], [5.0], [0.0]]) + 7
    flat = features.transpose(0, 1).flatten(1)
    branch.set_statistics(flat.mean(dim=1), flat.std(dim=1, correction=0))
    normal = branch.normalise(features).transpose(0, 1).flatten(1)
    assert torch.allclose(normal.mean(dim=1), torch.zeros(3), atol=1e-5)
    assert torch.allclose(normal.std(dim=1, correction=0), torch.tensor([1.0, 1.0, 0.0]), atol=1e-5)


def test_the_fingerprint_tells_weights_apart() -> None:
    first, second = FakeTeacher(), FakeTeacher(seed=1)
    assert encoder_fingerprint(first) != encoder_fingerprint(second)
    second.load_state_dict(first.state_dict())
    assert encoder_fingerprint(first) == encoder_fingerprint(second)
