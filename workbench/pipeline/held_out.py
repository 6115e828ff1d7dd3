"""What is asked of the models about held-out recordings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch

from workbench.api.errors import RecipeError, WorkbenchError
from workbench.api.protocols import Codec, Task
from workbench.api.types import Request
from workbench.audio.dataset import AudioDataset
from workbench.evaluation.groups import in_turns, labels
from workbench.lm.config import LMConfig
from workbench.lm.patterns import build_pattern
from workbench.pipeline.experiment import Experiment
from workbench.pipeline.models import language_model_configs
from workbench.pipeline.tokens import TokenizedSplit


@dataclass(frozen=True)
class HeldOut:
    """The requests about the test split, with the split's codes and recordings."""

    requests: Sequence[Request]
    tokens: TokenizedSplit
    data: AudioDataset


def hold_out(
    experiment: Experiment, task: Task, tokens: TokenizedSplit, data: AudioDataset, codec: Codec
) -> HeldOut:
    """The requests about the first test items that can be used, at least two.

    Where results are broken down by groups, the groups take turns, so that each has its share.
    """
    section = experiment.recipe.evaluation
    requests = {request.id: request for request in task.requests(iter(tokens), codec)}
    examples = {key: request.example for key, request in requests.items()}
    grouped = [labels(examples, name) for name in section.by] if requests else []
    order = in_turns({key: tuple(group[key] for group in grouped) for key in requests})
    chosen = [requests[key] for key in order[: section.items]]
    if len(chosen) < 2:
        raise WorkbenchError(
            f"only {len(chosen)} of {len(tokens)} test recordings can be used by the task "
            f"{experiment.recipe.task.name!r}; it needs at least 2 that are long enough. "
            "Shorten the task's lengths, or give the corpus more or longer recordings."
        )
    for config in language_model_configs(experiment, task, codec).values():
        _check_context(config, chosen)
    return HeldOut(chosen, tokens, data)


def _check_context(config: LMConfig, requests: Sequence[Request]) -> None:
    """Complain before the training where the model couldn't be asked what it is trained for."""
    longest = max(positions(config, request) for request in requests)
    if longest > config.context:
        raise RecipeError(
            [
                f"lm.model.context = {config.context}: must be at least {longest}, which held-out "
                "items may take (condition, prompt and the most that may be generated)"
            ]
        )


def positions(config: LMConfig, request: Request) -> int:
    """Most positions that a model sees of a request."""
    frames = int(request.prompt.shape[-1]) + request.frames
    if config.given_codebooks:  # one a frame, after the start symbol
        steps = frames + 1
    else:  # the start symbol, and each step but the last
        steps = build_pattern(config.pattern, config.num_codebooks).steps(frames)
    return steps + config.positions_before(request.condition)


@torch.inference_mode()
def hear_alone(request: Request, held_out: HeldOut, codec: Codec, device: str) -> Request:
    """``request`` with its prompt encoded from the prompt's audio alone.

    A semantic teacher hears both ways in time, so that codes cut from the whole recording's hold a
    little of what comes after them. Codes that are not the recording's own are left as they are.
    """
    tokens, data = held_out.tokens, held_out.data
    number = tokens.index_of(request.prompt_from or request.id)
    frames = int(request.prompt.shape[-1])
    if frames == 0 or not torch.equal(tokens[number].codes[:, :frames], request.prompt):
        return request
    samples = round(frames * codec.sample_rate / codec.frame_rate)
    wav = data.read(tokens.clips[number], 0, samples)[None].to(device)
    alone = codec.encode(wav).values[0, :, :frames].cpu()
    return replace(request, prompt=alone)
