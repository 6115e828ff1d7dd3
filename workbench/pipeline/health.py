"""The doctor's view of a run: which stages were trained, and what it finds in each."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path

import torch

from workbench.api.errors import NothingToExamine
from workbench.codec.monitor import checkpoint_signs
from workbench.pipeline.comparison import find_folder
from workbench.training.checkpoint import load_checkpoint
from workbench.training.doctor.diagnosis import HISTORY, FinalState, Health, diagnose
from workbench.training.doctor.divergence import FILE, all_finite


def examine_run(name: str, results: Path, stage: str | None = None) -> list[Health]:
    """The health of a run's trainings, or of one ``stage``.

    ``name`` may also be the folder of a single training: a stage of the store, which holds the
    history of a run that was killed before it could note its stages.
    """
    trained = trained_stages(name, results)
    if stage is not None:
        if stage not in trained:
            raise NothingToExamine(
                f"{name} has trained no stage {stage!r}; it has: {', '.join(trained) or 'none'}"
            )
        trained = {stage: trained[stage]}
    return [examine_stage(key, folder) for key, folder in trained.items()]


def trained_stages(name: str, results: Path) -> dict[str, Path]:
    """Folders of a run's trainings by stage; at least one."""
    folder = Path(name)
    if has_history(folder):
        return {folder.resolve().parent.name: folder}
    run = find_folder(name, results)
    record = json.loads((run / "run.json").read_text())
    stages = {key: Path(entry["folder"]) for key, entry in record["stages"].items()}
    trained = {key: path for key, path in stages.items() if has_history(path)}
    if not trained:
        raise NothingToExamine(
            f"run {run.name} has noted no training (status: {record['status']}). It trained "
            f"nothing, or was killed in a training: name that one's folder below "
            f"{results / 'store'} instead"
        )
    return trained


def has_history(folder: Path) -> bool:
    """Whether a folder is that of a training with something to examine."""
    return (folder / HISTORY).exists() or (folder / FILE).exists()


def examine_stage(stage: str, folder: Path) -> Health:
    """One training by its history and its last checkpoint."""
    checkpoints = sorted(folder.glob("*.checkpoint"), key=lambda path: path.stat().st_mtime)
    final = final_state(checkpoints[-1]) if checkpoints else None
    return diagnose(stage, folder, final)


def final_state(path: Path) -> FinalState:
    """What a training's checkpoint tells of its end."""
    state = load_checkpoint(path, torch.device("cpu"))
    signs: dict[str, float] = {}
    broken = []
    for part, tensors in state["modules"].items():
        signs |= checkpoint_signs(tensors, int(state["step"]))
        broken += [f"{part}.{key}" for key, value in tensors.items() if not all_finite(value)]
    return FinalState(path.stem, int(state["step"]) - 1, signs, broken)


def run_health(histories: Mapping[str, Path]) -> list[Health]:
    """The health of trainings by the paths of their histories, without their checkpoints."""
    return [diagnose(stage, path.parent) for stage, path in histories.items()]


def summaries(healths: Iterable[Health]) -> dict[str, str]:
    """A tag for each stage: ``healthy``, or the checks that found something."""
    return {f"doctor.{health.stage}": health.summary for health in healths}
