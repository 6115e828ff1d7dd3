"""What the corpora of files share: checks on a recording, and stamps of files."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

from workbench import Audio, AudioError


def long_enough(audio: Audio, min_seconds: float, name: str) -> Audio:
    """``audio`` itself; raises ``AudioError`` where it is shorter than ``min_seconds``."""
    if audio.seconds < min_seconds:
        raise AudioError(f"{name}: lasts {audio.seconds:.2f} s, less than min_seconds")
    return audio


def stamp(files: Iterable[tuple[str, Path]], *context: str) -> str:
    """Hash of names, sizes and modification times of files, and of ``context``; reads no file.

    ``files`` holds names and paths. A file that is not there counts as such.
    """
    digest = hashlib.sha256()
    for name, path in sorted(files):
        try:
            status = path.stat()
            line = f"{name}\0{status.st_size}\0{status.st_mtime_ns}\n"
        except OSError:
            line = f"{name}\0missing\n"
        digest.update(line.encode(errors="surrogateescape"))
    for part in context:
        digest.update(f"\0{part}".encode())
    return digest.hexdigest()
