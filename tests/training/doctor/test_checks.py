"""What the doctor makes of curves: each fault is named, and what is healthy is left alone."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import pytest

from workbench.training.doctor.examination import CHECKS, Doctor
from workbench.training.doctor.thresholds import HEALTHY

Scalars = Mapping[str, float]


def examined(curve: Callable[[int], Scalars], count: int, every: int = 10) -> Doctor:
    """A doctor that has seen ``count`` points, ``every`` steps apart."""
    doctor = Doctor()
    for number in range(count):
        doctor.observe("main", number * every, curve(number))
    return doctor


def named(doctor: Doctor) -> list[tuple[str, str]]:
    return [(finding.check, finding.complaint.subject) for finding in doctor.findings]


def healthy_losses(number: int) -> Scalars:
    noise = 1 + 0.4 * math.sin(7.0 * number)
    return {"loss": (1 + 9 / (1 + number)) * noise, "gradient_norm": 5 * noise}


def test_a_falling_noisy_loss_is_healthy() -> None:
    assert named(examined(healthy_losses, 100)) == []


def test_a_loss_above_its_start_has_exploded() -> None:
    doctor = examined(lambda n: {"loss": 10.0 if n < 20 else 40.0}, 40)
    assert named(doctor) == [("loss", "loss")]
    (finding,) = doctor.findings
    assert (finding.first_step, finding.last_step) == (220, 390)  # once the median is above
    assert "40" in finding.complaint.what
    assert "learning_rate" in finding.complaint.advice


def test_a_loss_back_at_its_start_after_a_deep_fall_has_exploded() -> None:
    def curve(number: int) -> Scalars:
        return {"loss": 10.0 if number < 10 else 1.0 if number < 30 else 10.5}

    assert named(examined(curve, 40)) == [("loss", "loss")]
    assert named(examined(lambda n: {"loss": min(curve(n)["loss"], 5.0)}, 40)) == []


def test_an_adversary_that_joins_in_changes_what_is_usual() -> None:
    def curve(number: int) -> Scalars:
        return {"loss": 1.0} if number < 30 else {"loss": 20.0, "adversarial": 1.0}

    assert named(examined(curve, 60)) == []


def test_codebooks_that_come_and_go_change_nothing() -> None:
    def curve(number: int) -> Scalars:
        return {"loss": 1.0 if number < 30 else 20.0, f"perplexity_{number}": 3.0}

    assert named(examined(curve, 60)) == [("loss", "loss")]


def test_a_gradient_that_clipping_hides_is_named() -> None:
    doctor = examined(lambda n: {"loss": 1.0, "gradient_norm": 2.0 if n < 20 else 500.0}, 40)
    assert named(doctor) == [("gradient norm", "as logged")]


def test_a_gradient_that_is_logged_twice_is_named_once() -> None:
    def curve(number: int) -> Scalars:
        norm = 2.0 if number < 20 else 500.0
        return {"gradient_norm": norm, "doctor/gradient/a": norm, "doctor/gradient/b": norm + 1}

    doctor = examined(curve, 40)
    assert named(doctor) == [("gradient norm", "as logged"), ("gradient norm", "b")]


def test_a_single_point_is_enough_where_all_measure_is_lost() -> None:
    def curve(number: int) -> Scalars:
        return {"loss": 10.0 if number < 2 else 1e4, "gradient_norm": 1.0 if number < 2 else 1e5}

    doctor = examined(curve, 3)
    assert named(doctor) == [("loss", "loss"), ("gradient norm", "as logged")]
    assert doctor.findings[0].first_step == 20
    assert doctor.complaining == {("loss", "main"), ("gradient norm", "main")}
    doctor.observe("main", 30, {"loss": 10.0, "gradient_norm": 1.0})
    assert doctor.complaining == set()


def test_a_scalar_that_is_not_finite_is_named() -> None:
    doctor = examined(lambda n: {"loss": 1.0, "mel": math.nan if n == 7 else 1.0}, 8)
    assert named(doctor) == [("finite values", "mel")]


@pytest.mark.parametrize(("share", "expected"), [(0.01, []), (0.2, [("step size", "generator")])])
def test_steps_that_are_too_large(share: float, expected: list[tuple[str, str]]) -> None:
    assert named(examined(lambda _: {"doctor/step_size/generator": share}, 3)) == expected


def test_one_large_step_is_no_fault() -> None:
    doctor = examined(lambda n: {"doctor/step_size/generator": 0.2 if n == 1 else 0.001}, 4)
    assert named(doctor) == []


def test_weights_that_do_not_move_are_named() -> None:
    doctor = examined(lambda _: {"doctor/step_size/discriminator": 0.0}, 3)
    assert named(doctor) == [("step size", "discriminator")]
    assert "does not move" in doctor.findings[0].complaint.what
    assert named(examined(lambda _: {"doctor/step_size/discriminator": 0.0}, 2)) == []


def test_weights_that_grow_are_named_unless_looks_lie_far_apart() -> None:
    def curve(number: int) -> Scalars:
        return {"doctor/step_size/model": 0.02, "doctor/weight_size/model": 2.0**number}

    assert named(examined(curve, 3, every=50)) == [("step size", "growth of model")]
    assert named(examined(curve, 3, every=500)) == []


@pytest.mark.parametrize(
    ("scalars", "check"),
    [
        ({"doctor/items_given": 8.0, "doctor/items_in_loss": 1.0}, "effective batch"),
        ({"doctor/teacher_training/hubert": 1.0}, "teacher mode"),
        ({"doctor/teacher_gradient/hubert": 1.0}, "teacher gradient"),
        ({"doctor/into_encoder": 0.0}, "straight-through"),
        ({"doctor/codebook_updates": 2.0}, "codebook updates"),
        ({"doctor/codebook_updates": 0.0}, "codebook updates"),
    ],
)
def test_faults_that_one_look_shows(scalars: Scalars, check: str) -> None:
    doctor = Doctor()
    (finding,) = doctor.observe("main", 50, scalars)
    assert finding.check == check
    assert finding.complaint.severity == "fault"
    assert doctor.observe("main", 100, scalars) == []  # said once
    assert doctor.findings[0].steps == "steps 50 to 100"
    doctor.observe("main", 110, {"loss": 1.0})  # no look: nothing is known of this step
    assert doctor.findings[0].last_step == 100


def test_collapsed_codebooks_are_named_by_level_after_a_while() -> None:
    scalars = {"doctor/codebook_use/1": 0.02, "doctor/codebook_use/2": 0.5}
    looks = HEALTHY.codebook_use_looks
    assert named(examined(lambda _: scalars, looks - 1, every=50)) == []
    assert named(examined(lambda _: scalars, looks, every=1)) == []  # the start is no while
    doctor = examined(lambda _: scalars, looks, every=50)
    assert named(doctor) == [("codebook use", "level 1")]


def test_the_end_of_a_training_needs_no_while() -> None:
    doctor = Doctor()
    doctor.observe("main", 99, {"doctor/codebook_use/1": 0.02}, final=True)
    assert named(doctor) == [("codebook use", "level 1")]
    rows = {row.check.name: row.figures for row in doctor.examined()}
    assert "from the checkpoint" in (rows["codebook use"] or "")


def test_entries_that_stay_dead_are_a_warning() -> None:
    doctor = examined(lambda _: {"doctor/codebook_dead/3": 0.9}, HEALTHY.dead_looks, every=50)
    assert named(doctor) == [("dead entries", "level 3")]
    assert doctor.findings[0].complaint.severity == "warning"


def test_a_loss_without_a_gradient_and_one_that_has_it_all() -> None:
    shares = {"mel": 1.0, "semantic": 0.0}
    scalars = {"doctor/into_encoder": 1.0} | {f"doctor/share/{k}": v for k, v in shares.items()}
    doctor = examined(lambda _: scalars, HEALTHY.share_looks, every=50)
    assert set(named(doctor)) == {("loss shares", "mel"), ("loss shares", "semantic")}
    cut = {**scalars, "doctor/into_encoder": 0.0}
    assert named(examined(lambda _: cut, 3, every=50)) == [("straight-through", "quantiser")]
    assert named(examined(lambda _: {"doctor/share/mel": 1.0}, 5, every=50)) == []  # the only loss


def judged(loss: float, real: float, fake: float) -> Scalars:
    return {"discriminator": loss, "score_real": real, "score_fake": fake}


@pytest.mark.parametrize(
    ("scalars", "expected"),
    [
        (judged(0.001, 0.99, 0.01), ["won"]),
        (judged(0.5, 0.5, 0.499), ["blind"]),
        (judged(0.95, 0.02, 0.02), ["blind"]),
        (judged(0.4, 0.6, 0.4), []),
        (judged(0.49, 0.52, 0.48), []),
    ],
)
def test_discriminators(scalars: Scalars, expected: list[str]) -> None:
    count = HEALTHY.judged_steps // 10 + 1
    assert [subject for _, subject in named(examined(lambda _: scalars, count))] == expected
    assert named(examined(lambda _: scalars, count - 1)) == []  # too early to tell
    assert named(examined(lambda _: scalars, 5, every=HEALTHY.judged_steps)) == []  # too little
    saved = {**scalars, "discriminator": 0.3}
    late = examined(lambda n: saved if n == count // 2 else scalars, count)
    assert named(late) == []  # not all the while


def test_phases_are_examined_apart() -> None:
    doctor = Doctor()
    for step in range(10):
        doctor.observe("first", step, {"loss": 1.0})
    for step in range(10):
        doctor.observe("second", step, {"loss": 9.0})
    assert named(doctor) == []


def test_every_check_has_something_to_read_and_says_what_it_saw() -> None:
    scalars = {
        "loss": 1.0, "gradient_norm": 1.0, "doctor/step_size/a": 0.01, "doctor/weight_size/a": 1.0,
        "doctor/items_given": 4.0, "doctor/items_in_loss": 4.0, "doctor/teacher_training/t": 0.0,
        "doctor/teacher_gradient/t": 0.0, "doctor/into_encoder": 1.0, "doctor/share/mel": 0.5,
        "doctor/codebook_updates": 1.0, "doctor/codebook_use/1": 0.5, "doctor/codebook_dead/1": 0.0,
        "discriminator": 0.4,
    }  # fmt: skip
    doctor = examined(lambda _: scalars, 3)
    assert named(doctor) == []
    assert [row.check for row in doctor.examined()] == list(CHECKS)
    assert all(row.figures for row in doctor.examined())
    nothing = Doctor()
    nothing.observe("main", 0, {"accuracy": 1.0})
    figures = {row.check.name: row.figures for row in nothing.examined()}
    assert [name for name, figure in figures.items() if figure] == ["finite values"]
