"""Open a finished run again: its codec, its task and its language models, ready to generate."""

from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file

from workbench.api.errors import WorkbenchError
from workbench.api.protocols import Codec, Task
from workbench.api.settings import SamplingSettings
from workbench.api.types import Audio, Codes, Request, Wish
from workbench.audio.signal import convert
from workbench.codec.fewer import use_codebooks
from workbench.codec.long import encode_long
from workbench.codec.quantizer import DERIVED
from workbench.host.catalog import Catalog
from workbench.host.context import Context
from workbench.lm.generate import Generator
from workbench.lm.generators import generator_for
from workbench.lm.matrices import Precision
from workbench.lm.refine import Refiner
from workbench.lm.storage import load_model
from workbench.pipeline.choosing import answer
from workbench.pipeline.generation import at_limit
from workbench.pipeline.models import BuiltCodec, Teacher

logger = logging.getLogger("workbench.pipeline")


@dataclass(frozen=True)
class TrainedRun:
    """What a finished run can be asked for."""

    codec: Codec
    task: Task
    generators: Mapping[str, Generator | Refiner]
    device: str

    @torch.inference_mode()
    def generate(self, wish: Wish, prompt: Audio | None, seed: int) -> tuple[Audio, Audio | None]:
        """Audio for a wish, and the prompt's as the model heard it where it goes on from that.

        ``prompt`` is the audio that ``wish`` comes with; its codes are filled in here.
        """
        codes = None if prompt is None else self._encode(prompt)
        request = self.task.request(replace(wish, prompt=codes), self.codec)
        generated = answer(self.task, self.generators, [request], seed, self._heard)[0]
        self._warn_of_limit(request, generated)
        before = request.prompt if request.continues else generated[:, :0]
        wav = self._decode(torch.cat([before, generated], dim=-1))
        cut = round(before.shape[-1] * self.codec.sample_rate / self.codec.frame_rate)
        rate = self.codec.sample_rate
        heard = Audio(wav[:, :cut], rate) if cut else None
        return Audio(wav[:, cut:], rate), heard

    def _warn_of_limit(self, request: Request, generated: torch.Tensor) -> None:
        """Say so where a model that decides about its end was cut off."""
        if self.ends and at_limit([request], {request.id: generated}):
            seconds = request.frames / self.codec.frame_rate
            logger.warning("cut off after %.2f s, the length limit: no end was generated", seconds)

    @property
    def ends(self) -> bool:
        """Whether a model decides itself how long it goes on."""
        return any(g.model.config.end_symbol for g in self.generators.values())

    def _encode(self, prompt: Audio) -> torch.Tensor:
        audio = convert(prompt, self.codec.sample_rate, self.codec.channels)
        samples = audio.samples[None].to(self.device)
        pieces = encode_long(self.codec, lambda: [samples], samples.shape[-1])
        return torch.cat([piece[0].cpu() for piece in pieces], dim=-1)

    def _heard(self, request: Request, codes: torch.Tensor) -> Audio:
        """A result as it sounds after what it goes on from."""
        before = request.prompt if request.continues else codes[:, :0]
        cut = round(before.shape[-1] * self.codec.sample_rate / self.codec.frame_rate)
        wav = self._decode(torch.cat([before, codes], dim=-1))
        return Audio(wav[:, cut:], self.codec.sample_rate)

    def _decode(self, codes: torch.Tensor) -> torch.Tensor:
        values = Codes(codes[None].to(self.device), self.codec.codebook_size, self.codec.frame_rate)
        return self.codec.decode(values)[0].float().cpu()


def describe_models(
    teachers: tuple[Teacher, ...], codec: BuiltCodec, task: Any, models: Mapping[str, Path]
) -> dict[str, Any]:
    """What :func:`open_run` needs, as JSON: component names, options and weight folders."""
    return {
        "encoders": [
            {"name": t.slot.name, "options": t.slot.options, "weight": t.slot.weight}
            for t in teachers
        ],
        "codec": {
            "name": codec.slot.name,
            "options": codec.slot.options,
            "codebooks": codec.slot.codebooks,
        },
        "task": {"name": task.name, "options": task.options},
        "language_models": {role: str(path) for role, path in models.items()},
    }


def open_run(
    folder: Path,
    catalog: Catalog,
    device: str,
    sampling: Mapping[str, float] | None = None,
    precision: Precision = "fp32",
) -> TrainedRun:
    """The models of the run in ``folder``; ``sampling`` overrides the recipe's values by name.

    ``precision`` is that of the language models' weights: ``fp16`` and ``int8`` are quicker for
    large models on a CPU.
    """
    record = json.loads((folder / "run.json").read_text())
    models = record.get("models")
    if not models or not models["language_models"]:
        raise WorkbenchError(
            f"run {folder.name} has no language model to generate with "
            f"(status: {record['status']}); finish it with `workbench run`"
        )
    context = Context(catalog, device, record["seed"])
    encoders = tuple(
        (e["name"], context.build("semantic_encoder", e["name"], e["options"]), e["weight"])
        for e in models["encoders"]
    )
    with_encoders = Context(catalog, device, record["seed"], encoders)
    slot = models["codec"]
    full = with_encoders.build("codec", slot["name"], slot["options"])
    codec = use_codebooks(full, slot["codebooks"])
    task = context.build("task", models["task"]["name"], models["task"]["options"])
    settings = SamplingSettings(**{**record["sampling"], **(sampling or {})})
    generators = {
        role: generator_for(load_model(Path(path), device), settings, precision)
        for role, path in models["language_models"].items()
    }
    return TrainedRun(codec, task, generators, device)


def export_weights(run: Path, stage: str, out: Path, half: bool = False) -> int:
    """Copy what a run's stage trained to the folder ``out``; returns the bytes written.

    ``half`` stores floating-point tensors in 16 bits; loading brings them back to 32. It leaves
    out a codec's moving averages, which loading makes anew.
    """
    stages: dict[str, Any] = json.loads((run / "run.json").read_text())["stages"]
    trained = {n: Path(s["folder"]) / "weights" for n, s in stages.items()}
    trained = {name: folder for name, folder in trained.items() if folder.is_dir()}
    if stage not in trained:
        raise WorkbenchError(
            f"run {run.name} has trained no stage {stage!r}; it has: {', '.join(trained) or 'none'}"
        )
    shutil.copytree(trained[stage], out, dirs_exist_ok=True)
    for path in out.glob("*.safetensors") if half else []:
        kept = {k: v for k, v in load_file(path).items() if not k.endswith(DERIVED)}
        save_file({k: v.half() if v.is_floating_point() else v for k, v in kept.items()}, path)
    return sum(path.stat().st_size for path in out.rglob("*") if path.is_file())
