"""Sabotage of a codec's training is named by the doctor; healthy trainings are left alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

import workbench.codec.fit as fitting
from tests.codec.codec_parts import FULL, FakeTeacher, small_codec, tone_data
from workbench import TrainingSession, TrainingSettings, XCodec
from workbench.api.errors import TrainingDiverged
from workbench.audio.dataset import Crops
from workbench.codec.config import LossConfig, QuantizerConfig
from workbench.codec.monitor import checkpoint_signs, level_signs, updates_taken
from workbench.codec.quantizer import Codebook, Quantized, ResidualVectorQuantizer
from workbench.codec.semantic import Teacher
from workbench.codec.training import CodecTrainee
from workbench.codec.xcodec import Reconstruction
from workbench.training.doctor.findings import Finding
from workbench.training.session import Optimise

SETTINGS = TrainingSettings(
    steps=17, batch_size=4, segment_seconds=0.2, learning_rate=1e-3, warmup_steps=5, log_every=4,
    health_every=4,
)  # fmt: skip


def fresh(
    teacher: FakeTeacher | None, seed: int = 0, kind: str = "spectral", losses: LossConfig = FULL
) -> XCodec:
    """An untrained codec, whose codebooks are set at step 4."""
    quantizer = QuantizerConfig(codebooks=2, size=16, kmeans_step=4, dead_threshold=0.2)
    codec = small_codec(
        kind,
        teachers=(teacher,) if teacher else (),
        losses=losses,
        quantizer=quantizer,
        normalise=teacher is not None,
        seed=seed,
    )
    for codebook in codec.quantizer.codebooks:
        codebook.inited.zero_()
    return codec


class Named(Exception):
    """Ends a training at the first finding: what comes after a sabotage is of no interest."""

    def __init__(self, finding: Finding) -> None:
        super().__init__(finding.sentence)
        self.finding = finding


def first_finding(folder: Path, codec: XCodec, settings: TrainingSettings = SETTINGS) -> Finding:
    def alarm(finding: Finding) -> None:
        raise Named(finding)

    session = TrainingSession(settings, folder / "run", alarms=[alarm])
    with pytest.raises(Named) as caught:
        codec.fit(tone_data(folder / "data"), session)
    return caught.value.finding


@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize("semantic", [False, True], ids=["acoustic", "semantic"])
def test_healthy_trainings_have_no_findings(semantic: bool, seed: int, tmp_path: Path) -> None:
    heard: list[Finding] = []
    logged: list[Mapping[str, float]] = []
    session = TrainingSession(
        SETTINGS,
        tmp_path / "run",
        seed=seed,
        listeners=[lambda _p, _s, scalars: logged.append(scalars)],
        alarms=[heard.append],
    )
    fresh(FakeTeacher() if semantic else None, seed).fit(tone_data(tmp_path / "data"), session)
    assert heard == []
    last = logged[-2]  # the last step is no look
    assert last["doctor/items_in_loss"] == last["doctor/items_given"] == 4
    assert last["doctor/codebook_updates"] == pytest.approx(1, abs=1e-3)
    shares = {k.rpartition("/")[2]: v for k, v in last.items() if "/share/" in k}
    expected = {"mel", "stft", "pqmf", "commitment", "adversarial", "feature_matching"}
    assert set(shares) == expected | ({"semantic"} if semantic else set())
    assert sum(shares.values()) == pytest.approx(1)
    assert all(f"doctor/codebook_use/{level}" in last for level in (1, 2))
    assert ("doctor/teacher_training/fake0" in last) == semantic


def test_a_convolutional_codec_with_balanced_losses_is_healthy(tmp_path: Path) -> None:
    heard: list[Finding] = []
    session = TrainingSession(SETTINGS, tmp_path / "run", alarms=[heard.append])
    codec = fresh(FakeTeacher(), kind="dac", losses=replace(FULL, balance=True))
    codec.fit(tone_data(tmp_path / "data"), session)
    assert heard == []


def test_looking_changes_no_bit_of_a_training(tmp_path: Path) -> None:
    data = tone_data(tmp_path / "data")
    states = []
    for every in (0, 1):
        codec = fresh(FakeTeacher())
        settings = replace(SETTINGS, steps=6, health_every=every)
        codec.fit(data, TrainingSession(settings, tmp_path / str(every)))
        states.append(codec.state_dict())
    assert all(torch.equal(value, states[1][name]) for name, value in states[0].items())


def test_shares_are_those_of_the_gradients_at_the_encoder() -> None:
    torch.manual_seed(0)
    codec = fresh(FakeTeacher())
    codec.quantizer.config = replace(codec.quantizer.config, kmeans_step=0)
    trainee = CodecTrainee(codec, SETTINGS)
    batch = Crops(torch.randn(2, 1, 1600), (0, 1), (0, 0), (1600, 1600))
    trainee.discriminators = None
    seen: dict[str, Tensor] = {}

    def keep(_module: Any, inputs: tuple[Tensor, ...]) -> None:
        seen["latents"] = inputs[0]

    codec.quantizer.register_forward_pre_hook(keep)
    true: dict[str, float] = {}

    def optimise(loss: Tensor, name: str) -> Tensor:
        contributions = trainee._contributions(seen_terms)
        for key, term in contributions.items():
            (slope,) = torch.autograd.grad(term, seen["latents"], retain_graph=True)
            true[key] = float(slope.norm())
        return torch.zeros(())

    original = trainee._objective
    seen_terms: dict[str, Tensor] = {}

    def objective(terms: Mapping[str, Tensor], fake: Tensor) -> Tensor:
        seen_terms.update(terms)
        return original(terms, fake)

    trainee._objective = objective  # type: ignore[method-assign]
    trainee.monitor.begin()
    trainee.monitor.given(batch)
    trainee.step(batch, 0, optimise)
    scalars = trainee.monitor.end()
    # Exact where a loss meets the encoder by itself, so that their proportion is.
    ratio = scalars["doctor/share/semantic"] / scalars["doctor/share/commitment"]
    assert ratio == pytest.approx(true["semantic"] / true["commitment"], rel=1e-4)


# --- sabotage ---------------------------------------------------------------------------------


class RestlessTeacher(FakeTeacher):
    def train(self, mode: bool = True) -> RestlessTeacher:
        super().train(True)
        return self


def test_a_teacher_in_train_mode_is_named(tmp_path: Path) -> None:
    finding = first_finding(tmp_path, fresh(RestlessTeacher()))
    assert (finding.check, finding.first_step) == ("teacher mode", 0)
    assert "fake0" in finding.complaint.what


def test_a_teacher_that_is_trained_along_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("forward", "features"):
        monkeypatch.setattr(Teacher, name, getattr(Teacher, name).__wrapped__)  # no no_grad
    finding = first_finding(tmp_path, fresh(FakeTeacher()))
    assert (finding.check, finding.first_step) == ("teacher gradient", 0)


def test_a_missing_straight_through_gradient_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    quantize = ResidualVectorQuantizer._quantize

    def cut(self: ResidualVectorQuantizer, latents: Tensor, count: int) -> Quantized:
        result = quantize(self, latents, count)
        return replace(result, vectors=result.vectors.detach())

    monkeypatch.setattr(ResidualVectorQuantizer, "_quantize", cut)
    finding = first_finding(tmp_path, fresh(FakeTeacher()))
    assert (finding.check, finding.first_step) == ("straight-through", 4)  # once it quantises


class OneClip(CodecTrainee):
    def step(self, batch: Crops, step: int, optimise: Optimise) -> Mapping[str, float | Tensor]:
        one = Crops(batch.wav[:1], batch.indices[:1], batch.starts[:1], batch.lengths[:1])
        return super().step(one, step, optimise)


class OneClipInTheLoss(CodecTrainee):
    def _reconstruction_terms(self, wav: Tensor, result: Reconstruction) -> dict[str, Tensor]:
        return super()._reconstruction_terms(wav[:1], replace(result, wav=result.wav[:1]))

    def _adversarial_terms(self, real: Tensor, fake: Tensor) -> dict[str, Tensor]:
        return super()._adversarial_terms(real[:1], fake[:1])


@pytest.mark.parametrize("trainee", [OneClip, OneClipInTheLoss])
def test_one_clip_of_the_batch_is_named(
    trainee: type, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fitting, "CodecTrainee", trainee)
    finding = first_finding(tmp_path, fresh(FakeTeacher()))
    assert (finding.check, finding.first_step) == ("effective batch", 0)
    assert "only 1 of the 4" in finding.complaint.what


@pytest.mark.parametrize("adversarial", [False, True])
@pytest.mark.parametrize("semantic", [False, True], ids=["acoustic", "semantic"])
def test_a_learning_rate_a_hundred_times_too_high_is_named(
    semantic: bool, adversarial: bool, tmp_path: Path
) -> None:
    losses = FULL if adversarial else replace(FULL, adversarial=0, feature_matching=0)
    settings = replace(SETTINGS, learning_rate=100 * SETTINGS.learning_rate)
    codec = fresh(FakeTeacher() if semantic else None, losses=losses)
    finding = first_finding(tmp_path, codec, settings)
    assert (finding.check, finding.first_step) == ("step size", 1)
    assert "learning rate is too high" in finding.complaint.what
    assert "generator" in finding.complaint.what


class TwiceUpdated(CodecTrainee):
    def _update_codebooks(self) -> None:
        super()._update_codebooks()
        self.codec.quantizer.update()


def test_a_second_call_of_update_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fitting, "CodecTrainee", TwiceUpdated)
    finding = first_finding(tmp_path, fresh(None))
    assert (finding.check, finding.first_step) == ("codebook updates", 0)
    assert "2 times" in finding.complaint.what


def test_a_second_move_of_the_averages_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    update = Codebook.update

    def twice(self: Codebook, decay: float, dead_threshold: float) -> None:
        held = self.counts, self.sums, self.candidates
        update(self, decay, dead_threshold)
        self.counts, self.sums, self.candidates = held
        update(self, decay, dead_threshold)

    monkeypatch.setattr(Codebook, "update", twice)
    finding = first_finding(tmp_path, fresh(None))
    assert (finding.check, finding.first_step) == ("codebook updates", 8)
    assert "2 times" in finding.complaint.what


class TwiceRun(CodecTrainee):
    def step(self, batch: Crops, step: int, optimise: Optimise) -> Mapping[str, float | Tensor]:
        self.codec.train()(batch.wav)  # the public code's second pass
        return super().step(batch, step, optimise)


def test_a_second_pass_of_the_generator_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fitting, "CodecTrainee", TwiceRun)
    finding = first_finding(tmp_path, fresh(None))
    assert (finding.check, finding.first_step) == ("codebook updates", 0)


class Poisoned(CodecTrainee):
    def step(self, batch: Crops, step: int, optimise: Optimise) -> Mapping[str, float | Tensor]:
        if step != 3:
            return super().step(batch, step, optimise)
        module = self.codec.acoustic_decoder.get_submodule("blocks.0")
        forward = module.forward
        module.forward = lambda x: forward(x) * float("nan")
        try:
            return super().step(batch, step, optimise)
        finally:
            module.forward = forward


def test_nan_in_an_activation_is_traced_to_its_module(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fitting, "CodecTrainee", Poisoned)
    session = TrainingSession(SETTINGS, tmp_path / "run")
    with pytest.raises(TrainingDiverged, match="at step 3") as caught:
        fresh(None).fit(tone_data(tmp_path / "data"), session)
    words = "the output of codec.acoustic_decoder.blocks.0 (its input was finite)"
    assert words in str(caught.value)


def test_nan_from_a_teacher_is_traced_to_it(tmp_path: Path) -> None:
    class Broken(FakeTeacher):
        calls = 0

        def forward(self, wav: Tensor) -> Tensor:
            self.calls += 1
            return super().forward(wav) * (float("nan") if self.calls > 20 else 1)

    session = TrainingSession(SETTINGS, tmp_path / "run")
    with pytest.raises(TrainingDiverged) as caught:
        fresh(Broken()).fit(tone_data(tmp_path / "data"), session)
    assert "the output of teacher fake0 (its input was finite)" in str(caught.value)


@pytest.mark.parametrize(("factor", "words"), [(1000, "too high"), (0, "does not move")])
def test_discriminators_that_learn_too_fast_or_not_at_all_are_named(
    factor: float, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Unbalanced(CodecTrainee):
        def _add_discriminators(self) -> None:
            super()._add_discriminators()
            for group in self.optimizers()["discriminator"].param_groups:
                group["lr"] *= factor

    monkeypatch.setattr(fitting, "CodecTrainee", Unbalanced)
    finding = first_finding(tmp_path, fresh(None))
    assert finding.check == "step size"
    assert "discriminator" in finding.complaint.what
    assert words in finding.complaint.what


# --- figures ----------------------------------------------------------------------------------


@pytest.mark.parametrize("updates", [0, 1, 2, 3])
def test_updates_are_told_from_the_averages(updates: int) -> None:
    torch.manual_seed(0)
    before, counts = 10 * torch.rand(16), 10 * torch.rand(16)
    after = before.clone()
    for _ in range(updates):
        after.lerp_(counts, 1 - 0.99)
    assert updates_taken(before, counts, after, 0.99) == pytest.approx(updates, abs=1e-3)


def test_averages_that_stand_still_anyway_tell_nothing() -> None:
    counts = torch.ones(4)
    assert updates_taken(counts, counts, counts, 0.99) == 1
    assert updates_taken(torch.zeros(4), counts, counts, 0.0) == 1


def test_use_of_a_codebook() -> None:
    even = level_signs(2, torch.ones(8))
    assert even == pytest.approx({"doctor/codebook_use/2": 1.0, "doctor/codebook_dead/2": 0.0})
    half = level_signs(1, torch.tensor([5.0, 5.0, 5.0, 5.0, 0.1, 0.1, 0.1, 0.1]), 0.1)
    assert half["doctor/codebook_dead/1"] == 0.5
    assert half["doctor/codebook_use/1"] == pytest.approx(0.5, abs=0.06)
    assert level_signs(1, torch.zeros(8)) == {}  # not set yet


def test_a_checkpoint_tells_use_and_updates() -> None:
    codec = small_codec()
    for codebook in codec.quantizer.codebooks:
        codebook.cluster_size.fill_(1)
    codec.quantizer.steps.fill_(40)
    signs = checkpoint_signs(codec.state_dict(), 20)
    assert signs["doctor/codebook_updates"] == 2
    assert {f"doctor/codebook_use/{k}" for k in (1, 2, 3)} < set(signs)
    assert "doctor/codebook_updates" not in checkpoint_signs(codec.state_dict(), 39)
