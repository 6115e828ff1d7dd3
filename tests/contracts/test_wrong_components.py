"""Each suite catches the mistakes that it is there for, and says what is wrong in plain words."""

from __future__ import annotations

import random
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from tests.contracts.right_components import (
    RIGHT,
    Codec,
    Corpus,
    Encoder,
    Metric,
    Options,
    Task,
    subject,
)
from workbench import Codes, Example, Figure, Sequence, load_catalog, mean_figure
from workbench.testing import SUITES, Check, Subject, judge
from workbench.testing.common import CHECKS

GUIDE = (Path(__file__).parents[2] / "plugins" / "README.md").read_text()


@dataclass
class NoWeights:
    """Options without weights."""

    size: int = 4
    """How large it is."""


@dataclass
class Undocumented:
    """Options that tell nothing."""

    size: int = 4


@dataclass
class Nameless:
    """Options whose rules don't say which one is broken."""

    size: int = 4
    """How large it is."""

    def __post_init__(self) -> None:
        if self.size < 1:
            raise ValueError("too small")


@dataclass(frozen=True)
class Wrong:
    """A component, what is wrong with it and which check finds it; the guide has what it says."""

    kind: str
    mistake: str
    check: str
    build: Callable[..., Any]
    config: type = Options


class OneFrameShort(Encoder):
    def forward(self, wav):
        whole = wav.shape[-1] // 160 - 1  # the engine pads by half a frame on each side
        return super().forward(wav)[..., : max(1, whole - 1)]


class OverTheBatch(Encoder):
    def forward(self, wav):
        features = super().forward(wav)
        return features / features.std()


class Dropping(Encoder):
    def forward(self, wav):
        return nn.functional.dropout(super().forward(wav), 0.5)


class Unseeded(Encoder):
    def __init__(self, options, seed):
        super().__init__(options, torch.initial_seed())


class Unregistered(Encoder):
    def __init__(self, options, seed):
        super().__init__(options, seed)
        self.window = torch.hann_window(160)


class Double(Encoder):
    def forward(self, wav):
        return super().forward(wav).double()


class InPlace(Encoder):
    def forward(self, wav):
        return super().forward(wav.mul_(2))


class WithGradient(Encoder):
    @torch.enable_grad()
    def forward(self, wav):
        return super().forward(wav)


class OwnLoop(Encoder):
    def pretrain(self, data, session):
        self.conv.weight.data.add_(1)


class Forgetful(Encoder):
    def load(self, folder):
        if not folder.is_dir():
            super().load(folder)


class HalfWidth(Encoder):
    def __init__(self, options, seed):
        super().__init__(options, seed)
        self.dim = options.size / 2


class NoRate(Codec):
    frame_rate = 0


class TooLoud(Codec):
    def codes(self, wav):
        return super().codes(wav) + 16 * (wav.abs().amax(dim=-1) >= 1).long()[..., None]


class UnusedEntry(Codec):
    def decode(self, codes):
        unused = (codes.values[:, :1] == 15).repeat_interleave(160, dim=-1)
        return super().decode(codes).masked_fill(unused, float("nan"))


class Dithered(Codec):
    def codes(self, wav):
        return super().codes(wav + torch.randn_like(wav))


class RandomGain(Codec):
    def __init__(self):
        super().__init__()
        self.gain = float(torch.rand(1))

    def codes(self, wav):
        return super().codes(wav * self.gain)


class LooseTable(Codec):
    def __init__(self):
        super().__init__()
        self.tables = [torch.zeros(16), torch.zeros(16)]


class Untaught(Codec):
    def fit(self, data, session):
        pass


class OutOfRange(Codec):
    def codes(self, wav):
        return super().codes(wav) + 1


class LostFrame(Codec):
    def codes(self, wav):
        codes = super().codes(wav)
        return codes[..., :-1] if codes.shape[-1] > 1 else codes


