"""Log lines of long work, on stderr."""

from __future__ import annotations

import logging

from rich.console import Console
from rich.logging import RichHandler


def show_logs(level: int = logging.INFO) -> None:
    """Show the workbench's own log lines, with the time of day."""
    handler = RichHandler(
        console=Console(stderr=True), show_path=False, show_level=False, log_time_format="%H:%M:%S"
    )
    logger = logging.getLogger("workbench")
    logger.handlers = [handler]
    logger.setLevel(level)
    logger.propagate = False
