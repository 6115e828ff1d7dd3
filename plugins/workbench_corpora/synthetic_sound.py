"""The embedded sound corpus: captioned scenes of synthesised events, with the truth about them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import asdict
from itertools import combinations

import torch

from workbench import Audio, Example, RecipeError, Split
from workbench_corpora.draws import Draws
from workbench_corpora.options import SyntheticSoundOptions
from workbench_corpora.sounds import KINDS
from workbench_corpora.sounds.captions import caption
from workbench_corpora.sounds.mix import render
from workbench_corpora.sounds.scene import Rules, Scene, compose, pair_split

GENERATOR_VERSION = 4
"""Raised whenever the same options give other audio or captions; a test reminds of it."""


class SyntheticSound:
    """Scenes of sound events; each is a pure function of (seed, split, number)."""

    def __init__(self, options: SyntheticSoundOptions) -> None:
        self._options = options
        self._sizes: dict[Split, int] = {
            "train": options.train,
            "validation": options.validation,
            "test": options.test,
        }
        self._rules = Rules(
            options.seconds, options.most_events, options.singles, _checked(options)
        )

    def fingerprint(self) -> str:
        """Hash of the generator's version and of all options."""
        content = json.dumps([GENERATOR_VERSION, asdict(self._options)], sort_keys=True)
        return hashlib.sha256(content.encode()).hexdigest()

    def examples(self, split: Split) -> Iterator[Example]:
        """The scenes of one split; details hold the events and all captions."""
        unseen = split == "test" and self._options.test_wording == "unseen"
        for index in range(self._sizes[split]):
            scene = self._scene(split, index)
            name = f"{split}-{index:05d}"
            draws = Draws("captions", self._options.seed, name, unseen)
            captions = [caption(scene, draws, unseen) for _ in range(self._options.captions)]
            yield Example(
                id=name,
                split=split,
                caption=captions[0],
                details={**scene.details(), "captions": captions},
                domain="sound",
            )

    def audio(self, example: Example) -> Audio:
        """The sound of a scene, mono."""
        options = self._options
        scene = self._scene(example.split, int(example.id.rsplit("-", 1)[1]))
        wave = render(scene, f"{options.seed}/{example.id}", options.sample_rate)
        return Audio(torch.from_numpy(wave)[None], options.sample_rate)

    def _scene(self, split: Split, index: int) -> Scene:
        return compose(self._rules, self._options.seed, split, index)


def _checked(options: SyntheticSoundOptions) -> tuple[str, ...]:
    """The kinds that the scenes are made of; raises ``RecipeError`` where they can't be."""
    kinds = tuple(dict.fromkeys(options.kinds)) or tuple(KINDS)
    problems = [
        f"kinds = {name!r}: no such kind of sound; there are {', '.join(sorted(KINDS))}"
        for name in kinds
        if name not in KINDS
    ]
    if not problems and options.most_events > 1:
        kept = {pair_split(*pair) for pair in combinations(kinds, 2)}
        wanted = {
            "train": options.train > 0 and options.singles < 1,
            "validation": options.validation > 0,
            "test": options.test > 0,
        }
        problems = [
            f"kinds = {list(kinds)}: no two of them are a pair kept for {split}; name more kinds, "
            f"or set {split} = 0, or most_events = 1"
            for split, needed in wanted.items()
            if needed and split not in kept
        ]
    if problems:
        raise RecipeError(problems, "synthetic-sound corpus")
    return kinds
