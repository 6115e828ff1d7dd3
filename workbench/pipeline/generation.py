"""Generation stage: continue held-out items, and decode the yardsticks they are measured against.

Systems, from the ceiling to the floors: the ground truth; its codec round trip (what a perfect
language model would reach); what the models generated; another item's true audio in its place; and
the items' own codes shuffled over all items and frames, which keeps how often each code occurs and
nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from workbench.api.errors import WorkbenchError
from workbench.api.protocols import Codec, Task
from workbench.api.types import Audio, Codes, EvaluationItem, Request
from workbench.audio.dataset import AudioDataset
from workbench.audio.io import read_audio, write_audio
from workbench.lm.generate import Generator
from workbench.lm.transformer import TransformerLM
from workbench.pipeline.experiment import Experiment
from workbench.pipeline.models import LanguageModels
from workbench.pipeline.store import StageFolder, content_key
from workbench.pipeline.tokens import TokenizedSplit
from workbench.training.progress import StepProgress

PROMPT = "prompt"
GROUND_TRUTH = "ground truth"
ROUND_TRIP = "codec round trip"
GENERATED = "generated"
ANOTHER_ITEM = "another item"
SHUFFLED = "shuffled codes"


@dataclass(frozen=True)
class Generated:
    """The generation stage's output: what was asked for, and every system's audio and codes."""

    requests: tuple[Request, ...]
    folder: Path
    key: str
    sample_rate: int

    def audio_path(self, system: str, request: Request) -> Path:
        """Where a system's audio for a request lies; ``PROMPT`` is a system here too."""
        return self.folder / "audio" / system.replace(" ", "-") / file_name(request.id)

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
                prompt=read_audio(self.audio_path(PROMPT, request)),
                generated_codes=codes[request.id] if system == GENERATED else None,
                reference_codes=request.reference,
            )
            for request in self.requests
        ]


def generate_held_out(
    experiment: Experiment,
    task: Task,
    models: LanguageModels,
    tokens: TokenizedSplit,
    data: AudioDataset,
    codec: Codec,
) -> Generated:
    """Generate for the first held-out items, and decode every system."""
    recipe = experiment.recipe
    requests = held_out_requests(experiment, task, tokens, codec)
    inputs = {
        "models": {role: stage.key for role, stage in models.stages.items()},
        "sampling": asdict(recipe.lm.sampling),
        "requests": [
            [request.id, request.frames, request.prompt.shape[-1]] for request in requests
        ],
        "seed": recipe.seed,
    }

    def build(folder: StageFolder) -> dict[str, object]:
        generators = build_generators(experiment, models.by_role)
        heard = [
            hear_alone(request, tokens, data, codec, experiment.device) for request in requests
        ]
        codes = task.generate(generators, heard, recipe.seed)
        by_id = {r.id: c.contiguous() for r, c in zip(requests, codes, strict=True)}
        save_file(by_id, folder.path / "codes.safetensors")
        output = Generated(tuple(requests), folder.path, folder.key, codec.sample_rate)
        write_systems(output, by_id, data, codec, experiment)
        return {"items": len(requests)}

    stage = experiment.stage("generation", inputs, build)
    return Generated(tuple(requests), stage.path, stage.key, codec.sample_rate)


def held_out_requests(
    experiment: Experiment, task: Task, tokens: TokenizedSplit, codec: Codec
) -> list[Request]:
    """The requests of the first test items that are long enough, at least two."""
    requests = task.requests(iter(tokens), codec)[: experiment.recipe.evaluation.items]
    if len(requests) < 2:
        raise WorkbenchError(
            f"only {len(requests)} of {len(tokens)} test recordings can be used by the task "
            f"{experiment.recipe.task.name!r}; it needs at least 2 that are long enough. "
            "Shorten the task's lengths, or give the corpus more or longer recordings."
        )
    return requests