class AlsoPadding(Codec):
    def encode(self, wav, lengths=None):
        frames = None if lengths is None else -(-lengths // 160)
        louder = wav / wav.abs().amax().clamp_min(1e-3)
        return Codes(self.codes(louder), 16, 100.0, frames)


class AllCodebooks(Codec):
    def decode(self, codes):
        if codes.num_codebooks != 2:
            raise ValueError("it takes 2 codebooks")
        return super().decode(codes)


class WrongLength(Codec):
    def decode(self, codes):
        return super().decode(codes)[..., ::2]


class Shuffled(Corpus):
    def examples(self, split):
        return random.sample(super().examples(split), 3)


class SharedSplits(Corpus):
    def audio(self, example):
        return super().audio(replace(example, split="train"))


class Halves(Corpus):
    def audio(self, example):
        audio = super().audio(example)
        return replace(audio, samples=audio.samples.half())


class Restless(Corpus):
    def fingerprint(self):
        return f"levels at {time.monotonic_ns()}"


class OneId(Corpus):
    def examples(self, split):
        return [Example("same", split)]


class Tuples(Corpus):
    def examples(self, split):
        return [replace(e, details={"beats": (1, 2)}) for e in super().examples(split)]


class Unnamed(Corpus):
    def crop_shares(self):
        return {"speech": 1.0}


class NoModel(Task):
    def language_models(self, codec, lm):
        return {}


class NothingToLearn(Task):
    def training_sequence(self, role, item, rng):
        return Sequence(item.codes[:, :100], loss_from=100)


class GlobalRandom(Task):
    def training_sequence(self, role, item, rng):
        start = random.randrange(max(1, item.codes.shape[-1] - 100))
        codes = item.codes[:, start : start + 100]
        return Sequence(codes) if codes.shape[-1] > 1 else None


class NoReference(Task):
    def requests(self, items, codec):
        return [replace(request, reference=None) for request in super().requests(items, codec)]


class Bare(Task):
    def request(self, wish, codec):
        return super().request(replace(wish, prompt=wish.prompt[:, :]), codec)


class PromptToo(Task):
    def generate(self, generators, requests, seed):
        codes = super().generate(generators, requests, seed)
        return [torch.cat([r.prompt, c], dim=-1) for r, c in zip(requests, codes, strict=True)]


class UnknownMetric(Task):
    metrics = ("fad",)


class NoInterval(Metric):
    def compute(self):
        value = sum(self.scores.values())
        return [Figure("peak", value, 0.0, 0.0, len(self.scores), False)]


class Unstated(Metric):
    def compute(self):
        return [mean_figure("peak", self.scores, False, settings={"definition": "difference"})]


class Relative(Metric):
    def compute(self):
        most = max(self.scores.values())
        self.scores = {item: score / most for item, score in self.scores.items()}
        return super().compute()


class Shared(Metric):
    scores: dict[str, float] = {}  # noqa: RUF012 - the mistake

    def __init__(self) -> None:
        pass


class Scaling(Metric):
    def update(self, item):
        item.generated.samples.div_(2)
        super().update(item)


class SameLength(Metric):
    def update(self, item):
        super().update(item)
        self.scores[item.id] += float((item.generated.samples - item.reference.samples).mean())


class Jittery(Metric):
    def update(self, item):
        super().update(item)
        self.scores[item.id] += random.random()


class Unfinished:
    def update(self, item):
        pass


class Dividing(Metric):
    def compute(self):
        value = sum(self.scores.values()) / len(self.scores)
        return [Figure("peak", value, value, value, len(self.scores), False)]


def encoder(kind: type[Encoder]) -> Callable[..., Any]:
    return lambda options, context: kind(options, context.seed)


def plain(kind: type[Any]) -> Callable[..., Any]:
    return lambda options, context: kind()


ENCODER, CODEC, CORPUS, TASK, METRIC = SUITES
WRONG = [
    Wrong(ENCODER, "one frame short", "frame counts", encoder(OneFrameShort)),
    Wrong(ENCODER, "in train mode", "is a module in eval mode",
          lambda options, context: Encoder(options, context.seed).train()),
    Wrong(ENCODER, "scaled by the batch", "items are independent", encoder(OverTheBatch)),
    Wrong(ENCODER, "dropout that is always on", "calls repeat", encoder(Dropping)),
    Wrong(ENCODER, "audio changed in place", "calls repeat", encoder(InPlace)),
    Wrong(ENCODER, "weights drawn without the seed", "seed decides", encoder(Unseeded)),
    Wrong(ENCODER, "a window that is no buffer", "lives on one device", encoder(Unregistered)),
    Wrong(ENCODER, "features in double precision", "features of any length", encoder(Double)),
    Wrong(ENCODER, "gradients turned on inside", "gives no gradient when frozen",
          encoder(WithGradient)),
    Wrong(ENCODER, "a training loop of its own", "trains and comes back", encoder(OwnLoop)),
    Wrong(ENCODER, "weights saved and not loaded", "trains and comes back", encoder(Forgetful)),
    Wrong(ENCODER, "a width that is no whole number", "states its rates", encoder(HalfWidth)),
    Wrong(CODEC, "a frame rate of 0", "states its numbers", plain(NoRate), NoWeights),
    Wrong(CODEC, "in train mode", "is in eval mode", lambda options, context: Codec().train(),
          NoWeights),
    Wrong(CODEC, "out of range at full scale", "silence and full scale", plain(TooLoud),
          NoWeights),
    Wrong(CODEC, "a code that was never used in training", "decodes any codes",
          plain(UnusedEntry), NoWeights),
    Wrong(CODEC, "random dither", "calls repeat", plain(Dithered), NoWeights),
    Wrong(CODEC, "a random number without the seed", "seed decides", plain(RandomGain), NoWeights),
    Wrong(CODEC, "tables that are no buffers", "lives on one device", plain(LooseTable), NoWeights),
    Wrong(CODEC, "a fit that does nothing", "trains and comes back", plain(Untaught), NoWeights),
    Wrong(CODEC, "codes out of range", "codes of any length", plain(OutOfRange), NoWeights),
    Wrong(CODEC, "the last frame lost", "codes of any length", plain(LostFrame), NoWeights),
    Wrong(CODEC, "scaled by the batch", "items are independent", plain(AlsoPadding), NoWeights),
    Wrong(CODEC, "all codebooks or none", "decodes any number of codebooks",
          plain(AllCodebooks), NoWeights),
    Wrong(CODEC, "decoded at half the rate", "decodes any number of codebooks",
          plain(WrongLength), NoWeights),
    Wrong(CORPUS, "examples in random order", "order stays", plain(Shuffled), NoWeights),
    Wrong(CORPUS, "one id for all", "holds examples", plain(OneId), NoWeights),
    Wrong(CORPUS, "half precision", "recordings are sound", plain(Halves), NoWeights),
    Wrong(CORPUS, "test recordings among the training ones", "splits share no recording",
          plain(SharedSplits), NoWeights),
    Wrong(CORPUS, "a fingerprint with the time in it", "fingerprint stays", plain(Restless),
          NoWeights),
    Wrong(CORPUS, "details that JSON does not have", "details are plain", plain(Tuples), NoWeights),
    Wrong(CORPUS, "shares of domains that no example names", "shares fit the domains",
          plain(Unnamed), NoWeights),
    Wrong(TASK, "no language model", "language models can be built", plain(NoModel), NoWeights),
    Wrong(TASK, "a metric nobody has", "names metrics", plain(UnknownMetric), NoWeights),
    Wrong(TASK, "no frame to learn", "training sequences fit the models", plain(NothingToLearn),
          NoWeights),
    Wrong(TASK, "sequences from the global generator", "sequences depend on rng alone",
          plain(GlobalRandom), NoWeights),
    Wrong(TASK, "requests without the truth", "requests hold the truth", plain(NoReference),
          NoWeights),
    Wrong(TASK, "a missing prompt not expected", "wishes are met or refused plainly",
          plain(Bare), NoWeights),
    Wrong(TASK, "the prompt given back too", "generates what was asked", plain(PromptToo),
          NoWeights),
    Wrong(METRIC, "a member missing", "can be built", plain(Unfinished), NoWeights),
    Wrong(METRIC, "random numbers without the seed", "calls repeat", plain(Jittery), NoWeights),
    Wrong(METRIC, "a value outside its interval", "figures are complete", plain(NoInterval),
          NoWeights),
    Wrong(METRIC, "figures that say too little of themselves", "figures state their provenance",
          plain(Unstated), NoWeights),
    Wrong(METRIC, "scores relative to the best item", "scores are the items own", plain(Relative),
          NoWeights),
    Wrong(METRIC, "scores kept in the class", "builds share nothing", plain(Shared), NoWeights),
    Wrong(METRIC, "audio changed in place", "items stay as they are", plain(Scaling), NoWeights),
    Wrong(METRIC, "audio expected at full length", "audio may end early", plain(SameLength),
          NoWeights),
    Wrong(METRIC, "a division by no items", "nothing to score is said", plain(Dividing),
          NoWeights),
    Wrong(METRIC, "an option without a docstring", "options are documented", plain(Metric),
          Undocumented),
    Wrong(METRIC, "a rule that names no option", "options are checked", plain(Metric), Nameless),
    Wrong(METRIC, "weights that are never looked for", "missing weights are named",
          plain(Metric)),
]  # fmt: skip


def outcome_of(wrong: Wrong) -> Any:
    (check,) = [check for check in SUITES[wrong.kind] if check.name == wrong.check]
    return judge(check, subject(wrong.kind, wrong.build, wrong.config))


def row(kind: str, mistake: str, check: str, message: str) -> str:
    """A row of the guide's table; where in a file something was raised is left open."""
    said = re.sub(r"\([\w.]+, line \d+\)", "(FILE, line N)", message)
    return f"| {kind.replace('_', ' ')} | {mistake} | {check} | {said} |"


@pytest.mark.parametrize("wrong", WRONG, ids=lambda wrong: f"{wrong.kind}: {wrong.mistake}")
def test_a_mistake_is_caught_with_the_message_that_the_guide_shows(wrong):
    outcome = outcome_of(wrong)
    assert outcome.verdict == "broken"
    assert row(wrong.kind, wrong.mistake, wrong.check, outcome.message) in GUIDE


def test_importing_torch_at_start_is_caught(fake_plugin):
    name = fake_plugin(
        "eager",
        """
        import torch

        @hookimpl
        def workbench_metrics(): return [Component("eager", "Imports torch", Options, build)]
        """,
    )
    (check,) = [c for c in SUITES[METRIC] if c.name == "registering imports nothing heavy"]
    outcome = judge(check, Subject(load_catalog(name), METRIC, "eager"))
    assert outcome.verdict == "broken"
    assert row("any", "torch imported at the start", check.name, outcome.message) in GUIDE


@pytest.mark.parametrize("kind", SUITES)
def test_every_check_has_a_mistake_that_it_catches(kind):
    common = {Check(run).name for run in CHECKS}
    caught = {wrong.check for wrong in WRONG if wrong.kind == kind or wrong.check in common}
    caught.add("registering imports nothing heavy")
    assert {check.name for check in SUITES[kind]} == caught


@pytest.mark.parametrize("kind", SUITES)
def test_what_is_right_keeps_every_promise(kind):
    config = Options if kind == ENCODER else NoWeights
    right = subject(kind, RIGHT[kind], config)
    checks = [check for check in SUITES[kind] if check.name != "registering imports nothing heavy"]
    broken = [o for o in (judge(check, right) for check in checks) if o.verdict == "broken"]
    assert not broken, broken
