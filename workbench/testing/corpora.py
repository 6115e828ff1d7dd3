"""What every corpus must keep."""

from __future__ import annotations

import hashlib
import json
import math
from itertools import islice
from typing import Any

import torch

from workbench.api.errors import AudioError
from workbench.api.types import SPLITS, Audio, Example
from workbench.testing.probes import upset_random_state
from workbench.testing.subject import NotApplicable, Subject, require

LISTENED = 6
"""Recordings of each split that are read."""


def holds_examples(subject: Subject) -> None:
    """Each split gives ``Example`` objects of its own, at least one in all, with unique ids."""
    ids: set[str] = set()
    for split in SPLITS:
        for example in subject.built.examples(split):
            require(
                isinstance(example, Example),
                f"examples({split!r}) gives a {type(example).__name__}, not workbench.Example",
            )
            require(
                example.split == split,
                f"examples({split!r}) gives {example.id!r}, which says it is of {example.split!r}",
            )
            known = example.id in ids
            require(not known, f"the id {example.id!r} is given twice; ids are unique in a corpus")
            ids.add(example.id)
    require(bool(ids), "it holds no examples")


def order_stays(subject: Subject) -> None:
    """The examples of a split come in the same order each time, from a second build too."""
    for split in SPLITS:
        first = list(subject.built.examples(split))
        require(
            first == list(subject.built.examples(split)),
            f"examples({split!r}) gives another order the second time",
        )
        upset_random_state(1)
        again = list(subject.build(seed=1).examples(split))
        require(
            first == again,
            f"a second build gives other examples({split!r}): they may depend on options alone",
        )


def details_are_plain(subject: Subject) -> None:
    """An example's ``details`` are JSON values: they are kept in files."""
    for example in _some_examples(subject):
        details: Any = dict(example.details)
        try:
            same = json.loads(json.dumps(details)) == details
        except (TypeError, ValueError) as error:
            require(False, f"details of {example.id!r} are no JSON values: {error}")
        else:
            require(same, f"details of {example.id!r} change when they are kept as JSON")


def recordings_are_sound(subject: Subject) -> None:
    """A recording is finite float32 ``[C, T]``, or an ``AudioError``; the same each time."""
    usable = 0
    for example in _some_examples(subject):
        try:
            audio = subject.built.audio(example)
        except AudioError:
            continue
        usable += 1
        require(
            isinstance(audio, Audio), f"audio() gives a {type(audio).__name__}, not workbench.Audio"
        )
        samples = audio.samples
        said = f"the recording {example.id!r} is {samples.dtype} {list(samples.shape)}"
        right = samples.dtype == torch.float32 and samples.dim() == 2 and samples.numel() > 0
        require(right, f"{said}; it must be float32 [C, T] with T at least 1")
        require(bool(samples.isfinite().all()), f"{said} and holds NaN or infinity")
        rate = audio.sample_rate
        whole = isinstance(rate, int) and rate > 0
        require(whole, f"{example.id!r} has sample_rate {rate!r}; it must be a whole number of Hz")
        same = torch.equal(samples, subject.built.audio(example).samples)
        require(same, f"the recording {example.id!r} is another one the second time")
    require(usable > 0, "none of its recordings can be used")


def splits_share_no_recording(subject: Subject) -> None:
    """No recording is in two splits."""
    seen: dict[str, Example] = {}
    for example in _some_examples(subject):
        try:
            samples = subject.built.audio(example).samples
        except AudioError:
            continue
        key = hashlib.sha256(samples.contiguous().numpy().tobytes()).hexdigest()
        other = seen.setdefault(key, example)
        require(
            other.split == example.split,
            f"{other.id!r} ({other.split}) and {example.id!r} ({example.split}) are the same "
            "recording: what is tested must not have been trained on",
        )


def fingerprint_stays(subject: Subject) -> None:
    """``fingerprint`` is a text that stays the same while the corpus does."""
    first = subject.built.fingerprint()
    require(isinstance(first, str) and bool(first), f"fingerprint() gives {first!r}, not a text")
    upset_random_state(1)
    again = subject.build(seed=1).fingerprint()
    require(
        first == again,
        "two builds of the same corpus have other fingerprints: every run would prepare it anew",
    )


def shares_fit_the_domains(subject: Subject) -> None:
    """Where it shares out training crops, every training example's domain has a share above 0."""
    if not hasattr(subject.built, "crop_shares"):
        raise NotApplicable("it has no crop_shares: crops are drawn in proportion to length")
    shares = dict(subject.built.crop_shares())
    if not shares:
        raise NotApplicable("it states no shares: crops are drawn in proportion to length")
    for domain, share in shares.items():
        good = isinstance(share, int | float) and math.isfinite(share) and share > 0
        require(good, f"the domain {domain!r} has the share {share!r}; it must be above 0")
    for example in subject.built.examples("train"):
        domain = example.details.get("domain")
        require(
            domain in shares,
            f"{example.id!r} is of the domain {domain!r} (details['domain']), which crop_shares "
            f"does not name: {', '.join(shares)}",
        )


CHECKS = (
    holds_examples,
    order_stays,
    details_are_plain,
    recordings_are_sound,
    splits_share_no_recording,
    fingerprint_stays,
    shares_fit_the_domains,
)


def _some_examples(subject: Subject) -> list[Example]:
    """The first examples of each split."""
    return [e for split in SPLITS for e in islice(subject.built.examples(split), LISTENED)]
