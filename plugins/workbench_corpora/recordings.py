"""What the corpora of files share: files below a folder, their stamps, checks on a recording."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from workbench import AUDIO_SUFFIXES, Audio, AudioError


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


def audio_files(root: Path) -> Iterator[str]:
    """Relative paths, with forward slashes, of the audio files below ``root``; links are followed.

    Hidden files and folders are passed over; so is a link to a folder that was already seen.
    """
    seen = {os.path.realpath(root)}
    for folder, subfolders, names in os.walk(root, followlinks=True):
        kept = []
        for subfolder in sorted(subfolders):
            real = os.path.realpath(os.path.join(folder, subfolder))
            if not subfolder.startswith(".") and real not in seen:
                seen.add(real)
                kept.append(subfolder)
        subfolders[:] = kept
        for name in names:
            if Path(name).suffix.lower() in AUDIO_SUFFIXES and not name.startswith("."):
                yield (Path(folder) / name).relative_to(root).as_posix()
