"""Audio and spectrograms of single items, for pages on which people listen and look."""

from __future__ import annotations

import json
import math
import os
from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from workbench.api.types import Audio
from workbench.audio.io import flac_bytes, read_audio
from workbench.audio.signal import convert
from workbench.evaluation.table import Role
from workbench.pipeline.plots import spectrogram_png

INDEX = "listening.json"
"""In a run's folder: which items can be heard, and where their audio lies."""
PAGE_ITEMS = 6
"""Most items on one page."""
PAGE_BYTES = 9_000_000
"""Room for audio and pictures on one page, in characters of base64."""
LEAST_SECONDS = 1.0
"""An item that alone is too much for a page is cut, to no less than this."""


@dataclass(frozen=True)
class Version:
    """One system's audio for an item; the prompt is not in it."""

    system: str
    role: Role
    audio: Path


@dataclass(frozen=True)
class ListeningItem:
    """An item that can be heard: its prompt, if any, and what each system made of it."""

    id: str
    title: str
    versions: Sequence[Version]
    prompt: Path | None = None


@dataclass(frozen=True)
class Track:
    """A version as a page holds it: audio and spectrogram as data URIs.

    ``width`` is its length, the prompt's included, in per cent of the longest version's.
    """

    system: str
    role: Role
    audio: str
    picture: str
    width: float


@dataclass(frozen=True)
class Player:
    """An item as a page holds it. ``joint`` is where the prompt ends, in per cent of the whole.

    ``seconds`` is what is on the page, ``whole_seconds`` the item's length.
    """

    title: str
    prompt: str
    tracks: tuple[Track, ...]
    seconds: float
    joint: float
    top_khz: float
    whole_seconds: float

    @property
    def chosen(self) -> int:
        """The version that sounds first: the first result, else the first of all."""
        roles = [track.role for track in self.tracks]
        return roles.index("result") if "result" in roles else 0

    @property
    def size(self) -> int:
        """Characters that it takes on the page."""
        return len(self.prompt) + sum(len(t.audio) + len(t.picture) for t in self.tracks)


def players(items: Sequence[ListeningItem], room: int = PAGE_BYTES) -> list[Player]:
    """The first items as they fit into ``room`` characters, at least one where there is any.

    An item that alone is too much is cut to its beginning.
    """
    made: list[Player] = []
    for item in items[:PAGE_ITEMS]:
        player = _player(item)
        while not made and player.size > room and player.seconds > LEAST_SECONDS:
            player = _player(item, max(LEAST_SECONDS, player.seconds / 2))
        room -= player.size
        if made and room < 0:
            break
        made.append(player)
    return made


def joined(item: ListeningItem, version: Version) -> tuple[Audio, float]:
    """Prompt and continuation in one piece, and where the prompt ends in seconds."""
    audio = read_audio(version.audio)
    if item.prompt is None:
        return audio, 0.0
    prompt = convert(read_audio(item.prompt), audio.sample_rate, audio.channels)
    return Audio(torch.cat([prompt.samples, audio.samples], -1), audio.sample_rate), prompt.seconds


def write_index(items: Sequence[ListeningItem], folder: Path) -> None:
    """Note the items in a run's folder, with paths relative to it."""
    entries = [
        {
            "id": item.id,
            "title": item.title,
            "prompt": None if item.prompt is None else os.path.relpath(item.prompt, folder),
            "versions": [
                {"system": v.system, "role": v.role, "audio": os.path.relpath(v.audio, folder)}
                for v in item.versions
            ],
        }
        for item in items
    ]
    (folder / INDEX).write_text(json.dumps(entries, indent=1, ensure_ascii=False))


def read_index(folder: Path) -> list[ListeningItem]:
    """The items that a run's folder notes; none where it has no audio."""
    path = folder / INDEX
    if not path.exists():
        return []
    return [_item(entry, folder) for entry in json.loads(path.read_text())]


def _item(entry: Mapping[str, Any], folder: Path) -> ListeningItem:
    versions = [Version(v["system"], v["role"], folder / v["audio"]) for v in entry["versions"]]
    prompt = None if entry["prompt"] is None else folder / entry["prompt"]
    return ListeningItem(entry["id"], entry["title"], versions, prompt)


def audio_note(heard: Sequence[Player], items: Sequence[ListeningItem]) -> str:
    """How many of the items a page holds, in what form, and how much room they take."""
    size = sum(player.size for player in heard) / 1e6
    return (
        f"{len(heard)} of {len(items)} items, as FLAC (nothing is lost) with spectrograms: "
        f"{size:.1f} MB of this page, which gives them {PAGE_BYTES / 1e6:.0f} MB at most."
    )


def _player(item: ListeningItem, most: float = math.inf) -> Player:
    """The first ``most`` seconds of an item."""
    wholes = [joined(item, version) for version in item.versions]
    length = max((whole.seconds for whole, _ in wholes), default=0.0)
    seconds = min(length, most)
    tracks = []
    cut, rate = 0.0, 0
    for version, (full, joint) in zip(item.versions, wholes, strict=True):
        whole, cut, rate = _beginning(full, seconds), min(joint, seconds), full.sample_rate
        alone = Audio(whole.samples[:, round(cut * rate) :], rate)
        audio = _uri("audio/flac", flac_bytes(alone))
        picture = _uri("image/png", spectrogram_png(whole))
        width = round(100 * whole.seconds / seconds, 2)
        tracks.append(Track(version.system, version.role, audio, picture, width))
    prompt = ""
    if item.prompt is not None:
        prompt = _uri("audio/flac", flac_bytes(_beginning(read_audio(item.prompt), seconds)))
    ends = 100 * cut / seconds if seconds else 0.0
    return Player(item.title, prompt, tuple(tracks), seconds, ends, rate / 2000, length)


def _beginning(audio: Audio, seconds: float) -> Audio:
    return Audio(audio.samples[:, : round(seconds * audio.sample_rate)], audio.sample_rate)


def _uri(kind: str, data: bytes) -> str:
    return f"data:{kind};base64,{b64encode(data).decode()}"
