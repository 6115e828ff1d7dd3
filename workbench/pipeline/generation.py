"""Generation stage: answer the requests of held-out items, and decode every system."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from safetensors.torch import load_file, save_file
from torch import Tensor

from workbench.api.errors import RecipeError
from workbench.api.protocols import Codec, Task
from workbench.api.types import Audio, EvaluationItem, Request
from workbench.audio.io import read_audio, write_audio
from workbench.evaluation.table import Role
from workbench.lm.generators import generator_for
from workbench.lm.transformer import TransformerLM
from workbench.pipeline.choosing import answer
from workbench.pipeline.experiment import Experiment
from workbench.pipeline.held_out import HeldOut, hear_alone
from workbench.pipeline.models import LanguageModels
from workbench.pipeline.store import StageFolder, content_key
from workbench.pipeline.systems import (
    GENERATED,
    GROUND_TRUTH,
    PROMPT,
    SystemAudio,
    system_roles,
)
from workbench.recipe.schema import EvaluationSection
from workbench.training.progress import StepProgress

logger = logging.getLogger("workbench.pipeline")

NAMED = 5
"""Results that are named where something is wrong with them; the rest is counted."""


@dataclass(frozen=True)
class Generated:
    """The generation stage's output: what was asked for, and every system's audio and codes."""

    requests: tuple[Request, ...]
    folder: Path
    key: str
    sample_rate: int
    depths: tuple[int, ...] = ()
    """Numbers of codebooks from which round trip and result are heard beside all of them."""

    @property
    def roles(self) -> dict[str, Role]:
        """Every system, in order, and what it is for."""
        return system_roles(self.depths)

    def audio_path(self, system: str, request: Request) -> Path:
        """Where a system's audio for a request lies."""
        folder = system.replace(",", "").replace(" ", "-")
        return self.folder / "audio" / folder / file_name(request.id)

    def prompt_path(self, request: Request) -> Path | None:
        """Where the prompt's audio lies; None where there is no prompt."""
        return self.audio_path(PROMPT, request) if request.prompt.shape[-1] else None

    def codes(self) -> dict[str, Tensor]:
        """Generated codes ``[K, frames]`` by request id."""
        codes: dict[str, Tensor] = load_file(self.folder / "codes.safetensors")
        return codes

    def items(self, system: str) -> list[EvaluationItem]:
        """A system's audio, each with its truth and prompt."""
        codes = self.codes()
        return [
            EvaluationItem(
                id=request.id,
                example=request.example,
                generated=read_audio(self.audio_path(system, request)),
                reference=read_audio(self.audio_path(GROUND_TRUTH, request)),
                prompt=read_audio(path) if (path := self.prompt_path(request)) else None,
                generated_codes=codes[request.id] if system == GENERATED else None,
                reference_codes=request.reference,
                continues=request.continues,
            )
            for request in self.requests
        ]


def generate_held_out(
    experiment: Experiment, task: Task, models: LanguageModels, held_out: HeldOut, codec: Codec
) -> Generated:
    """Generate for held-out items, and decode every system."""
    recipe, requests = experiment.recipe, held_out.requests
    depths = tuple(recipe.evaluation.depths)
    inputs = {
        "models": {role: stage.key for role, stage in models.stages.items()},
        "sampling": asdict(recipe.lm.sampling),
        "requests": [
            [request.id, request.frames, request.prompt.shape[-1], request.prompt_from]
            for request in requests
        ],
        "depths": depths,
        "seed": recipe.seed,
    }

    def build(folder: StageFolder) -> dict[str, object]:
        sampling = recipe.lm.sampling
        generators = {r: generator_for(m, sampling) for r, m in models.by_role.items()}
        heard = [hear_alone(r, held_out, codec, experiment.device) for r in requests]
        audio = SystemAudio(requests, held_out.data, codec, experiment.device, recipe.seed)
        codes = answer(task, generators, heard, recipe.seed, audio.decoded)
        by_id = {r.id: c.contiguous() for r, c in zip(requests, codes, strict=True)}
        save_file(by_id, folder.path / "codes.safetensors")
        warn_of_limits(requests, by_id, models.by_role)
        output = Generated(tuple(requests), folder.path, folder.key, codec.sample_rate, depths)
        write_systems(output, by_id, audio)
        return {"items": len(requests)}

    stage = experiment.stage("generation", inputs, build)
    return Generated(tuple(requests), stage.path, stage.key, codec.sample_rate, depths)


def check_depths(section: EvaluationSection, codec: Codec) -> None:
    """Each of ``evaluation.depths`` must be below the number of codebooks in use."""
    if any(depth >= codec.num_codebooks for depth in section.depths):
        raise RecipeError(
            [
                f"evaluation.depths = {section.depths}: each must be below the number of codebooks "
                f"in use, {codec.num_codebooks}"
            ]
        )


def at_limit(requests: Sequence[Request], codes: Mapping[str, Tensor]) -> list[str]:
    """Ids of the requests whose result is as long as it was allowed to be, and need not be."""
    return [r.id for r in requests if codes[r.id].shape[-1] >= r.frames > r.at_least]


def warn_of_limits(
    requests: Sequence[Request], codes: Mapping[str, Tensor], models: Mapping[str, TransformerLM]
) -> None:
    """Name the results that were cut off, where a model decides itself how long it goes on."""
    cut = at_limit(requests, codes)
    if cut and any(model.config.end_symbol for model in models.values()):
        named = ", ".join(cut[:NAMED]) + (", ..." if len(cut) > NAMED else "")
        logger.warning(
            "%d of %d results reached their length limit before the model ended them: %s",
            len(cut), len(requests), named,
        )  # fmt: skip


def write_systems(output: Generated, generated: Mapping[str, Tensor], audio: SystemAudio) -> None:
    """Write prompt and systems of every request."""
    with StepProgress("decode", 0, len(output.requests)) as progress:
        for number, request in enumerate(output.requests):
            systems = audio.of(number, generated[request.id], output.depths)
            for system, samples in systems.items():
                write_audio(output.audio_path(system, request), Audio(samples, output.sample_rate))
            progress.advance()


def file_name(identifier: str) -> str:
    """An id as a WAV file's name; ids that differ in odd characters alone stay apart."""
    plain = "".join(c if c.isalnum() or c in "-_." else "_" for c in identifier)
    mark = "" if plain == identifier else f"-{content_key(identifier)[:6]}"
    return f"{plain}{mark}.wav"
