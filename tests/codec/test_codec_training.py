from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from tests.codec.codec_parts import FULL, FakeTeacher, small_codec, tone_data, tones
from workbench import TrainingSession, TrainingSettings, XCodec
from workbench.audio.dataset import Crops
from workbench.codec.config import LossConfig, QuantizerConfig
from workbench.codec.fit import measure_features
from workbench.codec.training import CodecTrainee

SETTINGS = TrainingSettings(steps=6, batch_size=4, segment_seconds=0.2, learning_rate=1e-3)


def crops(batch: int = 4, seed: int = 0) -> Crops:
    wav = tones(batch, 1600, seed=seed)
    return Crops(wav, tuple(range(batch)), (0,) * batch, (1600,) * batch)


def trainee_of(codec: XCodec, settings: TrainingSettings = SETTINGS) -> tuple[CodecTrainee, Any]:
    """A trainee, and an ``optimise`` that steps without schedule or clipping."""
    trainee = CodecTrainee(codec, settings)

    def optimise(loss: Tensor, name: str) -> Tensor:
        optimizer = trainee.optimizers()[name]
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        return torch.zeros(())

    return trainee, optimise


def count_calls(codec: XCodec) -> dict[str, int]:
    calls = {"encoder": 0, "decoder": 0, "quantizer": 0}
    for name, module in (
        ("encoder", codec.acoustic_encoder),
        ("decoder", codec.acoustic_decoder),
        ("quantizer", codec.quantizer),
    ):
        module.register_forward_hook(lambda *_, name=name: calls.__setitem__(name, calls[name] + 1))
    return calls


def test_the_generator_runs_once_a_step_with_an_adversary() -> None:
    codec = small_codec(losses=FULL)
    calls = count_calls(codec)
    trainee, optimise = trainee_of(codec)
    trainee.step(crops(), 0, optimise)
    assert calls == {"encoder": 1, "decoder": 1, "quantizer": 1}


def test_codebooks_move_once_a_step_by_the_whole_batch() -> None:
    quantizer = QuantizerConfig(codebooks=2, size=8, ema_decay=0.9, dropout=0, dead_threshold=0)
    codec = small_codec(losses=FULL, quantizer=quantizer)
    codebook = codec.quantizer.codebooks[0]
    codebook.cluster_size.fill_(1)
    codes = codec.encode(crops().wav).values[:, 0].flatten()
    counts = torch.bincount(codes, minlength=8).float()
    assert float(counts.sum()) == 4 * 10  # every clip of the batch
    trainee, optimise = trainee_of(codec)
    trainee.step(crops(), 0, optimise)
    assert torch.allclose(codebook.cluster_size, 0.9 + 0.1 * counts)
    assert int(codec.quantizer.steps) == 1


def test_accumulated_batches_move_the_codebooks_once() -> None:
    quantizer = QuantizerConfig(codebooks=1, size=8, ema_decay=0.9, dropout=0, dead_threshold=0)
    codec = small_codec(quantizer=quantizer)
    codebook = codec.quantizer.codebooks[0]
    codebook.cluster_size.fill_(1)
    trainee = CodecTrainee(codec, replace(SETTINGS, accumulate=2))

    def hold(loss: Tensor, name: str) -> Tensor:
        loss.backward()
        return torch.zeros(())

    trainee.step(crops(seed=1), 0, hold)
    assert float(codebook.cluster_size.sum()) == 8
    trainee.step(crops(seed=2), 0, hold)
    assert float(codebook.cluster_size.sum()) == pytest.approx(0.9 * 8 + 0.1 * 2 * 4 * 10)


def test_every_clip_of_a_batch_has_a_gradient() -> None:
    codec = small_codec("spectral")
    trainee, _ = trainee_of(codec)
    wav = crops().wav
    result = codec.train()(wav)
    result.wav.retain_grad()
    terms = trainee._reconstruction_terms(wav, result)
    terms["mel"].backward()
    assert result.wav.grad is not None
    assert bool((result.wav.grad.abs().amax(dim=(1, 2)) > 0).all())


