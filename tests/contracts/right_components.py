"""The smallest components that keep their contracts, to be spoilt one promise at a time."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import pluggy
import torch
from torch import Tensor, nn

from workbench import (
    SPLITS,
    Audio,
    Catalog,
    Codes,
    Component,
    Example,
    Request,
    Sequence,
    WeightsError,
    WorkbenchError,
    adamw,
    encode_by_length,
    hookimpl,
    mean_figure,
    metric_settings,
    read_tensors,
    save_tensors,
)
from workbench.host import hookspecs
from workbench.host.discovery import Plugins, Provider
from workbench.host.hookspecs import KINDS
from workbench.testing import Subject

HOP = 160


@dataclass
class Options:
    """Options of a component made for a test."""

    weights: str = "random"
    """`random`, or a folder."""
    size: int = 4
    """How large it is."""

    def __post_init__(self) -> None:
        if self.size < 1:
            raise ValueError(f"size = {self.size}: must be at least 1")


def subject(kind: str, build: Callable[..., Any], config: type = Options) -> Subject:
    """A component called `wrong`, of a distribution of that name."""
    provider = Provider("wrong", "1.0", "wrong")
    module = ModuleType("wrong")
    component = Component("wrong", "Made for a test", config, build)
    setattr(module, KINDS[kind], hookimpl(lambda: [component]))
    manager = pluggy.PluginManager(hookspecs.PROJECT)
    manager.add_hookspecs(hookspecs)
    manager.register(module, name=str(provider))
    catalog = Catalog(Plugins(manager, {str(provider): provider}, ()))
    return Subject(catalog, kind, "wrong", longest_seconds=2.0)


class Trainee:
    """Pulls a model's output towards 1."""

    def __init__(self, model: nn.Module, session: Any) -> None:
        self.model = model
        self.optimizer = adamw(model.parameters(), session.settings)

    def modules(self) -> dict[str, nn.Module]:
        return {"model": self.model}

    def optimizers(self) -> dict[str, Any]:
        return {"model": self.optimizer}

    def step(self, batch: Tensor, step: int, optimise: Any) -> dict[str, Tensor]:
        loss = (self.model(batch[:, 0]) - torch.rand(1)).square().mean()
        optimise(loss, "model")
        return {"loss": loss.detach()}


class Encoder(nn.Module):
    """A convolution of width and stride `HOP`."""

    sample_rate = 16000
    frame_rate = 100.0

    def __init__(self, options: Options, seed: int = 0) -> None:
        super().__init__()
        self.dim = options.size
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.conv = nn.Conv1d(1, options.size, HOP, HOP)
        if options.weights != "random":
            self.load(Path(options.weights))
        self.eval()

    def load(self, folder: Path) -> None:
        if not folder.is_dir():
            raise WeightsError(f"weights {str(folder)!r}: there is no such folder")
        self.load_state_dict(read_tensors(folder))

    def forward(self, wav: Tensor) -> Tensor:
        features: Tensor = self.conv(nn.functional.pad(wav[:, None], (0, -wav.shape[-1] % HOP)))
        return features

    def pretrain(self, data: Any, session: Any) -> None:
        session.fit(Trainee(self, session), lambda index: session.crops(data, index).wav)

    def save(self, folder: Path) -> None:
        save_tensors(self, folder / "model.safetensors")


class Codec(nn.Module):
    """The mean of each block, rounded, and what is left of it, rounded more finely."""

    sample_rate, channels, frame_rate = 16000, 1, 100.0
    num_codebooks, codebook_size = 2, 16

    def __init__(self) -> None:
        super().__init__()
        self.eval()

    def encode(self, wav: Tensor, lengths: Tensor | None = None) -> Codes:
        values, frames = encode_by_length(self.codes, wav, lengths)
        return Codes(values, self.codebook_size, self.frame_rate, frames)

    def codes(self, wav: Tensor) -> Tensor:
        blocks = nn.functional.pad(wav[:, 0], (0, -wav.shape[-1] % HOP)).unflatten(-1, (-1, HOP))
        level = (blocks.mean(dim=-1).clamp(-1, 1) + 1) / 2 * 15.999
        return torch.stack([level.long(), (level % 1 * 15.999).long()], dim=1)

    def decode(self, codes: Codes) -> Tensor:
        steps = torch.tensor([1.0, 1 / 16], device=codes.values.device)[: codes.num_codebooks, None]
        level = (codes.values * steps).sum(dim=1) / 8 - 1
        return level.repeat_interleave(HOP, dim=-1)[:, None]


class Corpus:
    """Constant sounds, each at its own level."""

    def fingerprint(self) -> str:
        return "levels"

    def examples(self, split: str) -> list[Example]:
        return [Example(f"{split}{n}", split) for n in range(3)]  # type: ignore[arg-type]

    def audio(self, example: Example) -> Audio:
        level = (int(example.id[-1]) + 3 * SPLITS.index(example.split)) / 10
        return Audio(torch.full((1, 800), level), 8000)


class Task:
    """Go on after one second, for one second."""

    metrics = ()

    def language_models(self, codec: Any, lm: Any) -> Mapping[str, Any]:
        return {"lm": lm}

    def training_sequence(self, role: str, item: Any, rng: Any) -> Sequence | None:
        if item.codes.shape[-1] < 2:
            return None
        start = int(rng.integers(0, item.codes.shape[-1] - 1))
        return Sequence(item.codes[:, start : start + 100])

    def requests(self, items: Any, codec: Any) -> list[Request]:
        return [
            Request(i.example.id, i.example, i.codes[:, :50], 50, reference=i.codes[:, 50:100])
            for i in items
            if i.codes.shape[-1] >= 100
        ]

    def request(self, wish: Any, codec: Any) -> Request:
        if wish.prompt is None:
            raise WorkbenchError("it needs a prompt")
        frames = round((wish.seconds or 1.0) * codec.frame_rate)
        return Request("wish", Example("wish", "test"), wish.prompt[:, -50:], frames)

    def generate(self, generators: Any, requests: Any, seed: int) -> list[Tensor]:
        prompts, frames = [r.prompt for r in requests], [r.frames for r in requests]
        results: list[Tensor] = generators["lm"](prompts, frames, seed=seed)
        return results


class Metric:
    """The difference in peak level."""

    def __init__(self) -> None:
        self.scores: dict[str, float] = {}

    def update(self, item: Any) -> None:
        gap = item.generated.samples.abs().max() - item.reference.samples.abs().max()
        self.scores[item.id] = float(gap.abs())

    def compute(self) -> list[Any]:
        settings = metric_settings("|peak - the truth's|", version=1)
        return [mean_figure("peak", self.scores, False, settings=settings)]


RIGHT: dict[str, Callable[..., Any]] = {
    "semantic_encoder": lambda options, context: Encoder(options, context.seed),
    "codec": lambda options, context: Codec(),
    "corpus": lambda options, context: Corpus(),
    "task": lambda options, context: Task(),
    "metric": lambda options, context: Metric(),
}
