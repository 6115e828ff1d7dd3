"""The suites by kind of component, and the verdict on each promise."""

from __future__ import annotations

import traceback
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from workbench.api.errors import WorkbenchError
from workbench.testing import codecs, common, corpora, encoders, metrics, tasks
from workbench.testing.subject import Check, ContractBroken, NotApplicable, Subject

SUITES: Mapping[str, tuple[Check, ...]] = {
    kind: tuple(Check(run) for run in (*common.CHECKS, *checks))
    for kind, checks in {
        "semantic_encoder": encoders.CHECKS,
        "codec": codecs.CHECKS,
        "corpus": corpora.CHECKS,
        "task": tasks.CHECKS,
        "metric": metrics.CHECKS,
    }.items()
}
"""What each kind of component must keep, in the order in which it is looked at."""


@dataclass(frozen=True)
class Outcome:
    """What came of one check."""

    check: Check
    verdict: Literal["kept", "broken", "not applicable"]
    message: str = ""
    """How the promise was broken, or why there was nothing to look at."""
    error: Exception | None = None
    """What was raised, where that was no verdict but a fault of the component's code."""


def judge(check: Check, subject: Subject) -> Outcome:
    """The outcome of one check; whatever a component raises is caught and told."""
    try:
        check.run(subject)
    except NotApplicable as reason:
        return Outcome(check, "not applicable", str(reason))
    except (ContractBroken, WorkbenchError) as error:
        return Outcome(check, "broken", str(error))
    except Exception as error:  # a stranger's code
        return Outcome(check, "broken", f"raised {_words(error)}", error)
    return Outcome(check, "kept")


def examine(subject: Subject) -> Iterator[Outcome]:
    """The outcome of every check of the subject's kind, one after another.

    A component that can't be built is not asked for more.
    """
    for check in SUITES[subject.kind]:
        outcome = judge(check, subject)
        yield outcome
        if check.run is common.can_be_built and outcome.verdict == "broken":
            return


def _words(error: Exception) -> str:
    """The error with the line that raised it."""
    frame = traceback.extract_tb(error.__traceback__)[-1]
    place = f"{Path(frame.filename).name}, line {frame.lineno}"
    return f"{type(error).__name__}: {error} ({place})"
