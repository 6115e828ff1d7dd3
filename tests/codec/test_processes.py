"""Two processes on one machine train as one process does at the same total batch."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from tests.codec.codec_parts import tone_data
from tests.codec.training_process import LOSSES, train
from workbench import AudioDataset

ROOT = Path(__file__).parents[2]


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@pytest.fixture(scope="module")
def together(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a corpus, and with what two processes made of it together."""
    folder = tmp_path_factory.mktemp("processes")
    tone_data(folder / "data")
    shared = {
        **os.environ, "WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(free_port()), "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1",
    }  # fmt: skip
    command = [sys.executable, "-m", "tests.codec.training_process", str(folder)]
    both = [
        subprocess.Popen(command, env=shared | {"RANK": rank, "LOCAL_RANK": rank}, cwd=ROOT)
        for rank in ("0", "1")
    ]
    assert [process.wait(timeout=300) for process in both] == [0, 0]
    return folder


def history(folder: Path) -> list[dict[str, float]]:
    lines = (folder / "history.jsonl").read_text().splitlines()
    return [{k: v for k, v in json.loads(line).items() if k != "phase"} for line in lines]


@pytest.mark.parametrize("kind", LOSSES)
def test_two_processes_train_the_codec_of_one(kind: str, together: Path, tmp_path: Path) -> None:
    """Crops, teachers' statistics, k-means, dead entries, discriminators: all is the whole's."""
    first, second = (torch.load(together / f"{kind}-{rank}.pt") for rank in (0, 1))
    alone = train(tmp_path, AudioDataset(together / "data"), kind).state_dict()
    for name, value in alone.items():
        assert torch.equal(first[name], second[name]), name
        assert torch.allclose(first[name], value, rtol=1e-3, atol=1e-4), name
    ours, theirs = history(together / "together" / kind), history(tmp_path / kind)
    assert len(ours) == len(theirs) == 10
    for one, two in zip(ours, theirs, strict=True):
        for name in two.keys() - {name for name in two if name.startswith("doctor/")}:
            assert one[name] == pytest.approx(two[name], rel=1e-4), (name, two["step"])
