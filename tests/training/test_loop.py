"""The training loop: exact resume, schedules, accumulation, averaging, divergence."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from workbench import TrainingSession, TrainingSettings
from workbench.api.errors import RecipeError, TrainingDiverged, WeightsError
from workbench.training.loop import adamw, learning_rate_factor
from workbench.training.session import Optimise


class Regression:
    """A small trainee with dropout, so that its steps depend on the random state."""

    def __init__(self, settings: TrainingSettings, poison_at: int = -1) -> None:
        torch.manual_seed(0)
        self.net = nn.Sequential(nn.Linear(4, 8), nn.Dropout(0.5), nn.Linear(8, 1))
        self.optimizer = adamw(self.net.parameters(), settings)
        self.poison_at = poison_at
        self.seen: list[float] = []

    def modules(self) -> dict[str, nn.Module]:
        return {"net": self.net}

    def optimizers(self) -> dict[str, Optimizer]:
        return {"net": self.optimizer}

    def step(self, batch: Tensor, step: int, optimise: Optimise) -> Mapping[str, float | Tensor]:
        self.seen.append(float(batch.sum()))
        loss = (self.net(batch) - batch.sum(dim=1, keepdim=True)).pow(2).mean()
        if step == self.poison_at:
            loss = loss * float("nan")
        optimise(loss, "net")
        return {"loss": loss.detach()}


def batches(index: int) -> Tensor:
    return torch.randn(6, 4, generator=torch.Generator().manual_seed(index))


def weights(trainee: Regression) -> list[Tensor]:
    return [p.detach().clone() for p in trainee.net.parameters()]


class Killed(Exception):
    pass


def test_an_interrupted_training_ends_with_the_same_weights(tmp_path: Path) -> None:
    settings = TrainingSettings(steps=12, checkpoint_seconds=1e-6, log_every=1, ema_decay=0.9)
    whole = Regression(settings)
    TrainingSession(settings, tmp_path / "whole").fit(whole, batches)

    def killing(index: int) -> Tensor:
        if index == 7:
            raise Killed
        return batches(index)

    with pytest.raises(Killed):
        TrainingSession(settings, tmp_path / "cut").fit(Regression(settings), killing)
    torch.randn(1000)  # another process would have another random state
    resumed = Regression(settings)
    TrainingSession(settings, tmp_path / "cut").fit(resumed, batches)

    assert len(resumed.seen) == 5
    for one, two in zip(weights(whole), weights(resumed), strict=True):
        assert torch.equal(one, two)
    histories = [(tmp_path / name / "history.jsonl").read_text() for name in ("whole", "cut")]
    assert histories[0] == histories[1]


@pytest.mark.parametrize("decay", [0.0, 0.5])
def test_kept_weights_are_the_averages_of_their_step_and_disturb_nothing(
    tmp_path: Path, decay: float
) -> None:
    """Kept after n steps is what a training of n steps at the same rates would leave."""
    settings = TrainingSettings(
        steps=8, checkpoint_seconds=1e-6, warmup_steps=0, schedule="constant", ema_decay=decay
    )
    plain, short = Regression(settings), Regression(settings)
    TrainingSession(settings, tmp_path / "plain").fit(plain, batches)
    TrainingSession(settings, tmp_path / "short").fit(short, batches, steps=5)

    kept: dict[int, list[Tensor]] = {}

    def keeping(trainee: Regression) -> dict[int, Callable[[], None]]:
        return {n: lambda n=n: kept.__setitem__(n, weights(trainee)) for n in (3, 5)}

    def killing(index: int) -> Tensor:
        if index == 4:
            raise Killed
        return batches(index)

    session = TrainingSession(settings, tmp_path / "cut")
    cut = Regression(settings)
    with pytest.raises(Killed):
        session.fit(cut, killing, keep=keeping(cut))
    assert list(kept) == [3]
    resumed = Regression(settings)
    TrainingSession(settings, tmp_path / "cut").fit(resumed, batches, keep=keeping(resumed))
    assert list(kept) == [3, 5]
    assert all(torch.equal(a, b) for a, b in zip(kept[5], weights(short), strict=True))
    assert all(torch.equal(a, b) for a, b in zip(weights(plain), weights(resumed), strict=True))


def test_a_finished_phase_is_loaded_not_trained(tmp_path: Path) -> None:
    settings = TrainingSettings(steps=3)
    first, second = Regression(settings), Regression(settings)
    TrainingSession(settings, tmp_path).fit(first, batches)
    TrainingSession(settings, tmp_path).fit(second, batches)
    assert second.seen == []
    assert all(torch.equal(a, b) for a, b in zip(weights(first), weights(second), strict=True))


def test_accumulated_rounds_take_the_step_of_their_joint_batch(tmp_path: Path) -> None:
    joint_settings = TrainingSettings(steps=1, batch_size=6, warmup_steps=0)
    split_settings = TrainingSettings(steps=1, batch_size=6, accumulate=2, warmup_steps=0)
    joint, split = Regression(joint_settings), Regression(split_settings)
    for trainee in (joint, split):
        trainee.net[1] = nn.Identity()
    TrainingSession(joint_settings, tmp_path / "a").fit(joint, batches)
    halves = batches(0).split(3)
    TrainingSession(split_settings, tmp_path / "b").fit(split, lambda index: halves[index])
    for one, two in zip(weights(joint), weights(split), strict=True):
        torch.testing.assert_close(one, two, rtol=1e-5, atol=1e-6)


def test_the_average_of_weights_is_the_result(tmp_path: Path) -> None:
    settings = TrainingSettings(steps=2, ema_decay=0.5, warmup_steps=0)
    trainee = Regression(settings)
    path = [weights(trainee)]

    session = TrainingSession(settings, tmp_path)
    original = trainee.step

    def step(batch: Tensor, number: int, optimise: Optimise) -> Mapping[str, float | Tensor]:
        scalars = original(batch, number, optimise)
        path.append(weights(trainee))
        return scalars

    trainee.step = step  # type: ignore[method-assign]
    session.fit(trainee, batches)
    start, one, two = path
    for first, second, third, result in zip(start, one, two, weights(trainee), strict=True):
        average = first.lerp(second, 1 - 1 / 10)  # early decays are (1 + step) / (10 + step)
        average = average.lerp(third, 1 - 2 / 11)
        torch.testing.assert_close(result, average)


def test_a_loss_that_is_not_a_number_stops_the_run_and_names_the_step(tmp_path: Path) -> None:
    settings = TrainingSettings(steps=5, checkpoint_seconds=1e-6)
    with pytest.raises(TrainingDiverged, match="net loss is nan at step 3"):
        TrainingSession(settings, tmp_path).fit(Regression(settings, poison_at=3), batches)
    state = torch.load(tmp_path / "main.checkpoint", weights_only=True)
    assert state["step"] == 3
    assert all(bool(value.isfinite().all()) for value in state["modules"]["net"].values())


def test_a_damaged_checkpoint_is_named(tmp_path: Path) -> None:
    settings = TrainingSettings(steps=1)
    (tmp_path / "main.checkpoint").write_bytes(b"not a checkpoint")
    with pytest.raises(WeightsError, match=r"main\.checkpoint"):
        TrainingSession(settings, tmp_path).fit(Regression(settings), batches)


def test_listeners_hear_what_the_history_holds(tmp_path: Path) -> None:
    settings = TrainingSettings(steps=5, log_every=2, health_every=0)
    heard: list[tuple[str, int]] = []
    listener = [lambda phase, step, scalars: heard.append((phase, step))]
    TrainingSession(settings, tmp_path, listeners=listener).fit(
        Regression(settings), batches, phase="first"
    )
    assert heard == [("first", 0), ("first", 2), ("first", 4)]
    lines = [json.loads(line) for line in (tmp_path / "history.jsonl").read_text().splitlines()]
    assert [(line["phase"], line["step"]) for line in lines] == heard


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        ("constant", [0.5, 1.0, 1.0, 1.0]),
        ("cosine", [0.5, 1.0, 0.1 + 0.9 * 0.75, 0.1 + 0.9 * 0.25]),
        ("exponential", [0.5, 1.0, 0.1 ** (1 / 3), 0.1 ** (2 / 3)]),
    ],
)
def test_schedules(schedule: str, expected: list[float]) -> None:
    settings = TrainingSettings(
        steps=5,
        warmup_steps=2,
        schedule=schedule,  # type: ignore[arg-type]
        final_lr_ratio=0.1,
    )
    factors = [learning_rate_factor(settings, step, 5) for step in (0, 2, 3, 4)]
    assert factors == pytest.approx(expected)


def test_looks_at_held_out_data_are_logged_and_change_nothing(tmp_path: Path) -> None:
    settings = TrainingSettings(steps=5, validate_every=2, log_every=10)
    plain, watched = Regression(settings), Regression(settings)
    TrainingSession(settings, tmp_path / "plain").fit(plain, batches)

    def validate() -> dict[str, float]:
        return {"loss": float(torch.randn(()))}  # draws from the same generator as dropout

    TrainingSession(settings, tmp_path / "watched").fit(watched, batches, validate=validate)
    assert all(torch.equal(a, b) for a, b in zip(weights(plain), weights(watched), strict=True))
    lines = (tmp_path / "watched" / "history.jsonl").read_text().splitlines()
    looks = [json.loads(line)["step"] for line in lines if "validation_loss" in line]
    assert looks == [1, 3, 4]


def test_stages_of_one_process_may_differ_in_precision(tmp_path: Path) -> None:
    for precision in ("fp32", "bf16", "fp32"):
        settings = TrainingSettings(steps=1, precision=precision)  # type: ignore[arg-type]
        session = TrainingSession(settings, tmp_path / precision)
        trainee = Regression(settings)
        seen: list[torch.dtype] = []
        hook = trainee.net[0].register_forward_hook(
            lambda _m, _i, out, seen=seen: seen.append(out.dtype)
        )
        session.fit(trainee, batches, phase=f"{len(list(tmp_path.iterdir()))}")
        hook.remove()
        assert seen == [torch.bfloat16 if precision == "bf16" else torch.float32]


@pytest.mark.parametrize("limit", [0.01, 0.0])
def test_gradients_are_clipped_to_the_norm(limit: float, tmp_path: Path) -> None:
    settings = TrainingSettings(steps=1, clip_norm=limit, warmup_steps=0, log_every=1)
    trainee = Regression(settings)
    trainee.optimizer = torch.optim.SGD(trainee.net.parameters(), lr=1.0)
    before, norms = weights(trainee), []
    original = trainee.step

    def step(batch: Tensor, number: int, optimise: Optimise) -> Mapping[str, float | Tensor]:
        def noted(loss: Tensor, name: str) -> Tensor:
            norms.append(float(optimise(loss, name)))
            return torch.tensor(norms[-1])

        return original(batch, number, noted)

    trainee.step = step  # type: ignore[method-assign]
    TrainingSession(settings, tmp_path).fit(trainee, batches)
    steps = [after - start for start, after in zip(before, weights(trainee), strict=True)]
    moved = float(torch.cat([step.flatten() for step in steps]).norm())
    assert norms[0] > 0.1  # what optimise returns is the norm before clipping
    assert moved == pytest.approx(limit or norms[0], rel=1e-3)


def test_half_precision_without_a_gpu_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="precision = 'fp16': needs a GPU"):
        TrainingSession(TrainingSettings(precision="fp16"), tmp_path, device="cpu")
