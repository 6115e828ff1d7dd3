"""Checks pages with axe-core (WCAG 2.2 A and AA and best practices) and on a phone's width.

    python benchmarks/accessibility.py results/comparisons/*.html results/board/board.html

Each page is looked at wide and at 360 pixels, light and dark, with everything unfolded. Status 1
where axe finds a serious or critical fault, where a page scrolls sideways on a phone, or where it
asks the network for anything. axe-core comes from npm (``npm pack axe-core``), or from ``--axe``.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tarfile
import tempfile
from itertools import product
from pathlib import Path

from browser import PATIENCE_MS, PHONE, WIDE, add_option, address, chromium
from playwright.sync_api import Page

SERIOUS = ("serious", "critical")
RUN = "axe.run(document, {resultTypes: ['violations']})"
OVERFLOW = "document.documentElement.scrollWidth - document.documentElement.clientWidth"


def fetch_axe(folder: Path) -> Path:
    """axe-core's script, from npm."""
    command = ["npm", "pack", "axe-core@4", "--silent", "--pack-destination", str(folder)]
    name = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()[-1]
    with tarfile.open(folder / name) as archive:
        archive.extract("package/axe.min.js", folder, filter="data")
    return folder / "package" / "axe.min.js"


def look(page: Page, path: Path, axe: Path) -> list[str]:
    """What is wrong with a page at each width and in each colour scheme; prints what axe says."""
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(address(path))
    page.evaluate("document.querySelectorAll('details').forEach((d) => (d.open = true))")
    page.add_script_tag(path=str(axe))
    faults: list[str] = []
    for width, scheme in product((WIDE, PHONE), ("light", "dark")):
        page.set_viewport_size(width)
        page.emulate_media(color_scheme=scheme)
        found, lesser = violations(page)
        over = page.evaluate(OVERFLOW)
        found += [f"scrolls {over} pixels sideways"] if over > 0 else []
        said = "; ".join(found) or "no serious fault"
        said += f"; lesser ones: {', '.join(lesser)}" if lesser else ""
        version = page.evaluate("axe.version")
        print(
            f"{path.name}, {width['width']} px, {scheme} (axe-core {version}): {said}", flush=True
        )
        faults += found
    # A file's own address and data: URIs are no network.
    calls = [url for url in asked if not url.startswith(("file:", "data:", "blob:"))]
    print(f"{path.name} asks the network for {', '.join(calls) or 'nothing'}", flush=True)
    return faults + calls


def violations(page: Page) -> tuple[list[str], list[str]]:
    """What axe finds: serious faults with the first place of each, and the lesser ones' names."""
    serious, lesser = [], []
    for violation in page.evaluate(RUN)["violations"]:
        name = f"{violation['id']} ({violation['impact']}) x{len(violation['nodes'])}"
        if violation["impact"] in SERIOUS:
            serious.append(f"{name}, as {violation['nodes'][0]['html'][:90]}")
        else:
            lesser.append(name)
    return serious, lesser


def main() -> None:
    """Look at every page given."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("pages", nargs="+", type=Path)
    parser.add_argument("--axe", type=Path, help="axe.min.js; from npm unless given")
    add_option(parser)
    options = parser.parse_args()
    faults: list[str] = []
    with tempfile.TemporaryDirectory() as folder, chromium(options.browser) as browser:
        axe = options.axe or fetch_axe(Path(folder))
        for path in options.pages:
            page = browser.new_page()
            page.set_default_timeout(PATIENCE_MS)
            faults += look(page, path, axe)
            page.close()
    sys.exit(1 if faults else 0)


if __name__ == "__main__":
    main()
