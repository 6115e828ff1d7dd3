"""Errors a user can act on. Each message says what was given, what is allowed and what to do."""

from __future__ import annotations


class WorkbenchError(Exception):
    """Base of every error that the command line prints as one message, without a traceback."""

    exit_status = 1


class RecipeError(WorkbenchError):
    """A recipe or override that can't be run; holds every problem found, not just the first."""

    exit_status = 2

    def __init__(self, problems: list[str], source: str = "recipe") -> None:
        self.problems = list(problems)
        self.source = source
        lines = "\n".join(f"  - {problem}" for problem in self.problems)
        count = len(self.problems)
        super().__init__(f"{source}: {count} problem{'s' if count != 1 else ''}\n{lines}")


class PluginError(WorkbenchError):
    """A plugin that can't be loaded or breaks the contract; the message names its distribution."""

    exit_status = 2


class UnknownComponent(WorkbenchError):
    """A component name that no loaded plugin provides."""

    exit_status = 2


class UnknownRun(WorkbenchError):
    """A run that the results folder does not hold."""

    exit_status = 2


class NothingToExamine(WorkbenchError):
    """A run or stage that left no training history for the doctor."""

    exit_status = 2


class AudioError(WorkbenchError):
    """An audio file that can't be used: unreadable, empty, or with non-finite samples."""


class ItemLacks(WorkbenchError):
    """An item has not what a metric needs of it: a text, a caption, a prompt.

    A metric raises it in ``update``. `workbench evaluate` then leaves the metric out, with this
    message as the reason; in a run, whose recipe wants the metric, it is an error.
    """


class WeightsError(WorkbenchError):
    """Weights that are missing, of an unknown format, or refused because they could run code."""

    exit_status = 2


class ModelAbsent(WeightsError):
    """A model that can't be had here: weights not shipped, offline, or a package not installed.

    A metric that raises it when it is built is left out of the table, with this message as the
    reason. A name that is misspelt is no absent model, and neither is a file that is damaged.
    """


class TrainingDiverged(WorkbenchError):
    """Training met a non-finite value; the message names the tensor and the step."""
