"""Captions as a person types them, unlike the corpus' templates: are their events in the sounds?

``typed_captions.json`` holds ten, with the events that each names. A trained run makes several
sounds of each; the metric ``event-recall`` says which of the events are heard. The floor is the
same sounds under the next caption. An item is a sound: intervals are over sounds, and hold for
these ten captions.

    python benchmarks/typed_captions.py RUN [--draws 8] [--out results/reference/typed_captions.md]
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor

from workbench import (
    Audio,
    Codec,
    Codes,
    Context,
    EvaluationItem,
    Example,
    Figure,
    Request,
    Wish,
    load_catalog,
    write_audio,
)
from workbench.pipeline.choosing import answer
from workbench.pipeline.comparison import find_run
from workbench.pipeline.trained import TrainedRun, open_run

CAPTIONS = Path(__file__).with_suffix(".json")


@dataclass(frozen=True)
class Typed:
    """A caption and the kinds of events that it names."""

    caption: str
    events: tuple[str, ...]

    def item(self, number: int, audio: Audio) -> EvaluationItem:
        """A sound under this caption; there is no true one, so it stands for itself."""
        details = {"events": list(self.events)}
        example = Example(f"typed-{number}", "test", caption=self.caption, details=details)
        return EvaluationItem(example.id, example, audio, audio)


def read_captions(path: Path = CAPTIONS) -> list[Typed]:
    """The captions of a file."""
    return [Typed(e["caption"], tuple(e["events"])) for e in json.loads(path.read_text())]


def sounds(run: TrainedRun, captions: Sequence[Typed], draws: int, seed: int) -> list[list[Audio]]:
    """``draws`` sounds of each caption."""
    wishes = [run.task.request(Wish(text=typed.caption), run.codec) for typed in captions]
    requests = [
        replace(wish, id=f"{wish.id}-{n}-{draw}")
        for n, wish in enumerate(wishes)
        for draw in range(draws)
    ]

    def decoded(_request: Request, codes: Tensor) -> Audio:
        return decode(run.codec, codes, run.device)

    codes = answer(run.task, run.generators, requests, seed, decoded)
    made = [decode(run.codec, each, run.device) for each in codes]
    return [made[first : first + draws] for first in range(0, len(made), draws)]


@torch.inference_mode()
def decode(codec: Codec, codes: Tensor, device: str) -> Audio:
    """The audio of codes ``[K, F]``."""
    values = Codes(codes[None].to(device), codec.codebook_size, codec.frame_rate)
    return Audio(codec.decode(values)[0].float().cpu(), codec.sample_rate)


def recalls(context: Context, items: Sequence[EvaluationItem]) -> list[Figure]:
    """The figures of ``event-recall``."""
    metric = context.build("metric", "event-recall")
    for item in items:
        metric.update(item)
    found: list[Figure] = metric.compute()
    return found


def cell(figures: Sequence[Figure], name: str) -> str:
    """A figure with its interval."""
    figure = next(f for f in figures if f.name == name)
    return f"{figure.value:.2f} [{figure.low:.2f}, {figure.high:.2f}]"


def main() -> None:
    """Print a line for each caption, then all together and the floor."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", help="a run of the task text-to-sound")
    parser.add_argument("--draws", type=int, default=8, help="sounds of each caption")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--results", type=Path, default=Path("results"))
    parser.add_argument("--audio", type=Path, help="folder for the first sound of each caption")
    parser.add_argument("--out", type=Path, help="Markdown file to write")
    arguments = parser.parse_args()
    catalog = load_catalog()
    run = open_run(find_run(arguments.run, arguments.results).folder, catalog, "cpu")
    context = Context(catalog, "cpu", arguments.seed)
    captions = read_captions()
    made = sounds(run, captions, arguments.draws, arguments.seed)
    lines = ["| caption | its events | recall | false alarms |", "|---|---|---|---|"]
    right, wrong = [], []
    for number, (typed, some) in enumerate(zip(captions, made, strict=True)):
        numbers = range(number * arguments.draws, (number + 1) * arguments.draws)
        items = [typed.item(n, audio) for n, audio in zip(numbers, some, strict=True)]
        figures = recalls(context, items)
        lines.append(line(typed.caption, ", ".join(typed.events), figures))
        right += items
        following = captions[(number + 1) % len(captions)]
        wrong += [following.item(n, audio) for n, audio in zip(numbers, some, strict=True)]
        if arguments.audio:
            write_audio(arguments.audio / f"{number:02d}.wav", some[0])
    lines.append(line("**all**", "", recalls(context, right)))
    lines.append(line("the next caption's events (floor)", "", recalls(context, wrong)))
    text = "\n".join(lines) + "\n"
    print(text)
    if arguments.out:
        arguments.out.parent.mkdir(parents=True, exist_ok=True)
        arguments.out.write_text(text)


def line(caption: str, events: str, figures: Sequence[Figure]) -> str:
    """A line of the table."""
    parts = (cell(figures, "event-recall"), cell(figures, "event-false-alarms"))
    return f"| {caption} | {events} | {' | '.join(parts)} |"


if __name__ == "__main__":
    main()
