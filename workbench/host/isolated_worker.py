"""The process in which an isolated library runs: calls come in, what they return goes out.

Run by the other environment's Python as ``python isolated_worker.py MODULE``. It needs NumPy and
nothing of the workbench, and keeps to what Python 3.8 knows, since an old library may want an old
Python. A message is a line of JSON, whose ``bytes`` says how long the npz archive after it is.
"""

from __future__ import annotations

import importlib.util
import io
import json
import os
import sys
import traceback
from typing import Any, BinaryIO

sys.path.pop(0)  # this folder, whose modules must not be taken for libraries of those names

import numpy as np


def send(out: BinaryIO, told: dict[str, Any], arrays: dict[str, Any] | None = None) -> None:
    """Write one message."""
    payload = b""
    if arrays:
        packed = io.BytesIO()
        np.savez(packed, **arrays)
        payload = packed.getvalue()
    out.write(json.dumps(dict(told, bytes=len(payload))).encode() + b"\n" + payload)
    out.flush()


def receive(source: BinaryIO) -> tuple[dict[str, Any], dict[str, Any]] | None:
    """The next message and its arrays; None at the end."""
    line = source.readline()
    if not line:
        return None
    told = json.loads(line)
    payload = source.read(told["bytes"])
    if not payload:
        return told, {}
    with np.load(io.BytesIO(payload), allow_pickle=False) as packed:
        return told, {name: packed[name] for name in packed.files}


def load(path: str) -> Any:
    """The plugin's module, whose functions are called by name."""
    spec: Any = importlib.util.spec_from_file_location("isolated", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def versions(names: list[str]) -> dict[str, str]:
    """The installed version of each of these distributions."""
    from importlib import metadata

    found = {}
    for name in names:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = "unknown"
    return found


def answer(
    module: Any, told: dict[str, Any], arrays: dict[str, Any]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Call one function; its result as JSON values and arrays."""
    result = getattr(module, told["function"])(**arrays, **told["values"])
    outputs = {k: v for k, v in result.items() if isinstance(v, np.ndarray)}
    values = {k: v for k, v in result.items() if k not in outputs}
    # NumPy's numbers become Python's.
    return json.loads(json.dumps(values, default=float)), outputs


def serve(source: BinaryIO, out: BinaryIO, path: str) -> None:
    """Load the module, say so, and answer until there are no more calls."""
    try:
        module = load(path)
    except ImportError:
        send(out, {"missing": traceback.format_exc(limit=-1)})
        return
    except Exception:
        send(out, {"error": traceback.format_exc(limit=-3)})
        return
    greeting = receive(source)
    if greeting is not None:
        send(out, {"versions": versions(greeting[0]["distributions"])})
    while (message := receive(source)) is not None:
        try:
            values, arrays = answer(module, *message)
        except Exception:
            send(out, {"error": traceback.format_exc(limit=-3)})
        else:
            send(out, {"values": values}, arrays)


if __name__ == "__main__":
    # What a library prints goes to the log; the pipe is for messages alone.
    pipe = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    serve(sys.stdin.buffer, pipe, sys.argv[1])
