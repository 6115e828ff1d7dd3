"""What every task must keep."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from workbench.api.errors import WorkbenchError
from workbench.api.settings import LMSizes, SamplingSettings
from workbench.api.types import Codes, Example, Request, Sequence, TokenizedExample, Wish
from workbench.lm.config import LMConfig
from workbench.lm.drawing import SequenceDrawer
from workbench.lm.generators import generator_for
from workbench.lm.storage import build_model
from workbench.lm.training import score_sequences
from workbench.lm.transformer import TransformerLM
from workbench.testing.subject import Subject, require

SECONDS = (12.0, 0.0, 0.02, 0.04, 0.5, 14.0, 12.0)
"""Lengths of the items that a task is tried with; 0 is an empty recording."""
DRAWS = 3


@dataclass(frozen=True)
class CodecNumbers:
    """A codec as tasks see it: its numbers."""

    sample_rate: int = 16000
    channels: int = 1
    frame_rate: float = 50.0
    num_codebooks: int = 2
    codebook_size: int = 16

    def encode(self, wav: Tensor, lengths: Tensor | None = None) -> Codes:
        """Tasks work on codes; they never encode."""
        raise NotImplementedError

    def decode(self, codes: Codes) -> Tensor:
        """Tasks give codes; they never decode."""
        raise NotImplementedError


CODEC = CodecNumbers()


def held_out_items() -> list[TokenizedExample]:
    """Random codes of several lengths, with everything that a corpus may know beside them."""
    generator = torch.Generator().manual_seed(0)
    items = []
    for number, seconds in enumerate(SECONDS):
        shape = (CODEC.num_codebooks, round(seconds * CODEC.frame_rate))
        codes = torch.randint(CODEC.codebook_size, shape, generator=generator)
        example = Example(
            f"item{number}",
            "test",
            text="one two three four five",
            language="en",
            speaker=f"speaker{number % 2}",
            caption="a bell rings",
        )
        items.append(TokenizedExample(example, codes, CODEC.frame_rate))
    return items


def names_metrics(subject: Subject) -> None:
    """``metrics`` is a tuple of metrics that the installed plugins provide."""
    names = subject.built.metrics
    plain = isinstance(names, tuple) and all(isinstance(name, str) for name in names)
    require(plain, f"metrics is {names!r}; it must be a tuple of names")
    for name in names:
        subject.catalog.get("metric", name)


def language_models_can_be_built(subject: Subject) -> None:
    """``language_models`` gives at least one ``LMConfig`` by role, of which models can be made."""
    models = _models(subject)
    require(bool(models), "language_models gives no model")
    for role, model in models.items():
        config = model.config
        require(
            config.num_codebooks >= 1 and config.codebook_size >= 1,
            f"the model {role!r} has {config.num_codebooks} codebooks of {config.codebook_size} "
            "codes: start from the lm that is given",
        )


def training_sequences_fit_the_models(subject: Subject) -> None:
    """Items of any length give a ``Sequence`` that the role's model learns from, or None."""
    items = held_out_items()
    for role, model in _models(subject).items():
        drawer = SequenceDrawer(subject.built, role, items)
        found = 0
        for number, item in enumerate(items):
            sequence = drawer.of(number, np.random.default_rng(0))
            if sequence is None:
                continue
            found += 1
            method = "paired_sequence" if drawer.groups.get(number) else "training_sequence"
            said = f"{method}({role!r}, ...) of {item.codes.shape[-1]} frames gives"
            require(isinstance(sequence, Sequence), f"{said} a {type(sequence).__name__}")
            frames = int(sequence.codes.shape[-1])
            require(
                0 <= sequence.loss_from < frames,
                f"{said} {frames} frames with loss_from {sequence.loss_from}: nothing to learn; "
                "give None where an item is too short",
            )
            nats = sum(score_sequences(model, [sequence])[0].nats)
            require(np.isfinite(nats), f"{said} a sequence on which the model's loss is {nats}")
        require(
            found > 0, f"no item of up to {max(SECONDS):g} s gives the model {role!r} a sequence"
        )


def sequences_depend_on_rng_alone(subject: Subject) -> None:
    """The same items and generator give the same training sequence; items stay as they were."""
    items, before = held_out_items(), held_out_items()
    for role in _configs(subject):
        drawer = SequenceDrawer(subject.built, role, items)
        for seed in range(DRAWS):
            one, other = (drawer.of(0, np.random.default_rng(seed)) for _ in range(2))
            same = (one is None) == (other is None)
            if one is not None and other is not None:
                same = torch.equal(one.codes, other.codes)
            require(same, "two sequences drawn with equal generators differ: draw from rng alone")
    kept = all(torch.equal(a.codes, b.codes) for a, b in zip(items, before, strict=True))
    require(kept, "training_sequence changes the item's codes")


