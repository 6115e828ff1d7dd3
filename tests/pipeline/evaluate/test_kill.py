"""An evaluation by several processes that is killed leaves what it has scored, and no process."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from tests.pipeline.evaluate.conftest import noisy_folders
from workbench.api.settings import Slot
from workbench.pipeline.evaluate.folders import folder_systems
from workbench.pipeline.evaluate.scores import score_files

ITEMS = 40
SLOTS = [Slot("tally", {"size": 3, "mode": "fast"})]
SCRIPT = """
import sys
from pathlib import Path
from workbench import load_catalog
from workbench.pipeline.evaluate.scores import Scoring
from tests.pipeline.evaluate.test_kill import evaluate

if __name__ == "__main__":
    root = Path(sys.argv[1])
    evaluate(root, Scoring(load_catalog(), root / "results", jobs=2))
"""


def evaluate(root, scoring):
    return score_files(folder_systems(root / "ref", {"good": root / "good"}, {}), SLOTS, scoring)


def alive(pid: int) -> bool:
    state = Path(f"/proc/{pid}/stat")
    return state.exists() and state.read_text().rpartition(")")[2].split()[0] != "Z"


def test_killed_in_the_middle(tmp_path, scoring, asked, monkeypatch):
    noisy_folders(tmp_path, ITEMS)
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    paths = [str(tmp_path / "site"), str(Path(__file__).parents[3])]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths), "DAWDLE": "0.1"}
    process = subprocess.Popen([sys.executable, str(script), str(tmp_path)], env=environment)
    while len(asked.read_text().split()) < 30:
        assert process.poll() is None
        time.sleep(0.05)
    workers = [int(line) for line in (tmp_path / "asked.txt.pids").read_text().split()]
    process.send_signal(signal.SIGKILL)
    process.wait()
    deadline = time.monotonic() + 30
    while any(alive(pid) for pid in workers):
        assert time.monotonic() < deadline, "scoring processes outlive the one that was killed"
        time.sleep(0.05)
    asked.write_text("")
    left = evaluate(tmp_path, scoring).measured
    assert 0 < left < 3 * ITEMS
    assert len(asked.read_text().split()) == left
