"""Environments in which components run libraries that the workbench's own can't live beside."""

from __future__ import annotations

import fcntl
import hashlib
import json
import logging
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from venv import EnvBuilder

from workbench.api.environment import Environment
from workbench.api.errors import ModelAbsent, WorkbenchError

_log = logging.getLogger(__name__)
_MARK = "workbench.json"
"""Written last: a folder without it was left half made, and is made anew."""
_SHOWN_LINES = 8
"""How much of pip's complaint an error repeats."""


@dataclass(frozen=True)
class Installed:
    """An environment that lies in the cache."""

    name: str
    requirements: tuple[str, ...]
    folder: Path

    @property
    def megabytes(self) -> float:
        """What it takes on disk."""
        files = (
            path for path in self.folder.rglob("*") if path.is_file() and not path.is_symlink()
        )
        return sum(path.stat().st_size for path in files) / 1e6


def cache_folder() -> Path:
    """Where environments lie: ``workbench/environments`` below the user's cache folder."""
    cache = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(cache).expanduser() / "workbench" / "environments"


def folder_of(environment: Environment) -> Path:
    """Where an environment lies; other requirements or another Python make it another one."""
    wanted = json.dumps([_python(), *sorted(environment.requirements)])
    digest = hashlib.sha256(wanted.encode()).hexdigest()[:12]
    return cache_folder() / f"{environment.name}-{digest}"


def is_installed(environment: Environment) -> bool:
    """Whether it was made, and to its end."""
    return (folder_of(environment) / _MARK).is_file()


def interpreter(environment: Environment) -> Path:
    """The Python of ``environment``, which is made where it isn't there yet.

    Processes that need it at once wait for the one that makes it. Raises ``ModelAbsent`` where it
    can't be made: offline, say.
    """
    folder = folder_of(environment)
    with _alone(folder):
        if not is_installed(environment):
            _make(environment, folder)
    return folder / "bin" / "python"


def installed() -> list[Installed]:
    """The environments in the cache, by name; also those that no component wants any more."""
    marks = sorted(cache_folder().glob(f"*/{_MARK}"))
    stated = [(mark.parent, json.loads(mark.read_text())) for mark in marks]
    return [Installed(told["name"], tuple(told["requirements"]), folder) for folder, told in stated]


def remove(found: Installed) -> None:
    """Delete an environment; it is made again when it is needed again."""
    with _alone(found.folder):
        shutil.rmtree(found.folder)


def _make(environment: Environment, folder: Path) -> None:
    _log.info(
        "environment %s: installing %s into %s, once",
        environment.name, ", ".join(environment.requirements), folder,
    )  # fmt: skip
    try:
        EnvBuilder(clear=True, symlinks=True, with_pip=True).create(folder)
    except (OSError, subprocess.CalledProcessError) as error:
        raise WorkbenchError(
            f"environment {environment.name!r}: Python's venv can't make {folder} ({error}); "
            "on Debian it needs the package python3-venv"
        ) from error
    command = [str(folder / "bin" / "python"), "-m", "pip", "install"]
    done = subprocess.run(
        [*command, "--disable-pip-version-check", "numpy", *environment.requirements],
        env=clean_environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    if done.returncode != 0:
        told = "\n".join(done.stdout.strip().splitlines()[-_SHOWN_LINES:])
        shutil.rmtree(folder)
        raise ModelAbsent(
            f"environment {environment.name!r}: pip can't install "
            f"{', '.join(environment.requirements)} for Python {_python()}:\n{told}\n"
            f"Try again with a network (workbench environments create {environment.name}), or name "
            "an interpreter that has them by the option python"
        )
    mark = {"name": environment.name, "requirements": list(environment.requirements)}
    (folder / _MARK).write_text(json.dumps(mark))


def clean_environment() -> dict[str, str]:
    """Variables for another interpreter: ours, without those that would show it our packages."""
    ours = {"PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV"}
    return {name: value for name, value in os.environ.items() if name not in ours}


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Hold the lock of an environment's folder, which other processes then wait for."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with folder.with_name(f"{folder.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _python() -> str:
    return f"{sys.version_info.major}.{sys.version_info.minor}"
