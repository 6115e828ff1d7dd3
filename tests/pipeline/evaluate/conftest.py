"""Folders of audio, and metrics that note what they are asked."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from workbench import Audio, load_catalog, write_audio
from workbench.pipeline.evaluate.scores import Scoring

RATE = 8000
NOISE = {"good": 0.01, "bad": 0.1}

PLUGIN = """
    import os
    import time
    from workbench import ItemLacks, WorkbenchError, mean_figure, metric_settings, set_figure

    class Tally:
        def __init__(self):
            self.scores, self.weights = {}, {}
        def update(self, item):
            with open(os.environ["TALLY"], "a") as log:
                log.write(f"{item.id}\\n")
            with open(os.environ["TALLY"] + ".pids", "a") as log:
                log.write(f"{os.getpid()}\\n")
            time.sleep(float(os.environ.get("DAWDLE", "0")))
            if item.id == os.environ.get("STOP_AT"):
                raise KeyboardInterrupt
            gap = (item.generated.samples - item.reference.samples).abs().mean()
            self.scores[item.id] = float(gap)
            self.weights[item.id] = 1.0 + len(item.example.text or "")
        def compute(self):
            settings = metric_settings("mean difference", 1)
            return [mean_figure("tally", self.scores, False, settings=settings,
                                weights=self.weights)]

    class Spread(Tally):
        def compute(self):
            if len(self.scores) < 2:
                raise WorkbenchError("one item has no spread")
            values = list(self.scores.values())
            def spread(weights):
                chosen = [v for v, w in zip(values, weights) if w]
                return max(chosen) - min(chosen)
            settings = metric_settings("largest less smallest", 1)
            return [set_figure("spread", len(values), spread, False, settings=settings)]

    class Wordy(Tally):
        def update(self, item):
            if not item.example.text:
                raise ItemLacks(f"item {item.id!r} has no text")
            super().update(item)

    @hookimpl
    def workbench_metrics():
        made = {"tally": Tally, "spread": Spread, "wordy": Wordy}
        return [Component(name, "For a test", Options, lambda o, c, cls=cls: cls())
                for name, cls in made.items()]
"""


@pytest.fixture
def asked(tmp_path, monkeypatch):
    """The file in which the metrics of the plugin note the items that they are given."""
    log = tmp_path / "asked.txt"
    log.touch()
    monkeypatch.setenv("TALLY", str(log))
    return log


@pytest.fixture
def scoring(fake_plugin, asked, tmp_path):
    fake_plugin("tallies", PLUGIN)
    return Scoring(load_catalog(), tmp_path / "results")


def noisy_folders(root: Path, items: int) -> None:
    """``ref`` and, beside it, the same with noise: in other formats and at another rate."""
    generator = torch.Generator().manual_seed(0)
    for number in range(items):
        wav = 0.1 * torch.randn(1, RATE // 4, generator=generator)
        write_audio(root / "ref" / f"s{number}.wav", Audio(wav, RATE))
        for name, level in NOISE.items():
            noise = level * torch.randn(wav.shape, generator=generator)
            write_audio(root / name / f"s{number}.flac", Audio(wav + noise, RATE))


@pytest.fixture
def folders(tmp_path):
    noisy_folders(tmp_path, 12)
    return tmp_path
