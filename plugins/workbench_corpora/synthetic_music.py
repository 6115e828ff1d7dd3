"""The embedded music corpus: synthesised on the spot, the same everywhere, with its score."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import asdict

import torch

from workbench import Audio, Example, Split
from workbench_corpora.options import SyntheticMusicOptions
from workbench_corpora.render import render
from workbench_corpora.score import compose

GENERATOR_VERSION = 1
"""Raised whenever the same options give other audio; a test on a piece's samples reminds of it."""


class SyntheticMusic:
    """Pieces of synthesised music; each is a pure function of (seed, split, number)."""

    def __init__(self, options: SyntheticMusicOptions) -> None:
        self._options = options
        self._sizes: dict[Split, int] = {
            "train": options.train,
            "validation": options.validation,
            "test": options.test,
        }

    def fingerprint(self) -> str:
        """Hash of the generator's version and of all options."""
        content = json.dumps([GENERATOR_VERSION, asdict(self._options)], sort_keys=True)
        return hashlib.sha256(content.encode()).hexdigest()

    def examples(self, split: Split) -> Iterator[Example]:
        """The pieces of one split, with their scores as details."""
        for index in range(self._sizes[split]):
            score = compose(self._options.seed, split, index, self._options.seconds)
            name = f"{split}-{index:05d}"
            yield Example(name, split, details=score.details(), domain="music")

    def audio(self, example: Example) -> Audio:
        """The sound of a piece, mono."""
        options = self._options
        index = int(example.id.rsplit("-", 1)[1])
        score = compose(options.seed, example.split, index, options.seconds)
        name = f"{options.seed}/{example.id}"
        wave = render(score, name, options.seconds, options.sample_rate)
        return Audio(torch.from_numpy(wave)[None], options.sample_rate)