def test_teacher_features_have_no_noise_in_training() -> None:
    teacher = FakeTeacher()
    codec = small_codec(teachers=(teacher,))
    quiet = codec.targets(crops().wav)[0]
    seen: list[Tensor] = []
    codec.branches[0].encoder.register_forward_pre_hook(  # type: ignore[union-attr, operator]
        lambda _, inputs: seen.append(inputs[0])
    )
    trainee, optimise = trainee_of(codec)
    before = {name: value.clone() for name, value in teacher.state_dict().items()}
    for step in range(2):
        trainee.step(crops(), step, optimise)
    assert all(torch.equal(features, quiet) for features in seen)
    assert all(torch.equal(value, before[name]) for name, value in teacher.state_dict().items())


def test_discriminator_weights_move_by_their_own_loss_alone() -> None:
    codec = small_codec(losses=FULL)
    trainee = CodecTrainee(codec, SETTINGS)
    assert trainee.discriminators is not None
    gradients: dict[str, list[bool]] = {}

    def optimise(loss: Tensor, name: str) -> Tensor:
        loss.backward()
        assert trainee.discriminators is not None
        parts = (("codec", codec), ("discriminators", trainee.discriminators))
        gradients[name] = [any(p.grad is not None for p in part.parameters()) for _, part in parts]
        for _, part in parts:
            part.zero_grad()
        return torch.zeros(())

    trainee.step(crops(), 0, optimise)
    assert gradients == {"discriminator": [False, True], "generator": [True, False]}
    assert all(parameter.requires_grad for parameter in trainee.discriminators.parameters())


def test_adversarial_losses_wait_for_their_step() -> None:
    codec = small_codec(losses=FULL)
    codec.config.discriminator = replace(codec.config.discriminator, start_step=1)
    trainee, optimise = trainee_of(codec)
    assert "adversarial" not in trainee.step(crops(), 0, optimise)
    assert "adversarial" in trainee.step(crops(), 1, optimise)


@pytest.mark.parametrize(
    "name", ["mel", "stft", "pqmf", "adversarial", "feature_matching", "commitment", "semantic"]
)
def test_each_weight_counts_in_the_loss(name: str) -> None:
    nothing = dict.fromkeys(
        ("mel", "stft", "pqmf", "adversarial", "feature_matching", "commitment", "semantic"), 0.0
    )
    sizes = {"mel_windows": [256], "mel_bins": [20], "stft_windows": [256], "stft_hops": [64]}
    losses = LossConfig(**(nothing | {name: 3.0} | sizes))  # type: ignore[arg-type]
    codec = small_codec(teachers=(FakeTeacher(),), losses=losses)
    trainee, optimise = trainee_of(codec)
    scalars = trainee.step(crops(), 0, optimise)
    assert float(scalars["loss"]) == pytest.approx(3 * float(scalars[name]), rel=1e-5)
    assert float(scalars[name]) > 0


def test_teacher_weights_share_the_semantic_loss() -> None:
    first, second = FakeTeacher(4), FakeTeacher(5)
    values = []
    for weights in ((1.0, 0.0), (0.0, 1.0), (2.0, 3.0)):
        codec = small_codec(teachers=(first, second))
        for teacher, weight in zip(codec.config.teachers, weights, strict=True):
            teacher.weight = weight
        trainee, optimise = trainee_of(codec)
        torch.manual_seed(0)
        values.append(float(trainee.step(crops(), 0, optimise)["semantic"]))
    assert values[2] == pytest.approx(2 * values[0] + 3 * values[1], rel=1e-4)


def test_statistics_are_those_of_the_teacher_on_the_corpus() -> None:
    codec = small_codec(teachers=(FakeTeacher(),), normalise=True)
    batches = [tones(3, 1600, seed=seed) for seed in range(3)]
    features = torch.cat([codec.heard(wav)[0] for wav in batches]).transpose(0, 1).flatten(1)
    for _ in range(2):  # measuring twice changes nothing
        measure_features(codec, (codec.heard(wav) for wav in batches))
    branch = codec.semantic_branches[0]
    assert torch.allclose(branch.mean[:, 0], features.mean(dim=1), atol=1e-5)
    assert torch.allclose(branch.std[:, 0], features.std(dim=1, correction=0), atol=1e-5)


