"""``workbench evaluate`` from top to bottom: what is evaluated, its scores, its report."""

from __future__ import annotations

import time
from dataclasses import replace

from workbench.host.fields import plain
from workbench.pipeline.evaluate.questions import Question, View
from workbench.pipeline.evaluate.record import EvaluationRecord
from workbench.pipeline.evaluate.scores import Scoring, score_files
from workbench.pipeline.evaluate.settings import default_metrics
from workbench.pipeline.report import RunReport, StageReport
from workbench.recipe.schema import EvaluationSection, TrackingSection


def evaluate(
    question: Question,
    section: EvaluationSection,
    scoring: Scoring,
    view: View | None = None,
    tracking: TrackingSection | None = None,
) -> RunReport:
    """Score what is asked for, as far as that has not been done, and record it."""
    started = time.monotonic()
    evaluated = question.evaluated(section, scoring, view or View())
    metrics = section.metrics or evaluated.metrics or default_metrics(scoring.catalog)
    section = replace(section, metrics=list(metrics))
    settings = {"evaluation": plain(section), "seed": scoring.seed}
    tracking = tracking or TrackingSection()
    with EvaluationRecord(evaluated, settings, scoring.results, tracking) as record:
        scores = score_files(evaluated.systems, section.metrics, scoring)
        seconds = time.monotonic() - started
        stage = StageReport("evaluation", seconds, reused=not scores.measured)
        return record.finish(scores.table, [stage])
