"""A recorded training read again, and what the doctor has to say of it, in words and as JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workbench.training.doctor.chart import MARK
from workbench.training.doctor.divergence import ADVICE, Divergence, read_divergence
from workbench.training.doctor.examination import CHECKS, Doctor, Examined, read_lines
from workbench.training.doctor.findings import Complaint, Finding

HISTORY = "history.jsonl"
"""A training session's logged steps, in its folder."""


@dataclass(frozen=True)
class FinalState:
    """What a checkpoint tells of a training's end.

    ``signs`` are scalars that the history may lack, ``broken`` names of tensors that hold NaN or
    infinity, at ``step`` of ``phase``.
    """

    phase: str
    step: int
    signs: Mapping[str, float]
    broken: Sequence[str] = ()


@dataclass(frozen=True)
class Health:
    """One stage's training: what was found, what it was judged by, and what could not be judged.

    ``watched`` says whether the doctor looked into its steps.
    """

    stage: str
    last_step: int
    points: int
    watched: bool
    findings: tuple[Finding, ...]
    examined: tuple[Examined, ...]

    @property
    def healthy(self) -> bool:
        """Whether nothing was found."""
        return not self.findings

    @property
    def unjudged(self) -> list[str]:
        """Names of checks that this kind of stage calls for, but that have no data."""
        seen = {row.check.name for row in self.examined if row.figures is not None}
        kind = self.stage.split("/")[0]
        asked = [check for check in CHECKS if not check.stages or kind in check.stages]
        return [check.name for check in asked if check.name not in seen]

    @property
    def headline(self) -> str:
        """The verdict in a line."""
        count = len(self.findings)
        verdict = "healthy" if self.healthy else f"{count} finding{'s' * (count != 1)}"
        return (
            f"{self.stage}: {verdict} ({self.last_step + 1:,} steps, {self.points} logged points)"
        )

    @property
    def summary(self) -> str:
        """The verdict for a tag: ``healthy``, or the checks that found something."""
        names = dict.fromkeys(f"{f.complaint.severity}: {f.check}" for f in self.findings)
        return "; ".join(names) or "healthy"

    def why_unjudged(self) -> str:
        """Why there is no data."""
        if self.watched:
            return "this training has none of it, or nothing that measures it"
        return "not recorded: trained before there was a doctor, or with health_every = 0"


def diagnose(stage: str, folder: Path, final: FinalState | None = None) -> Health:
    """Read the training in ``folder`` again, from its first logged step to its last."""
    doctor = Doctor()
    lines = read_lines(folder / HISTORY)
    doctor.replay(lines)
    watched = any(name.startswith(MARK) for line in lines for name in line)
    findings: list[Finding] = []
    if final is not None:
        known = {name for chart in doctor.charts.values() for name in chart.curves}
        signs = {name: value for name, value in final.signs.items() if name not in known}
        if signs:
            doctor.observe(final.phase, final.step, signs, final=True)
        findings += [_broken(final, name) for name in final.broken[:1]]
    divergence = read_divergence(folder)
    if divergence is not None:
        findings.append(_diverged(divergence))
    return Health(
        stage=stage,
        last_step=max((chart.last_step for chart in doctor.charts.values()), default=0),
        points=len(lines),
        watched=watched,
        findings=(*findings, *doctor.findings),
        examined=tuple(doctor.examined()),
    )


def _diverged(divergence: Divergence) -> Finding:
    what = (
        f"the training was stopped: {divergence.symptom}. First value that was not finite: "
        f"{divergence.origin}. {divergence.checkpoint}"
    )
    complaint = Complaint("divergence", what, ADVICE)
    return Finding("finite values", divergence.phase, divergence.step, divergence.step, complaint)


def _broken(final: FinalState, name: str) -> Finding:
    what = f"the checkpoint holds NaN or infinity, first in {name} ({len(final.broken)} tensors)."
    complaint = Complaint("checkpoint", what, ADVICE)
    return Finding("finite values", final.phase, final.step, final.step, complaint)


def health_text(health: Health) -> str:
    """A stage's health in plain words: findings with what to do, then what was looked at."""
    lines = [health.headline]
    for finding in health.findings:
        complaint = finding.complaint
        phase = "" if finding.phase == "main" else f"phase {finding.phase}, "
        lines += [
            f"  {complaint.severity.upper()}: {finding.check}, {phase}{finding.steps}",
            f"    {complaint.what}",
            f"    What to do: {complaint.advice}",
        ]
    lines.append("  looked at:")
    for row in health.examined:
        if row.figures is not None:
            phase = "" if row.phase == "main" else f" ({row.phase})"
            lines.append(f"    {row.check.name}{phase}: {row.figures}")
    if health.unjudged:
        lines.append(f"  not judged ({health.why_unjudged()}): {', '.join(health.unjudged)}")
    return "\n".join(lines)


def health_markdown(healths: Sequence[Health]) -> str:
    """The health of a run's trainings, for an artifact."""
    parts = ["# Health of the trainings"]
    if not healths:
        parts.append("This run has trained nothing.")
    for health in healths:
        parts.append(f"## {health.headline}")
        parts += [
            f"- **{f.complaint.severity}, {f.check}** ({f.steps}): {f.complaint.what} "
            f"*What to do:* {f.complaint.advice}"
            for f in health.findings
        ]
        seen = [row for row in health.examined if row.figures is not None]
        parts += [f"- looked at {row.check.name}: {row.figures}" for row in seen]
        if health.unjudged:
            parts.append(f"- not judged ({health.why_unjudged()}): {', '.join(health.unjudged)}")
    return "\n\n".join(parts) + "\n"


def health_json(health: Health) -> dict[str, Any]:
    """A stage's health as plain JSON values."""
    return {
        "stage": health.stage,
        "healthy": health.healthy,
        "last_step": health.last_step,
        "points": health.points,
        "findings": [
            {
                "check": finding.check,
                "severity": finding.complaint.severity,
                "subject": finding.complaint.subject,
                "phase": finding.phase,
                "first_step": finding.first_step,
                "last_step": finding.last_step,
                "what": finding.complaint.what,
                "advice": finding.complaint.advice,
            }
            for finding in health.findings
        ],
        "looked_at": [
            {"check": row.check.name, "phase": row.phase, "figures": row.figures}
            for row in health.examined
            if row.figures is not None
        ],
        "not_judged": health.unjudged,
        "why_not_judged": health.why_unjudged() if health.unjudged else "",
    }
