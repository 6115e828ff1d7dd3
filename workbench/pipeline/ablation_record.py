"""The MLflow run of an ablation, parent of its arms' runs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import yaml

from workbench.evaluation.arms import ArmComparison
from workbench.pipeline.ablation import Ablation, ArmFigure, Outcome
from workbench.recipe.load import to_dict
from workbench.tracking import Tracker, environment_tags


class AblationRecord:
    """The ablation's own MLflow run, parent of the arms' runs."""

    def __init__(self, ablation: Ablation) -> None:
        section = ablation.runs[0].recipe.tracking
        results = Path(ablation.runs[0].recipe.results)
        self.note = ablation.folder / "mlflow.txt"
        self.tracker = Tracker(results, section.uri, section.experiment)
        known = self.note.read_text().strip() if self.note.exists() else ""
        if not (known and self.tracker.resume(known)):
            recipe = to_dict(ablation.runs[0].recipe)
            params = {k: v for k, v in recipe.items() if k not in ("results", "tracking", "name")}
            tags = {**environment_tags(), "workbench.ablation": ablation.name}
            known = self.tracker.start(f"ablation {ablation.name}", params, tags)
        ablation.folder.mkdir(parents=True, exist_ok=True)
        self.note.write_text(known)
        self.id = known

    def finish(self, outcome: Outcome, page: Path) -> None:
        """Log the comparisons and the page, and close the run."""
        self._log("ablation", outcome.figures)
        for section in outcome.groups:
            for group, figures in section.figures.items():
                self._log(f"groups/{section.by}/{group}", figures)
        for curve in outcome.curves:
            for steps, comparisons in curve.points.items():
                for arm, found in comparisons.items():
                    self.tracker.log_step("learning", steps, _arm_values(curve.figure, arm, found))
        self.tracker.flush()
        self.tracker.tag({"workbench.left_out": "; ".join(outcome.left_out) or "nothing"})
        for path in (page, page.with_suffix(".json"), page.with_suffix(".md")):
            self.tracker.log_file(path)
        choices = {arm: dict(chosen) for arm, chosen in outcome.ablation.choices.items()}
        self.tracker.log_text(yaml.safe_dump(choices, sort_keys=False), "arms.yaml")
        self.tracker.finish()

    def _log(self, name: str, figures: Sequence[ArmFigure]) -> None:
        for figure in figures:
            for arm, found in figure.comparisons.items():
                seeds = len(found.by_seed)  # more seeds are another point of the same curve
                values = _arm_values(f"{figure.figure}/{figure.system}", arm, found)
                self.tracker.log_step(name, seeds, values)

    def fail(self) -> None:
        """Close the run as failed."""
        self.tracker.finish("FAILED")


def _arm_values(name: str, arm: str, found: ArmComparison) -> dict[str, float]:
    base = f"{name}/{arm}"
    values = {
        f"{base}/first": found.first,
        f"{base}/second": found.second,
        f"{base}/difference": found.difference,
        f"{base}/difference_low": found.difference_interval.low,
        f"{base}/difference_high": found.difference_interval.high,
    }
    if found.ratio is not None and found.ratio_interval is not None:
        values[f"{base}/ratio"] = found.ratio
        values[f"{base}/ratio_low"] = found.ratio_interval.low
        values[f"{base}/ratio_high"] = found.ratio_interval.high
    return values
