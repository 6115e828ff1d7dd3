"""Screenshots of a comparison's page, of the board and of MLflow's own views of the same runs.

    python benchmarks/screenshots.py RUN RUN [--results results] [--out results/screenshots]

The pages are made anew from the runs, as ``workbench compare`` and ``workbench board`` make them,
and looked at wide and on a phone; MLflow's server runs on the results' store. The comparison's
player is played, switched and asked for its position on the way: status 1 where it loses it.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from browser import PATIENCE_MS, PHONE, WIDE, add_option, address, chromium
from playwright.sync_api import Browser, Page

from workbench.cli.ui import local_store, server_command, server_environment
from workbench.pipeline.board import make_board
from workbench.pipeline.board_page import write_board
from workbench.pipeline.comparison import compare_runs, find_run
from workbench.pipeline.comparison_page import write_page
from workbench.pipeline.tracked import measured_runs, open_client

PORT = 5077
START_SECONDS = 300.0
SETTLE_MS = 10_000
"""MLflow goes on drawing after the text that a view is waited for has come."""
DESK = {"width": 1440, "height": 900}
SLIDER = ".item .transport input"


@contextmanager
def mlflow_server(results: Path) -> Iterator[str]:
    """MLflow's interface on a results folder; gives its address."""
    root = f"http://127.0.0.1:{PORT}"
    command = server_command(results, "127.0.0.1", PORT)
    server = subprocess.Popen(command, env=server_environment())
    try:
        _wait_for(root)
        yield root
    finally:
        server.terminate()
        server.wait()


def _wait_for(root: str) -> None:
    ends = time.monotonic() + START_SECONDS
    while time.monotonic() < ends:
        try:
            urllib.request.urlopen(f"{root}/health", timeout=5).close()
        except (urllib.error.URLError, TimeoutError, ConnectionError):
            time.sleep(1)
        else:
            return
    sys.exit(f"MLflow did not start within {START_SECONDS:.0f} s")


def shoot(page: Page, path: Path) -> None:
    """One screenshot of what is in view."""
    page.screenshot(path=path)
    print(f"{path} ({path.stat().st_size // 1000} kB)", flush=True)


def shoot_page(browser: Browser, path: Path, out: Path, sections: list[str]) -> None:
    """A page of ours wide and on a phone, at its top and at each section; light and dark."""
    for name, width, scheme in (("wide", WIDE, "light"), ("phone", PHONE, "dark")):
        page = new_page(browser, width)
        page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        page.goto(address(path))
        for section in ("top", *sections):
            if section != "top":
                page.evaluate(f"document.getElementById('{section}').scrollIntoView()")
            shoot(page, out / f"{path.stem}-{section}-{name}.png")
        page.close()


def new_page(browser: Browser, size: dict[str, int]) -> Page:
    """A page that waits as long as a busy machine needs."""
    page = browser.new_page(viewport=size)
    page.set_default_timeout(PATIENCE_MS)
    return page


def play(browser: Browser, path: Path) -> bool:
    """Whether a player plays, switches by key at the position it has, and seeks by keys."""
    page = new_page(browser, WIDE)
    page.goto(address(path))
    page.locator(".item button").first.click()
    page.wait_for_function(f"Number(document.querySelector('{SLIDER}').value) > 0.5")
    before = float(page.locator(SLIDER).first.input_value())
    page.keyboard.press("1")
    after = float(page.locator(SLIDER).first.input_value())
    first = page.locator(".item .track input").first.is_checked()
    page.locator(".item button").first.click()
    page.locator(SLIDER).first.focus()
    page.keyboard.press("Home")
    start = float(page.locator(SLIDER).first.input_value())
    page.close()
    print(f"player: {before:.2f} s before a switch, {after:.2f} s after it; Home gives {start:.2f}")
    return first and after >= before and start == 0.0


def shoot_mlflow(browser: Browser, root: str, ids: list[str], experiment: str, out: Path) -> None:
    """MLflow's table, charts, comparison with parallel coordinates, and a run's audio.

    Each view is waited for by a text that comes with its content.
    """
    kind = "workflowType=machine_learning"
    runs = f"{root}/#/experiments/{experiment}/runs"
    quoted = json.dumps(ids, separators=(",", ":"))
    views = {
        "table": (f"{runs}?{kind}", "synthetic-"),
        "charts": (f"{runs}?{kind}&compareRunsMode=CHART", "matching runs"),
        "compare": (
            f'{root}/#/compare-runs?runs={quoted}&experiments=["{experiment}"]&{kind}',
            "Run details",
        ),
        "run": (f"{runs}/{ids[0]}?{kind}", "workbench.codec"),
        "audio": (f"{runs}/{ids[0]}/artifacts?{kind}", "audio"),
    }
    page = new_page(browser, DESK)
    for name, (url, text) in views.items():
        page.goto("about:blank")
        page.goto(url)
        settle(page, text)
        if name == "audio":
            open_audio(page)
        shoot(page, out / f"mlflow-{name}.png")
    page.close()


def settle(page: Page, text: str) -> None:
    """Wait until MLflow shows a text, close the assistant beside it, and wait a little."""
    page.get_by_text(text).first.wait_for()
    assistant = page.get_by_role("button", name="Close").first
    if assistant.is_visible():
        assistant.click()
    page.wait_for_timeout(SETTLE_MS)


def open_audio(page: Page) -> None:
    """Unfold the artifacts down to the first item's audio and choose a file of it."""
    for name in ("audio", "test-", "generated.wav"):
        page.get_by_text(name).first.click()
        page.wait_for_timeout(SETTLE_MS)


def main() -> int:
    """Make the pages, look at them, look at MLflow."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("runs", nargs="+", help="runs, as for workbench compare")
    parser.add_argument("--results", type=Path, default=Path("results"))
    parser.add_argument("--out", type=Path, default=Path("results/screenshots"))
    parser.add_argument("--system", action="append", help="the board's systems")
    add_option(parser)
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    runs = [find_run(name, options.results) for name in options.runs]
    compared = write_page(compare_runs(runs), options.out / "compare.html")
    client = open_client(local_store(options.results))
    board = make_board(measured_runs(client), systems=options.system or ())
    boarded = write_board(board, options.out)
    ids = [str(run.record["mlflow_run_id"]) for run in runs]
    experiment = client.get_run(ids[0]).info.experiment_id
    with chromium(options.browser) as browser:
        shoot_page(browser, compared, options.out, ["listening", "figures"])
        shoot_page(browser, boarded, options.out, [])
        kept = play(browser, compared)
        with mlflow_server(options.results) as root:
            shoot_mlflow(browser, root, ids, experiment, options.out)
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
