"""The health of a run's trainings as its page shows it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from markupsafe import Markup

from workbench.pipeline.plots import Curve, inline_svg, lines_figure, save_png
from workbench.training.doctor.chart import MARK
from workbench.training.doctor.diagnosis import Health

GROUPS: Mapping[str, str] = {
    "codebook_use/": "Codebook use by level, perplexity / size",
    "codebook_dead/": "Dead entries by level",
    "share/": "Share of each loss in the gradient at the encoder",
}
"""Scalars of the doctor that are drawn together, by the beginning of their names."""


@dataclass(frozen=True)
class HealthSection:
    """One stage: what the doctor says of it, and plots of what it measured."""

    health: Health
    plots: tuple[Markup, ...]


def health_sections(
    healths: Sequence[Health], losses: Mapping[str, Mapping[str, Curve]]
) -> list[HealthSection]:
    """A section for each stage that was trained."""
    return [
        HealthSection(
            health,
            tuple(
                Markup(inline_svg(lines_figure(lines, title), f"{title}, {health.stage}"))
                for title, lines in groups(losses.get(health.stage, {}))
            ),
        )
        for health in healths
    ]


def write_health_plots(
    healths: Sequence[Health], losses: Mapping[str, Mapping[str, Curve]], folder: Path
) -> list[Path]:
    """The same plots as PNG files."""
    paths = []
    for health in healths:
        for number, (title, lines) in enumerate(groups(losses.get(health.stage, {})), start=1):
            name = f"health-{health.stage.replace('/', '-')}-{number}.png"
            paths.append(save_png(lines_figure(lines, title), folder / name))
    return paths


def groups(curves: Mapping[str, Curve]) -> Iterator[tuple[str, dict[str, Curve]]]:
    """What is drawn together of a stage's curves: a title, and curves by their short names."""
    for prefix, title in GROUPS.items():
        start = MARK + prefix
        lines = {n.removeprefix(start): c for n, c in curves.items() if n.startswith(start)}
        if lines:
            yield title, dict(sorted(lines.items()))


def without_measurements(curves: Mapping[str, Curve]) -> dict[str, Curve]:
    """A stage's curves but for what the doctor measured."""
    return {name: curve for name, curve in curves.items() if MARK not in name}
