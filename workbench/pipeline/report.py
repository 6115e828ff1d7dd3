"""What a run leaves for people: one HTML page, plots, and a summary for the terminal."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from markupsafe import Markup
from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from workbench.api.types import Skipped
from workbench.evaluation.groups import Breakdown
from workbench.evaluation.table import ResultTable
from workbench.pipeline.guidance import FILE as GUIDANCE_FILE
from workbench.pipeline.guidance import GuidanceSweep
from workbench.pipeline.guidance_page import drawn, guidance_figure, guidance_plot
from workbench.pipeline.health_page import (
    health_sections,
    without_measurements,
    write_health_plots,
)
from workbench.pipeline.learning import FILE as LEARNING_FILE
from workbench.pipeline.learning import LearningCurve
from workbench.pipeline.listening import ListeningItem, joined, players, write_index
from workbench.pipeline.page import Card, cards, group_section, render, verdict_sentences
from workbench.pipeline.plots import (
    CodebookUse,
    Curve,
    codebook_figure,
    curves_figure,
    drawable,
    groups_figure,
    inline_svg,
    save_png,
    spectrogram_figure,
)
from workbench.training.doctor.diagnosis import Health

PAGE = "report.html"
"""The page's name in a run's folder."""
SPECTROGRAMS = 3
"""Items whose spectrograms are drawn as plots."""
SHOWN_SKIPPED = 20
"""Skipped recordings that are named; the rest is counted."""


@dataclass(frozen=True)
class StageReport:
    """One stage of a run: how long it took when it was built, and whether that was now."""

    name: str
    seconds: float
    reused: bool


@dataclass(frozen=True)
class RunReport:
    """Everything that a run's report shows.

    ``breakdowns`` hold the table's figures by groups of items, ``losses`` curves by stage and
    scalar; ``codebooks`` the codec's use of its codebooks, where it was measured; ``healths`` what
    the doctor says of each training; ``learning`` the figures of the language models' snapshots,
    ``guidance`` those of several guidance scales; ``recipe`` is the resolved recipe as YAML.
    """

    title: str
    folder: Path
    description: str = ""
    table: ResultTable = field(default_factory=lambda: ResultTable(()))
    breakdowns: Sequence[Breakdown] = ()
    items: Sequence[ListeningItem] = ()
    losses: Mapping[str, Mapping[str, Curve]] = field(default_factory=dict)
    codebooks: CodebookUse | None = None
    learning: LearningCurve | None = None
    guidance: GuidanceSweep | None = None
    healths: Sequence[Health] = ()
    stages: Sequence[StageReport] = ()
    skipped: Sequence[Skipped] = ()
    recipe: str = ""
    versions: Mapping[str, str] = field(default_factory=dict)


def write_report(report: RunReport) -> Path:
    """Write the page, the table and the list of audio into the run's folder; returns the page."""
    folder = report.folder
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "table.json").write_text(report.table.to_json())
    parts = [report.table.to_markdown(), *(b.to_markdown() for b in report.breakdowns)]
    if report.guidance is not None:
        (folder / GUIDANCE_FILE).write_text(report.guidance.to_json())
        parts += ["Over the guidance scale:\n", report.guidance.table.to_markdown()]
    if report.learning is not None:
        (folder / LEARNING_FILE).write_text(report.learning.to_json())
        parts += ["Over the language models' training:\n", report.learning.table.to_markdown()]
    (folder / "table.md").write_text("\n".join(parts))
    (folder / "history.json").write_text(json.dumps(report.losses))
    write_index(report.items, folder)
    page = folder / PAGE
    page.write_text(_page(report), encoding="utf-8")
    return page


def write_plots(report: RunReport, folder: Path) -> list[Path]:
    """Draw training curves, codebook use, figures by group and some spectrograms as PNG files."""
    paths = [
        save_png(curves_figure(curves), folder / f"curves-{stage.replace('/', '-')}.png")
        for stage, curves in training_curves(report).items()
    ]
    paths += write_health_plots(report.healths, report.losses, folder)
    if report.codebooks is not None:
        paths.append(save_png(codebook_figure(report.codebooks), folder / "codebooks.png"))
    if report.guidance is not None and drawn(report.guidance):
        paths.append(save_png(guidance_figure(report.guidance), folder / "guidance.png"))
    if report.learning is not None:
        paths.append(save_png(curves_figure(report.learning.curves()), folder / "learning.png"))
    for breakdown in report.breakdowns:
        for name in breakdown.figures:
            path = folder / f"{name}-by-{breakdown.by}.png".replace("/", "-").replace(" ", "-")
            paths.append(save_png(groups_figure(breakdown, name), path))
    for number, item in enumerate(report.items[:SPECTROGRAMS], start=1):
        panels, joint = {}, 0.0
        title = item.title if drawable(item.title) else item.id
        for version in item.versions:
            panels[f"{title}: {version.system}"], joint = joined(item, version)
        figure = spectrogram_figure(panels, joint)
        paths.append(save_png(figure, folder / f"spectrograms-{number}.png"))
    return paths


