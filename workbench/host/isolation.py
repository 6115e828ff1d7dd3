"""A library in a process and an environment of its own, whose functions are called over a pipe."""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import tempfile
import threading
import weakref
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from workbench.api.environment import Environment
from workbench.api.errors import ModelAbsent, PluginError, WorkbenchError
from workbench.host.environments import clean_environment, interpreter

Arrays = Mapping[str, NDArray[Any]]

_WORKER = Path(__file__).with_name("isolated_worker.py")
_SHOWN_LINES = 8
"""How much of a dead worker's last words an error repeats."""
_DISTRIBUTION = re.compile(r"[\w.-]+")


class Worker:
    """The functions of a module that is imported by another environment's Python.

    ``python`` names an interpreter that has the requirements already; without it the environment is
    made on first use. The process starts at once, so that a library that can't be had is known when
    a component is built (``ModelAbsent``); it ends with this object. Any thread may call; a forked
    process starts a worker of its own.
    """

    def __init__(self, environment: Environment, module: Path, python: str = "") -> None:
        self.environment = environment
        self.module = module
        self._python = Path(python).expanduser() if python else interpreter(environment)
        if not self._python.is_file():
            raise ModelAbsent(f"python = {python!r}: there is no such interpreter")
        self._lock = threading.Lock()
        self._owner = 0
        self._process: subprocess.Popen[bytes]
        self._said: IO[bytes]
        with self._lock:
            self.versions = self._start()
            """Version of each requirement's distribution in that environment."""

    def call(
        self, function: str, arrays: Arrays | None = None, values: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        """What ``function(**arrays, **values)`` of the module returns: a dict of numbers, texts and
        arrays. ``values`` are JSON's; what the function raises is a ``WorkbenchError`` here.
        """
        with self._lock:
            if self._owner != os.getpid():
                self._start()
            told = {"function": function, "values": dict(values or {})}
            answer, outputs = self._ask(told, arrays or {})
        if "error" in answer:
            raise WorkbenchError(
                f"{self.module.name} in environment {self.environment.name!r}: {answer['error']}"
            )
        return {**answer["values"], **outputs}

    def _start(self) -> dict[str, str]:
        """Start the process and hear that it has imported the module."""
        self._said = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the process
        self._process = subprocess.Popen(
            [str(self._python), str(_WORKER), str(self.module)],
            env=clean_environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._said,
        )
        self._owner = os.getpid()
        weakref.finalize(self, _end, self._process)
        names = [_DISTRIBUTION.match(text) for text in self.environment.requirements]
        answer, _ = self._ask({"distributions": [name[0] for name in names if name]}, {})
        if "missing" in answer:
            raise ModelAbsent(
                f"environment {self.environment.name!r}: {self._python} can't import what "
                f"{self.module.name} needs ({', '.join(self.environment.requirements)}):\n"
                f"{answer['missing']}"
            )
        if "error" in answer:
            raise PluginError(f"{self.module}: {answer['error']}")
        found: dict[str, str] = answer["versions"]
        return found

    def _ask(
        self, told: Mapping[str, Any], arrays: Arrays
    ) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
        packed = io.BytesIO()
        if arrays:
            np.savez(packed, **arrays)  # type: ignore[arg-type]
        payload = packed.getvalue()
        with suppress(BrokenPipeError):  # that it died shows in its answer
            line = json.dumps({**told, "bytes": len(payload)}).encode() + b"\n"
            self._process.stdin.write(line + payload)  # type: ignore[union-attr]
            self._process.stdin.flush()  # type: ignore[union-attr]
        header = self._process.stdout.readline()  # type: ignore[union-attr]
        if not header:
            return {"error": self._last_words()}, {}
        answer: dict[str, Any] = json.loads(header)
        payload = self._process.stdout.read(answer["bytes"])  # type: ignore[union-attr]
        if not payload:
            return answer, {}
        with np.load(io.BytesIO(payload), allow_pickle=False) as outputs:
            return answer, {name: outputs[name] for name in outputs.files}

    def _last_words(self) -> str:
        """How the process ended, and the end of what it wrote to its standard error."""
        status = self._process.wait()
        self._owner = 0  # the next call starts another
        self._said.seek(0)
        lines = self._said.read().decode(errors="replace").strip().splitlines()
        return "\n".join([f"its process ended with status {status}", *lines[-_SHOWN_LINES:]])


def _end(process: subprocess.Popen[bytes]) -> None:
    """Close the worker's input, at which it leaves, and wait for that."""
    with suppress(BrokenPipeError):  # it died with a call unread
        process.stdin.close()  # type: ignore[union-attr]
    process.stdout.close()  # type: ignore[union-attr]
    process.wait()
