"""A run that is killed (SIGKILL) in the middle of a training ends as one that was not."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import torch
from safetensors.torch import load_file


def start(recipe: Path, results: Path) -> subprocess.Popen[bytes]:
    command = [
        sys.executable, "-m", "workbench", "run", str(recipe), f"results={results}",
        "codec.training.steps=400", "codec.training.checkpoint_seconds=0.05",
        "lm.training.steps=400", "lm.training.checkpoint_seconds=0.05",
    ]  # fmt: skip
    quiet = subprocess.DEVNULL
    return subprocess.Popen(
        command, stdout=quiet, stderr=quiet, env=os.environ | {"TQDM_DISABLE": "1"}
    )


def kill_during(recipe: Path, results: Path, stage: str) -> None:
    """Start the run and kill it when the stage has a checkpoint but no result."""
    process = start(recipe, results)
    deadline = time.monotonic() + 120
    while not list((results / "store" / stage).glob("*/main.checkpoint")):
        assert process.poll() is None, "the run ended before it could be killed"
        assert time.monotonic() < deadline, f"{stage} was not reached"
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not list((results / "store" / stage).glob("*/done.json")), "it was finished already"


def weights(results: Path, stage: str) -> dict[str, torch.Tensor]:
    (path,) = (results / "store" / stage).glob("*/weights/model.safetensors")
    tensors: dict[str, torch.Tensor] = load_file(path)
    return tensors


def test_killed_twice_and_still_the_same_weights(tiny_recipe: Path, tmp_path: Path) -> None:
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    uninterrupted = start(tiny_recipe, whole)
    kill_during(tiny_recipe, cut, "codec")
    kill_during(tiny_recipe, cut, "lm")
    assert start(tiny_recipe, cut).wait() == 0
    assert uninterrupted.wait() == 0
    for stage in ("codec", "lm"):
        one, two = weights(whole, stage), weights(cut, stage)
        assert one.keys() == two.keys()
        assert all(torch.equal(one[name], two[name]) for name in one)