def session_in(folder: Path, settings: TrainingSettings, listeners: Any = ()) -> TrainingSession:
    return TrainingSession(settings, folder, seed=3, device="cpu", listeners=listeners)


def fresh_codec(balance: bool = False) -> XCodec:
    torch.manual_seed(5)
    quantizer = QuantizerConfig(codebooks=2, size=8, kmeans_step=2, dead_threshold=0.5)
    codec = small_codec(
        teachers=(FakeTeacher(),),
        losses=replace(FULL, balance=balance),
        quantizer=quantizer,
        normalise=True,
    )
    for codebook in codec.quantizer.codebooks:
        codebook.inited.zero_()
    return codec


def test_a_killed_training_ends_with_the_weights_of_an_uninterrupted_one(tmp_path: Path) -> None:
    data = tone_data(tmp_path / "data")
    settings = replace(SETTINGS, checkpoint_seconds=1e-9, log_every=1)

    def kill(phase: str, step: int, scalars: Mapping[str, float]) -> None:
        if step == 4:
            raise KeyboardInterrupt

    whole = fresh_codec(balance=True)
    whole.fit(data, session_in(tmp_path / "whole", settings))
    killed = fresh_codec(balance=True)
    with pytest.raises(KeyboardInterrupt):
        killed.fit(data, session_in(tmp_path / "killed", settings, (kill,)))
    resumed = fresh_codec(balance=True)
    resumed.fit(data, session_in(tmp_path / "killed", settings))
    assert int(resumed.quantizer.steps) == 6
    for name, value in whole.state_dict().items():
        assert torch.equal(value, resumed.state_dict()[name]), name


def test_a_single_process_trains_without_a_collective(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a collective was called in a single process")

    for name in ("broadcast", "all_reduce", "all_gather", "all_gather_object", "barrier"):
        monkeypatch.setattr(torch.distributed, name, refuse)
    codec = fresh_codec(balance=True)
    codec.fit(tone_data(tmp_path / "data"), session_in(tmp_path, replace(SETTINGS, steps=3)))
    assert int(codec.quantizer.steps) == 3


def test_the_seed_alone_decides_the_training(tmp_path: Path) -> None:
    data = tone_data(tmp_path / "data")
    found = []
    for state in (1, 2):
        codec = fresh_codec()
        torch.manual_seed(state)
        codec.fit(data, session_in(tmp_path / f"{state}", replace(SETTINGS, steps=2)))
        found.append(codec.state_dict())
    assert all(torch.equal(value, found[1][name]) for name, value in found[0].items())


@pytest.mark.parametrize("kind", ["dac", "spectral"])
def test_training_lowers_the_mel_distance(kind: str, tmp_path: Path) -> None:
    data = tone_data(tmp_path / "data")
    codec = fresh_codec() if kind == "dac" else small_codec("spectral")
    history: list[Mapping[str, float]] = []
    settings = replace(SETTINGS, steps=40, learning_rate=3e-3, log_every=1, warmup_steps=1)
    session = session_in(tmp_path, settings, (lambda _, __, scalars: history.append(scalars),))
    codec.fit(data, session)
    first, last = (sum(s["mel"] for s in part) / 4 for part in (history[:4], history[-4:]))
    assert last < 0.8 * first
    assert not codec.training
    assert not any("original0" in name for name in codec.state_dict())


def test_mixed_precision_trains_with_float_codebooks_and_losses(tmp_path: Path) -> None:
    data = tone_data(tmp_path / "data")
    codec = fresh_codec()
    codec.fit(data, session_in(tmp_path, replace(SETTINGS, precision="bf16")))
    assert all(value.dtype != torch.bfloat16 for value in codec.state_dict().values())
    assert all(bool(v.isfinite().all()) for v in codec.state_dict().values())


def test_data_of_another_layout_is_refused(tmp_path: Path) -> None:
    data = tone_data(tmp_path / "data")
    codec = small_codec(channels=2)
    with pytest.raises(ValueError, match="2 channels"):
        codec.fit(data, session_in(tmp_path, SETTINGS))
