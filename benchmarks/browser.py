"""A headless Chromium for the scripts that look at pages; not a benchmark itself.

Needs the extra ``browser`` and a Chromium: the system's (``--browser``), or the one that
``playwright install chromium`` brings.
"""

from __future__ import annotations

import argparse
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

WIDE = {"width": 1280, "height": 900}
PHONE = {"width": 360, "height": 740}
"""A small phone, in CSS pixels."""
PATIENCE_MS = 300_000
"""For one step of a page, on a machine that is busy with other things."""
SYSTEM_NAMES = ("chromium", "chromium-browser", "google-chrome")


def add_option(parser: argparse.ArgumentParser) -> None:
    """The option that says which browser to use."""
    found = next((path for name in SYSTEM_NAMES if (path := shutil.which(name))), "")
    parser.add_argument("--browser", default=found, help="Chromium; empty for playwright's own")


@contextmanager
def chromium(path: str) -> Iterator[Browser]:
    """A browser that may play audio without a person's touch and reaches no network."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=path or None,
            args=["--no-sandbox", "--autoplay-policy=no-user-gesture-required"],
        )
        yield browser
        browser.close()


def address(page: Path) -> str:
    """A page's address as a file."""
    return page.resolve().as_uri()
