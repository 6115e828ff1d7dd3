"""A progress bar with rate and remaining time; plain lines where there is no terminal."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from types import TracebackType

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

logger = logging.getLogger("workbench.progress")

SECONDS_BETWEEN_LINES = 20.0


class StepProgress:
    """Shows how far a counted piece of work has come; silent on all but the main process."""

    def __init__(
        self, title: str, done: int, total: int, shown: bool = True, unit: str = ""
    ) -> None:
        self.unit = f" {unit}" if unit else ""
        self.title = title
        self.done = done
        self.total = total
        self.shown = shown
        self.console = Console(stderr=True)
        self.started = self.last_line = time.monotonic()
        self.first = done
        self.bar: Progress | None = None

    def __enter__(self) -> StepProgress:
        if self.shown and self.console.is_terminal and self.total > self.done:
            self.bar = Progress(
                TextColumn("{task.description}"),
                BarColumn(),
                MofNCompleteColumn(),
                TextColumn("{task.fields[rate]}"),
                TimeElapsedColumn(),
                TimeRemainingColumn(),
                TextColumn("{task.fields[note]}"),
                console=self.console,
            )
            self.task = self.bar.add_task(
                self.title, total=self.total, completed=self.done, rate="", note=""
            )
            self.bar.start()
        return self

    def advance(self, scalars: Mapping[str, float] | None = None, count: int = 1) -> None:
        """``count`` more are done; ``scalars`` (the first three) are shown beside the bar."""
        self.done += count
        now = time.monotonic()
        rate = (self.done - self.first) / max(1e-9, now - self.started)
        note = " ".join(f"{k} {v:.4g}" for k, v in list((scalars or {}).items())[:3])
        if self.bar is not None:
            self.bar.update(
                self.task, completed=self.done, rate=f"{rate:.1f}{self.unit}/s", note=note
            )
        elif self.shown and now - self.last_line > SECONDS_BETWEEN_LINES:
            self.last_line = now
            left = (self.total - self.done) / max(rate, 1e-9)
            logger.info(
                "%s: %d/%d, %.1f%s/s, %.0f s left  %s",
                self.title, self.done, self.total, rate, self.unit, left, note,
            )  # fmt: skip

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self.bar is not None:
            self.bar.stop()
