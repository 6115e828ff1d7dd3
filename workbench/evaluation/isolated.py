"""Metrics of single items whose library runs in an environment of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from weakref import WeakValueDictionary

from torch.nn.functional import pad

from workbench.api.environment import Environment
from workbench.api.errors import PluginError, WorkbenchError
from workbench.api.types import EvaluationItem, Figure
from workbench.audio.signal import convert
from workbench.evaluation.provenance import AS_IT_IS, metric_settings
from workbench.evaluation.statistics import mean_figure
from workbench.host.isolation import Worker

FUNCTION = "score"
"""What the worker's module must have."""


@dataclass(frozen=True)
class Score:
    """One of the numbers that the module's ``score`` returns by name, as the mean over items."""

    name: str
    higher_is_better: bool
    definition: str
    unit: str = ""
    version: int = 1
    """Raised whenever the same audio would score otherwise."""
    loudness: str = AS_IT_IS
    """What the library does to the audio's level."""


class IsolatedMetric:
    """Scores each item by ``score(generated, reference, sample_rate, **options)`` of a module.

    Both are mono float32 ``[T]`` at ``sample_rate``, the shorter one padded with silence. ``score``
    returns a number for each of ``scores`` by name, or None where an item has no such score: it is
    then left out of that mean.
    """

    def __init__(
        self,
        worker: Worker,
        scores: Sequence[Score],
        sample_rate: int,
        options: Mapping[str, Any] | None = None,
    ) -> None:
        self.worker = worker
        self.scores = scores
        self.sample_rate = sample_rate
        self.options = dict(options or {})
        self._found: dict[str, dict[str, float]] = {score.name: {} for score in scores}

    def update(self, item: EvaluationItem) -> None:
        """Have one item scored."""
        wavs = [
            convert(audio, self.sample_rate, 1).samples[0]
            for audio in (item.generated, item.reference)
        ]
        length = max(len(wav) for wav in wavs)
        generated, reference = (pad(wav, (0, length - len(wav))).numpy() for wav in wavs)
        values = {"sample_rate": self.sample_rate, **self.options}
        try:
            told = self.worker.call(
                FUNCTION, {"generated": generated, "reference": reference}, values
            )
        except WorkbenchError as error:
            raise WorkbenchError(f"item {item.id!r}: {error}") from error
        for score in self.scores:
            if score.name not in told:
                raise PluginError(
                    f"{self.worker.module}: {FUNCTION} returns {', '.join(told) or 'nothing'}; "
                    f"expected {score.name!r}"
                )
            if told[score.name] is not None:
                self._found[score.name][item.id] = float(told[score.name])

    def compute(self) -> list[Figure]:
        """The mean of each score, with the versions of the environment's libraries."""
        figures = []
        for score in self.scores:
            settings = metric_settings(
                score.definition, score.version, None, self.sample_rate, loudness=score.loudness
            )
            settings["libraries"] = self.worker.versions
            found = self._found[score.name]
            figures.append(
                mean_figure(score.name, found, score.higher_is_better, score.unit, settings)
            )
        return figures


_shared: WeakValueDictionary[tuple[str, str, str], Worker] = WeakValueDictionary()


def shared_worker(environment: Environment, module: Path, python: str = "") -> Worker:
    """The worker of this environment and module, shared by the metrics now alive that use it.

    ``score`` must then depend on what it is given alone. ``python`` as in :class:`Worker`.
    """
    key = (str(environment), str(module), python)
    worker = _shared.get(key)
    if worker is None:
        worker = _shared[key] = Worker(environment, module, python)
    return worker
