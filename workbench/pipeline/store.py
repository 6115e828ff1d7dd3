"""The store: every stage's output in a folder named by the hash of all that it depends on.

``<root>/<stage>/<key>/`` holds the stage's files, ``inputs.json`` (what the key was made of) and,
once the stage is complete, ``done.json``. So a repeated run finds its stages done, a changed recipe
reuses what it did not change, and an interrupted stage finds its checkpoints.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import nn


def content_key(value: Any) -> str:
    """A short hash of plain JSON data, the same for equal data whatever the order of its keys."""
    text = json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


def weights_key(model: object) -> str:
    """A short hash of a model's parameters and buffers; empty for what is no torch module."""
    if not isinstance(model, nn.Module):
        return ""
    digest = hashlib.blake2b(digest_size=8)
    for name, tensor in sorted(model.state_dict(keep_vars=False).items()):
        digest.update(f"{name}{tuple(tensor.shape)}{tensor.dtype}".encode())
        flat = tensor.detach().to("cpu").contiguous().reshape(-1)
        digest.update(flat.view(torch.uint8).numpy().data)
    return digest.hexdigest()


class StageFolder:
    """One stage's place in the store."""

    def __init__(self, path: Path, name: str, key: str) -> None:
        self.path = path
        self.name = name
        self.key = key

    @property
    def done(self) -> bool:
        """Whether the stage's output is complete."""
        return (self.path / "done.json").exists()

    @property
    def summary(self) -> dict[str, Any]:
        """What :meth:`finish` was given, with the seconds that the stage took."""
        summary: dict[str, Any] = json.loads((self.path / "done.json").read_text())
        return summary

    def finish(self, seconds: float, **facts: Any) -> None:
        """Mark the output as complete."""
        partial = self.path / "done.partial"
        partial.write_text(json.dumps({"seconds": round(seconds, 3), **facts}, indent=1))
        partial.replace(self.path / "done.json")

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Keep other processes on this machine from building the same stage at the same time."""
        with (self.path / "lock").open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            try:
                yield
            finally:
                fcntl.flock(file, fcntl.LOCK_UN)

    def wait(self, poll_seconds: float = 0.5) -> None:
        """Wait until another process has finished the stage, however long that takes."""
        while not self.done:
            time.sleep(poll_seconds)


class Store:
    """A folder of stages."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def stage(self, name: str, inputs: Mapping[str, Any]) -> StageFolder:
        """The folder of the stage that has these inputs, made where it is missing."""
        key = content_key({"stage": name, "inputs": inputs})
        path = self.root / name / key
        path.mkdir(parents=True, exist_ok=True)
        record = path / "inputs.json"
        if not record.exists():
            record.write_text(json.dumps(inputs, indent=1, sort_keys=True, ensure_ascii=False))
        return StageFolder(path, name, key)
