"""The doctor at a running training: what it measures, what it says, and where it says NaN began."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from workbench import TrainingSession, TrainingSettings
from workbench.api.errors import TrainingDiverged
from workbench.training.doctor.divergence import FILE, read_divergence
from workbench.training.doctor.findings import Finding
from workbench.training.doctor.monitors import BatchMonitor, TeacherMonitor, distinct, in_train_mode
from workbench.training.loop import adamw
from workbench.training.session import Optimise


class Gate(nn.Module):
    """A rectifier that can be made to divide by 0."""

    spoilt = False

    def forward(self, x: Tensor) -> Tensor:
        return x.relu() / 0 if self.spoilt else x.relu()


class Regression:
    """A small trainee; ``fault`` plants one at step 3."""

    def __init__(self, settings: TrainingSettings, fault: str = "") -> None:
        torch.manual_seed(0)
        self.gate = Gate()
        self.last = nn.Linear(8, 1)
        self.net = nn.Sequential(nn.Linear(4, 8), self.gate, nn.Dropout(0.1), self.last)
        self.optimizer = adamw(self.net.parameters(), settings)
        self.monitor = BatchMonitor(self.net, lambda batch: batch)
        self.fault = fault

    def modules(self) -> dict[str, nn.Module]:
        return {"net": self.net}

    def optimizers(self) -> dict[str, Optimizer]:
        return {"net": self.optimizer}

    def step(self, batch: Tensor, step: int, optimise: Optimise) -> Mapping[str, float | Tensor]:
        fault = self.fault if step == 3 else ""
        if fault == "weight":
            self.last.weight.data[0, 2] = torch.inf
        if fault == "overflow":
            batch = batch * 1e15
        self.gate.spoilt = fault == "activation"
        output = self.net(batch)
        loss = (output - batch.sum(dim=1, keepdim=True)).pow(2).mean()
        if fault == "loss":
            loss = loss * float("nan")
        if fault == "gradient":  # the square root of 0 has value 0 and an infinite slope
            loss = loss + (output - output.detach()).abs().pow(0.5).sum()
        return {"loss": loss.detach(), "gradient_norm": optimise(loss, "net")}


def batches(index: int) -> Tensor:
    return torch.randn(6, 4, generator=torch.Generator().manual_seed(index))


def lines_of(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "history.jsonl").read_text().splitlines()]


def test_looks_are_taken_as_often_as_asked_and_change_nothing(tmp_path: Path) -> None:
    ends = []
    for every in (0, 1, 3):
        settings = TrainingSettings(steps=7, log_every=10, health_every=every)
        trainee = Regression(settings)
        TrainingSession(settings, tmp_path / str(every)).fit(trainee, batches)
        ends.append([p.detach().clone() for p in trainee.net.parameters()])
        looks = [n["step"] for n in lines_of(tmp_path / str(every)) if "doctor/items_given" in n]
        assert looks == {0: [], 1: list(range(7)), 3: [0, 1, 2, 3, 6]}[every]
    for other in ends[1:]:
        assert all(torch.equal(a, b) for a, b in zip(ends[0], other, strict=True))


def test_a_look_measures_batch_gradient_and_step(tmp_path: Path) -> None:
    settings = TrainingSettings(steps=1, warmup_steps=0, learning_rate=0.01, weight_decay=0)
    trainee = Regression(settings)
    start = [p.detach().clone() for p in trainee.net.parameters() if p.dim() > 1]
    TrainingSession(settings, tmp_path).fit(trainee, batches)
    (line,) = lines_of(tmp_path)
    assert line["doctor/items_given"] == line["doctor/items_in_loss"] == 6
    assert line["doctor/gradient/net"] == pytest.approx(line["gradient_norm"])
    matrices = [p.detach() for p in trainee.net.parameters() if p.dim() > 1]
    moved = [float((a - b).norm() / b.norm()) for a, b in zip(matrices, start, strict=True)]
    assert line["doctor/step_size/net"] == pytest.approx(min(moved))  # median of two: the lower


class OneItem(Regression):
    """Keeps one item of the batch, as the public X-Codec code does."""

    def step(self, batch: Tensor, step: int, optimise: Optimise) -> Mapping[str, float | Tensor]:
        return super().step(batch[:1], step, optimise)


def test_a_finding_is_said_once_even_after_a_kill(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    settings = TrainingSettings(steps=8, checkpoint_seconds=1e-6, health_every=2, log_every=1)
    heard: list[Finding] = []

    def killing(index: int) -> Tensor:
        if index == 5:
            raise KeyboardInterrupt
        return batches(index)

    with caplog.at_level(logging.WARNING, logger="workbench.doctor"):
        session = TrainingSession(settings, tmp_path, title="codec", alarms=[heard.append])
        with pytest.raises(KeyboardInterrupt):
            session.fit(OneItem(settings), killing)
        session = TrainingSession(settings, tmp_path, title="codec", alarms=[heard.append])
        session.fit(OneItem(settings), batches)
    assert [finding.check for finding in heard] == ["effective batch"]
    (message,) = caplog.messages
    assert message.startswith("codec: effective batch (step 0): only 1 of the 6 distinct items")


@pytest.mark.parametrize(
    ("fault", "origin"),
    [
        ("activation", "the output of net.1 (its input was finite)"),
        ("loss", "the net loss, computed from finite outputs of all modules"),
        ("weight", "the output of net.3 (its input was finite, net.3.weight is not)"),
        ("gradient", "the gradient of the output of net.3 (its value was finite)"),
        ("data", "the batch itself, as it was read from the data"),
    ],
)
def test_a_diverged_training_names_tensor_and_step(fault: str, origin: str, tmp_path: Path) -> None:
    settings = TrainingSettings(steps=6, checkpoint_seconds=1e-6)

    def spoilt(index: int) -> Tensor:
        batch = batches(index)
        if fault == "data" and index == 3:
            batch[2, 1] = torch.nan
        return batch

    with pytest.raises(TrainingDiverged, match="at step 3") as caught:
        TrainingSession(settings, tmp_path).fit(Regression(settings, fault), spoilt)
    assert origin in str(caught.value)
    assert "main.checkpoint, after 3 steps" in str(caught.value)
    found = read_divergence(tmp_path)
    assert found is not None
    assert (found.phase, found.step, found.origin) == ("main", 3, origin)

    good = Regression(settings)
    TrainingSession(settings, tmp_path).fit(good, batches)  # goes on from the last good checkpoint
    assert not (tmp_path / FILE).exists()
    assert [line["step"] for line in lines_of(tmp_path)] == [0, 1, 2, 4, 5]


def test_gradients_whose_norm_overflows_are_named(tmp_path: Path) -> None:
    settings = TrainingSettings(steps=6)
    with pytest.raises(TrainingDiverged, match="gradient of the net loss is not finite") as caught:
        TrainingSession(settings, tmp_path).fit(Regression(settings, "overflow"), batches)
    assert "the norm of all gradients, which overflows; the largest" in str(caught.value)
    assert "e+" in str(caught.value)
    assert "is in net.3.weight" in str(caught.value)


class Exploding(Regression):
    """Its loss is a million times what it was, from step 3 on."""

    def step(self, batch: Tensor, step: int, optimise: Optimise) -> Mapping[str, float | Tensor]:
        scalars = super().step(batch, step, optimise)
        return {**scalars, "loss": scalars["loss"] * (1e6 if step >= 3 else 1)}


def test_an_exploded_training_keeps_its_last_good_checkpoint(tmp_path: Path) -> None:
    settings = TrainingSettings(steps=9, checkpoint_seconds=1e-6, log_every=1)

    def killing(index: int) -> Tensor:
        if index == 7:
            raise KeyboardInterrupt
        return batches(index)

    with pytest.raises(KeyboardInterrupt):
        TrainingSession(settings, tmp_path).fit(Exploding(settings), killing)
    assert torch.load(tmp_path / "main.checkpoint", weights_only=True)["step"] == 3
    TrainingSession(settings, tmp_path).fit(Exploding(settings), batches)  # to its bitter end
    assert torch.load(tmp_path / "main.checkpoint", weights_only=True)["step"] == 9


def test_a_fault_that_does_not_repeat_itself_is_said_to_be_one(tmp_path: Path) -> None:
    class Once(Regression):
        planted = False

        def step(self, batch: Tensor, step: int, optimise: Optimise) -> Any:
            self.fault = "" if self.planted else "loss"
            self.planted = self.planted or step == 3
            return super().step(batch, step, optimise)

    settings = TrainingSettings(steps=6)
    with pytest.raises(TrainingDiverged, match="There is no checkpoint yet") as caught:
        TrainingSession(settings, tmp_path).fit(Once(settings), batches)
    assert "does not repeat itself" in str(caught.value)


def test_rows_count_once_and_silent_ones_not_at_all() -> None:
    rows = torch.tensor([[1.0, 2.0], [1.0, 2.0], [0.0, 0.0], [2.0, 1.0]])
    assert distinct(rows) == 2
    assert distinct(rows[2:3]) == 0


def test_only_parts_that_a_mode_matters_to_count() -> None:
    net = nn.Sequential(nn.Linear(2, 2), nn.Dropout())
    assert in_train_mode(net)
    net.eval()
    net.training = True  # the container alone
    assert not in_train_mode(net)
    net[1].train()
    assert in_train_mode(net)


def test_a_teacher_that_an_optimiser_holds_is_trained() -> None:
    teacher = nn.Linear(2, 2).eval()
    for optimizers, expected in (([], 0.0), ([torch.optim.SGD(teacher.parameters())], 1.0)):
        monitor = TeacherMonitor({"t": teacher}, optimizers)
        monitor.begin()
        with torch.no_grad():
            teacher(torch.zeros(1, 2))
        assert monitor.end() == {
            "doctor/teacher_training/t": 0.0,
            "doctor/teacher_gradient/t": expected,
        }
    monitor.begin()  # it does not run: nothing is said
    assert monitor.end() == {}