@torch.inference_mode()
def hear_alone(
    request: Request, tokens: TokenizedSplit, data: AudioDataset, codec: Codec, device: str
) -> Request:
    """``request`` with its prompt encoded from the prompt's audio alone.

    A semantic teacher hears both ways in time, so that codes cut from the whole recording's hold a
    little of what comes after them. A prompt from elsewhere is left as it is.
    """
    number = tokens.index_of(request.id)
    frames = int(request.prompt.shape[-1])
    if frames == 0 or not torch.equal(tokens[number].codes[:, :frames], request.prompt):
        return request
    samples = round(frames * codec.sample_rate / codec.frame_rate)
    wav = data.read(tokens.clips[number], 0, samples)[None].to(device)
    alone = codec.encode(wav).values[0, :, :frames].cpu()
    return replace(request, prompt=alone)


def build_generators(
    experiment: Experiment, models: Mapping[str, TransformerLM]
) -> dict[str, Generator]:
    """A generator for each language model, with the recipe's sampling."""
    sampling = experiment.recipe.lm.sampling
    return {role: Generator(model, sampling) for role, model in models.items()}


def write_systems(
    output: Generated,
    generated: Mapping[str, Tensor],
    data: AudioDataset,
    codec: Codec,
    experiment: Experiment,
) -> None:
    """Decode and write prompt and systems of every request."""
    requests = output.requests
    clips = {clip.example.id: clip for clip in data.clips("test")}
    hop = codec.sample_rate / codec.frame_rate
    shuffled = shuffle_codes([reference(r) for r in requests], experiment.recipe.seed)
    decode = _Decoder(codec, experiment.device, hop)
    with StepProgress("decode", 0, len(requests)) as progress:
        for number, request in enumerate(requests):
            whole = data.read(clips[request.id])
            cut = round(request.prompt.shape[-1] * hop)
            end = cut + round(reference(request).shape[-1] * hop)
            other = requests[(number + 1) % len(requests)]
            other_audio = data.read(clips[other.id])
            other_cut = round(other.prompt.shape[-1] * hop)
            other_end = other_cut + round(reference(other).shape[-1] * hop)
            systems = {
                PROMPT: whole[:, :cut],
                GROUND_TRUTH: whole[:, cut:end],
                ROUND_TRIP: decode(request.prompt, reference(request)),
                GENERATED: decode(request.prompt, generated[request.id]),
                ANOTHER_ITEM: other_audio[:, other_cut:other_end],
                SHUFFLED: decode(request.prompt, shuffled[number]),
            }
            for system, samples in systems.items():
                audio = Audio(samples, codec.sample_rate)
                write_audio(output.audio_path(system, request), audio)
            progress.advance()


def reference(request: Request) -> Tensor:
    """The true codes of a held-out request."""
    if request.reference is None:
        raise WorkbenchError(f"request {request.id!r} holds no reference codes to measure against")
    return request.reference


def shuffle_codes(codes: Sequence[Tensor], seed: int) -> list[Tensor]:
    """Each codebook's codes permuted over all frames of all items; shapes ``[K, F]`` are kept."""
    generator = torch.Generator().manual_seed(seed)
    pooled = torch.cat(list(codes), dim=-1)
    rows = [row[torch.randperm(row.numel(), generator=generator)] for row in pooled]
    lengths = [int(c.shape[-1]) for c in codes]
    return list(torch.split(torch.stack(rows), lengths, dim=-1))


class _Decoder:
    """Decodes codes after their prompt, so that the joint sounds as it would in use."""

    def __init__(self, codec: Codec, device: str, hop: float) -> None:
        self.codec = codec
        self.device = device
        self.hop = hop

    @torch.inference_mode()
    def __call__(self, prompt: Tensor, codes: Tensor) -> Tensor:
        """Float32 ``[C, T]`` of ``codes [K, F]`` alone."""
        values = torch.cat([prompt, codes], dim=-1)[None].to(self.device)
        wav = self.codec.decode(Codes(values, self.codec.codebook_size, self.codec.frame_rate))
        start = round(prompt.shape[-1] * self.hop)
        return wav[0, :, start:].float().cpu()


def file_name(identifier: str) -> str:
    """An id as a WAV file's name; ids that differ in odd characters alone stay apart."""
    plain = "".join(c if c.isalnum() or c in "-_." else "_" for c in identifier)
    mark = "" if plain == identifier else f"-{content_key(identifier)[:6]}"
    return f"{plain}{mark}.wav"
