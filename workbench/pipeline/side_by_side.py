"""Runs several recipes at once, each in a process of its own, and shows how far they are."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

logger = logging.getLogger("workbench.pipeline")

POLL_SECONDS = 0.5
LINE_SECONDS = 60.0
"""How often a running process' last line is shown."""


@dataclass
class Job:
    """One process: what it is called, what it runs, and where its output goes."""

    title: str
    command: Sequence[str]
    log: Path
    threads: int


def run_jobs(jobs: Sequence[Job], at_once: int, advance: Callable[[], None]) -> dict[str, int]:
    """Run all jobs, at most ``at_once`` at a time; returns each one's exit status by title.

    ``advance`` is called when one ends. An interrupt stops those that run.
    """
    waiting = list(jobs)
    running: dict[str, tuple[Job, subprocess.Popen[bytes], float]] = {}
    statuses: dict[str, int] = {}
    try:
        while waiting or running:
            while waiting and len(running) < at_once:
                job = waiting.pop(0)
                running[job.title] = (job, _start(job), time.monotonic())
                logger.info("%s: started; output in %s", job.title, job.log)
            time.sleep(POLL_SECONDS)
            for title, (job, process, shown) in list(running.items()):
                status = process.poll()
                if status is not None:
                    del running[title]
                    statuses[title] = status
                    logger.info("%s: %s", title, "done" if status == 0 else f"failed ({status})")
                    advance()
                elif time.monotonic() - shown > LINE_SECONDS:
                    logger.info("%s: %s", title, last_line(job.log))
                    running[title] = (job, process, time.monotonic())
    finally:
        for _, process, _ in running.values():
            process.terminate()
        for _, process, _ in running.values():
            process.wait()
    return statuses


def workbench_run(recipe: Path) -> list[str]:
    """The command that runs a recipe with this Python and this installation."""
    return [sys.executable, "-m", "workbench", "run", str(recipe)]


def last_line(path: Path) -> str:
    """The last line with something in it that a process has written."""
    lines = [line.strip() for line in path.read_text(errors="replace").splitlines()]
    return next((line for line in reversed(lines) if line), "no output yet")


def _start(job: Job) -> subprocess.Popen[bytes]:
    job.log.parent.mkdir(parents=True, exist_ok=True)
    environment = dict(os.environ)
    if job.threads:
        # Processes that each take all cores slow one another down many times over.
        environment["OMP_NUM_THREADS"] = str(job.threads)
    with job.log.open("wb") as out:
        return subprocess.Popen(job.command, stdout=out, stderr=subprocess.STDOUT, env=environment)