def requests_hold_the_truth(subject: Subject) -> None:
    """Held-out items give requests with the true codes as reference, or none if too short."""
    items = {item.example.id: item for item in held_out_items()}
    requests = _requests(subject)
    require(len(requests) >= 2, f"{len(items)} items of up to 14 s give {len(requests)} requests")
    for request in requests:
        require(request.id in items, f"a request has the id {request.id!r}, which no item has")
        require(
            request.frames >= 1,
            f"request {request.id!r} wants {request.frames} frames, not 1 or more",
        )
        for name, codes in (("prompt", request.prompt), ("reference", request.reference)):
            require(codes is not None, f"request {request.id!r} has no {name}")
            right = codes.dim() == 2 and not codes.is_floating_point()  # type: ignore[union-attr]
            require(right, f"the {name} of request {request.id!r} must be integers [K, frames]")


def wishes_are_met_or_refused_plainly(subject: Subject) -> None:
    """A person's wish gives a request, or a ``WorkbenchError`` saying what is missing."""
    prompt = held_out_items()[0].codes
    wishes = [
        Wish(),
        Wish(text="one two", language="en"),
        Wish(prompt=prompt, seconds=0.5),
        Wish(prompt=prompt, text="one two", language="en"),
        Wish(prompt=prompt, text="one two", language="en", prompt_text="three four five"),
    ]
    met = 0
    for wish in wishes:
        try:
            request = subject.built.request(wish, CODEC)
        except WorkbenchError:
            continue
        except Exception as error:
            require(
                False,
                f"a wish {_words(wish)} raises {type(error).__name__} ({error}); raise a "
                "WorkbenchError that says what is missing",
            )
        met += 1
        require(isinstance(request, Request), f"request() gives a {type(request).__name__}")
        require(request.frames >= 1, f"a wish {_words(wish)} gives no frames to generate")
        if wish.seconds is not None:
            most = round(wish.seconds * CODEC.frame_rate) + 1
            require(
                request.frames <= most,
                f"a wish for at most {wish.seconds} s asks for {request.frames} frames, "
                f"more than {most}",
            )
    require(met > 0, "it refuses every wish, with prompt and text too")


def generates_what_was_asked(subject: Subject) -> None:
    """``generate`` gives each request's codes in order, at most as long; a function of the seed."""
    requests = _requests(subject)[:2]
    models = _models(subject)
    generators = {role: generator_for(model, SamplingSettings()) for role, model in models.items()}
    results = [subject.built.generate(generators, requests, 3) for _ in range(2)]
    require(
        len(results[0]) == len(requests),
        f"generate gives {len(results[0])} results for {len(requests)} requests",
    )
    for request, one, other in zip(requests, *results, strict=True):
        said = f"request {request.id!r} for {request.frames} frames gives codes {list(one.shape)}"
        right = one.dim() == 2 and one.shape[0] == CODEC.num_codebooks
        require(
            right and 0 <= one.shape[1] <= request.frames,
            f"{said}; they must be [{CODEC.num_codebooks}, up to {request.frames}], without the "
            "prompt",
        )
        Codes(one[None], CODEC.codebook_size, CODEC.frame_rate)
        require(torch.equal(one, other), "generate gives other codes with the same seed")


CHECKS = (
    names_metrics,
    language_models_can_be_built,
    training_sequences_fit_the_models,
    sequences_depend_on_rng_alone,
    requests_hold_the_truth,
    wishes_are_met_or_refused_plainly,
    generates_what_was_asked,
)


def _configs(subject: Subject) -> Mapping[str, LMConfig]:
    sizes = LMSizes(width=16, depth=1, heads=1, pattern="delay", context=2048)
    lm = LMConfig.of(sizes, CODEC.num_codebooks, CODEC.codebook_size)
    configs: Any = subject.built.language_models(CODEC, lm)
    right = isinstance(configs, Mapping) and all(isinstance(c, LMConfig) for c in configs.values())
    require(right, f"language_models gives {configs!r}, not a mapping of role to LMConfig")
    result: Mapping[str, LMConfig] = configs
    return result


def _models(subject: Subject) -> dict[str, TransformerLM]:
    return {role: build_model(c, 0).eval() for role, c in _configs(subject).items()}


def _requests(subject: Subject) -> list[Request]:
    requests = subject.built.requests(iter(held_out_items()), CODEC)
    right = isinstance(requests, list) and all(isinstance(r, Request) for r in requests)
    require(right, f"requests gives {requests!r}, not a list of workbench.Request")
    result: list[Request] = requests
    return result


def _words(wish: Wish) -> str:
    given = {"a prompt": wish.prompt is not None, "text": wish.text, "seconds": wish.seconds}
    return f"with {' and '.join(name for name, value in given.items() if value) or 'nothing'}"
