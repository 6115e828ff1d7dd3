"""Text stage: what a task's frozen reader says of every text, read once and kept beside the codes.

Without it, each training step would run the text encoder on its captions again.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from workbench.api.protocols import ReadingTask
from workbench.api.types import SPLITS
from workbench.audio.dataset import AudioDataset
from workbench.pipeline.experiment import Experiment
from workbench.pipeline.store import StageFolder, content_key
from workbench.training.progress import StepProgress

BATCH = 64
"""Texts that are read at a time."""
STATES = "states.safetensors"
TEXTS = "texts.json"


class StoredTexts(Mapping[str, Tensor]):
    """The states float32 ``[S, D]`` of texts, stored in 16 bits and read when asked for."""

    def __init__(self, folder: Path) -> None:
        texts = json.loads((folder / TEXTS).read_text())
        file: Any = safe_open(folder / STATES, "pt")
        ends: list[int] = file.get_tensor("ends").tolist()
        self._places = dict(zip(texts, zip([0, *ends], ends, strict=False), strict=True))
        self._states = file.get_slice("states")

    def __getitem__(self, text: str) -> Tensor:
        start, end = self._places[text]
        states: Tensor = self._states[start:end]
        return states.float()

    def __contains__(self, text: object) -> bool:
        return text in self._places

    def __iter__(self) -> Iterator[str]:
        return iter(self._places)

    def __len__(self) -> int:
        return len(self._places)


def read_texts(experiment: Experiment, task: ReadingTask, data: AudioDataset) -> StoredTexts:
    """What the task's reader says of all texts of the corpus."""
    examples = (clip.example for split in SPLITS for clip in data.clips(split))
    texts = list(dict.fromkeys(text for example in examples for text in task.texts(example)))
    inputs = {
        "task": experiment.identity("task", experiment.recipe.task, task.reader),
        "texts": content_key(texts),
    }

    def build(folder: StageFolder) -> dict[str, object]:
        write_texts(folder.path, task, texts)
        return {"texts": len(texts)}

    return StoredTexts(experiment.stage("texts", inputs, build).path)


@torch.no_grad()
def write_texts(folder: Path, task: ReadingTask, texts: list[str]) -> None:
    """Read ``texts`` and write the states of all of them, one after the other."""
    states: list[Tensor] = []
    with StepProgress("texts", 0, len(texts)) as progress:
        for first in range(0, len(texts), BATCH):
            batch = texts[first : first + BATCH]
            states += [each.to("cpu", torch.float16) for each in task.reader.read(batch)]
            progress.advance(count=len(batch))
    ends = torch.tensor([len(each) for each in states]).cumsum(0)
    whole = torch.cat(states) if states else torch.zeros(0, task.reader.text_dim).half()
    (folder / TEXTS).write_text(json.dumps(texts, ensure_ascii=False))
    save_file({"states": whole, "ends": ends}, folder / STATES)
