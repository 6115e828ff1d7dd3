"""The doctor: takes in a training's scalars in the order in which they come, and finds faults.

It is the same for a running training, whose scalars come one by one, and for a recorded one, whose
history is read again.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from workbench.training.doctor import checks, codec_checks
from workbench.training.doctor.chart import Chart
from workbench.training.doctor.findings import Finding, Look
from workbench.training.doctor.thresholds import HEALTHY, Thresholds

CODEC = ("codec",)
TAUGHT = ("codec", "encoder")
"""Kinds of stages that have teachers."""


@dataclass(frozen=True)
class Check:
    """One question that the doctor asks of a training; ``look`` gives None without data for it.

    It is asked anew when a scalar is logged whose name begins with one of ``reads``. ``stages``
    says which kinds of stages it is about (empty: all), so that data that is missing can be told
    from data that there is no need for.
    """

    name: str
    look: Callable[[Chart, Thresholds], Look | None]
    reads: tuple[str, ...]
    stages: tuple[str, ...] = ()


CHECKS = (
    Check("finite values", checks.finite_values, ("",)),
    Check("loss", checks.loss, ("loss",)),
    Check("gradient norm", checks.gradient_norm, ("gradient_norm", "doctor/gradient/")),
    Check("step size", checks.step_size, ("doctor/step_size/", "doctor/weight_size/")),
    Check("effective batch", checks.effective_batch, ("doctor/items_",)),
    Check("teacher mode", codec_checks.teacher_mode, ("doctor/teacher_training/",), TAUGHT),
    Check("teacher gradient", codec_checks.teacher_gradient, ("doctor/teacher_gradient/",), TAUGHT),
    Check("straight-through", codec_checks.straight_through, ("doctor/into_encoder",), CODEC),
    Check("codebook updates", codec_checks.codebook_updates, ("doctor/codebook_updates",), CODEC),
    Check("codebook use", codec_checks.codebook_use, ("doctor/codebook_use/",), CODEC),
    Check("dead entries", codec_checks.dead_entries, ("doctor/codebook_dead/",), CODEC),
    Check("loss shares", codec_checks.loss_shares, ("doctor/share/",), CODEC),
    Check("discriminators", codec_checks.discriminators, ("discriminator", "score_"), CODEC),
)


@dataclass(frozen=True)
class Examined:
    """What one check went by in one phase; no figures where nothing was recorded for it."""

    check: Check
    phase: str
    figures: str | None


class Doctor:
    """Watches one training through its scalars."""

    def __init__(self, limits: Thresholds = HEALTHY) -> None:
        self.limits = limits
        self.charts: dict[str, Chart] = {}
        self.complaining: set[tuple[str, str]] = set()
        """Checks, with the phase, that complained when they last looked."""
        self._found: dict[tuple[str, str, str], Finding] = {}

    @property
    def findings(self) -> list[Finding]:
        """All that was found, in the order in which it was first seen."""
        return list(self._found.values())

    def observe(
        self, phase: str, step: int, scalars: Mapping[str, float], final: bool = False
    ) -> list[Finding]:
        """Take in what was logged at ``step``; returns what was not found before.

        ``final`` values describe the end of the training, from a checkpoint.
        """
        chart = self.charts.setdefault(phase, Chart(self.limits.window))
        chart.add(step, scalars, final)
        new = []
        for check in CHECKS:
            if not any(name.startswith(check.reads) for name in scalars):
                continue
            look = check.look(chart, self.limits)
            complaints = look.complaints if look else ()
            self.complaining.discard((check.name, phase))
            self.complaining |= {(check.name, phase)} if complaints else set()
            for complaint in complaints:
                key = (check.name, phase, complaint.subject)
                finding = self._found.get(key)
                if finding is None:
                    self._found[key] = Finding(check.name, phase, step, step, complaint)
                    new.append(self._found[key])
                else:
                    self._found[key] = replace(finding, last_step=step, complaint=complaint)
        return new

    def replay(self, lines: Iterable[Mapping[str, Any]]) -> None:
        """Take in a recorded history."""
        for line in lines:
            scalars = {k: float(v) for k, v in line.items() if k not in ("phase", "step")}
            self.observe(str(line["phase"]), int(line["step"]), scalars)

    def examined(self) -> list[Examined]:
        """What each check goes by, phase by phase."""
        rows = []
        for phase, chart in self.charts.items():
            for check in CHECKS:
                look = check.look(chart, self.limits)
                rows.append(Examined(check, phase, look.figures if look else None))
        return rows


def read_lines(history: Path) -> list[dict[str, Any]]:
    """Logged steps of a training; none where there is no file, or in a line cut off by a kill."""
    text = history.read_text() if history.exists() else ""
    return [json.loads(line) for line in text.splitlines() if line.endswith("}")]