def read_history(path: Path) -> dict[str, list[tuple[int, float]]]:
    """Curves by name from a training session's ``history.jsonl``; phases but ``main`` are named."""
    curves: dict[str, list[tuple[int, float]]] = {}
    for line in path.read_text().splitlines():
        values = json.loads(line)
        phase, step = values.pop("phase"), values.pop("step")
        for name, value in values.items():
            key = name if phase == "main" else f"{phase}/{name}"
            curves.setdefault(key, []).append((int(step), float(value)))
    return curves


def training_curves(report: RunReport) -> dict[str, dict[str, Curve]]:
    """Curves by stage and scalar, but for what the doctor measured and for stages without any."""
    plain = {stage: without_measurements(curves) for stage, curves in report.losses.items()}
    return {stage: curves for stage, curves in plain.items() if curves}


def summary(report: RunReport, ui_command: str) -> RenderableType:
    """What the terminal shows at the end: figures, stages, where results lie, what to do next."""
    parts: list[RenderableType] = []
    if report.table.columns:
        parts.append(report.table.to_rich(f"{report.title}: figures with 95 % intervals"))
        parts += [escape(sentence) for sentence in verdict_sentences(report.table)]
    parts += [f"[yellow]left out:[/] {escape(line)}" for line in report.table.absences()]
    parts.append(_stage_table(report.stages))
    if report.skipped:
        parts.append(f"[yellow]{len(report.skipped)} recordings were skipped:[/]")
        parts += [escape(f"  {s.id}: {s.reason}") for s in report.skipped[:SHOWN_SKIPPED]]
    for health in report.healths:
        if not health.healthy:
            parts.append(f"[yellow]doctor:[/] {escape(health.headline)}")
            parts += [escape(f"  {finding.sentence}") for finding in health.findings]
    for what, where in (("Report", str(report.folder / PAGE)), ("Compare runs", ui_command)):
        # Never broken over lines, so that it can be copied.
        parts.append(Text(f"{what}: {where}", no_wrap=True, overflow="ignore", style="bold"))
    return Group(*parts)


def _page(report: RunReport) -> str:
    heard = players(report.items)
    plots = {
        stage: [_curve_svg(stage, name, curve) for name, curve in curves.items()]
        for stage, curves in training_curves(report).items()
    }
    use = report.codebooks
    codebooks = None
    if use is not None:
        codebooks = Markup(inline_svg(codebook_figure(use), "Use of each codebook"))
    return render(
        "report.html",
        report=report,
        cards=cards(report.table),
        verdicts=verdict_sentences(report.table),
        groups=[group_section(breakdown) for breakdown in report.breakdowns],
        learning=_learning_cards(report),
        guidance=cards(report.guidance.table) if report.guidance else (),
        guidance_plot=guidance_plot(report.guidance),
        learning_plot=_learning_plot(report),
        players=heard,
        unheard=len(report.items) - len(heard),
        healths=health_sections(report.healths, report.losses),
        plots=plots,
        codebooks=codebooks,
        shown_skipped=SHOWN_SKIPPED,
    )


def _learning_cards(report: RunReport) -> Sequence[Card]:
    return () if report.learning is None else cards(report.learning.table)


def _learning_plot(report: RunReport) -> Markup:
    """Every figure over the language models' training, a small plot each."""
    if report.learning is None:
        return Markup("")
    curves = report.learning.curves()
    label = f"{', '.join(curves)} over training steps: the values are in the cards"
    return Markup(inline_svg(curves_figure(curves), label))


def _curve_svg(stage: str, name: str, curve: Curve) -> Markup:
    label = f"{name} of {stage} over {len(curve)} logged steps; the last is {curve[-1][1]:.4g}"
    return Markup(inline_svg(curves_figure({name: curve}, columns=1), label))


def _stage_table(stages: Sequence[StageReport]) -> Table:
    table = Table(title="Stages", title_justify="left", header_style="bold", show_edge=False)
    table.add_column("stage")
    table.add_column("seconds", justify="right")
    table.add_column("")
    for stage in stages:
        table.add_row(stage.name, f"{stage.seconds:.1f}", "reused" if stage.reused else "built now")
    return table
