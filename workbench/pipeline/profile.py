"""The semantic profile: which information lies at which depth of a codec's codebooks.

Every kind of information that the corpora's labels allow is measured on codecs at each depth, and
on yardsticks beside them, on the same recordings: phones by ABX within and across speakers, labels
by linear probes, predictability by a small language model of the codes.
"""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from workbench.api.errors import RecipeError, WorkbenchError
from workbench.api.protocols import Codec
from workbench.api.types import Figure
from workbench.evaluation.abx import Context, abx_errors, abx_figures, draw_phones
from workbench.evaluation.content import IDENTITY, Features, held_out, probe_frames, probe_whole
from workbench.evaluation.labels import LABELS, SPANS, labels_of, phones
from workbench.evaluation.ngrams import code_nats
from workbench.evaluation.runner import perplexity_figure
from workbench.evaluation.statistics import mean_figure
from workbench.evaluation.table import ResultTable
from workbench.pipeline.profile_systems import Encoded, Kind, Recordings, Tokens, View
from workbench.training.progress import StepProgress

ABX = ("abx-within", "abx-across")
CODES = ("perplexity", "bits")
TRAINED = "token perplexity"
"""Beginning of the names of figures that runs' own language models have."""
INFORMATION = (*ABX, *SPANS, *LABELS, *CODES)
"""What is measured where the corpora allow it."""
TRIGRAMS = (
    "of a trigram model with Kneser-Ney smoothing, fitted on the codes of the training recordings"
)


@dataclass(frozen=True)
class Plan:
    """How a profile is made.

    ``information`` limits it to some kinds; empty for all there are. ``codebooks`` limits the
    depth; 0 for all. ``phones`` is the most of each phone, speaker and context in ABX.
    """

    kind: Kind = "cumulative"
    tokens: Tokens = "vectors"
    information: Sequence[str] = ()
    codebooks: int = 0
    context: Context = "any"
    phones: int = 10
    seed: int = 0

    def wants(self, name: str) -> bool:
        """Whether a kind of information is to be measured."""
        return not self.information or name in self.information

    def depths(self, codec: Codec) -> range:
        """The depths of a codec."""
        return range(1, min(self.codebooks or codec.num_codebooks, codec.num_codebooks) + 1)


@dataclass(frozen=True)
class Reading:
    """One figure: a kind of information on a corpus, in a system at a depth (0: a yardstick)."""

    corpus: str
    system: str
    depth: int
    figure: Figure

    @property
    def information(self) -> str:
        """What is measured."""
        return self.figure.name


@dataclass
class Profile:
    """All readings, in the order in which they were made, and what could not be measured."""

    readings: list[Reading] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)

    def find(self, corpus: str, information: str, system: str, depth: int) -> Figure | None:
        """One figure, where it is there."""
        for reading in self.readings:
            where = (reading.corpus, reading.information, reading.system, reading.depth)
            if where == (corpus, information, system, depth):
                return reading.figure
        return None

    def panels(self) -> list[tuple[str, str]]:
        """Corpus and information of each panel: corpora as they came, then as ``INFORMATION``."""
        found = dict.fromkeys((r.corpus, r.information) for r in self.readings)
        corpora = list(dict.fromkeys(corpus for corpus, _ in found))
        places = {name: place for place, name in enumerate(INFORMATION)}
        return sorted(found, key=lambda p: (corpora.index(p[0]), places.get(p[1], len(places))))


Question = Callable[[View], list[Figure]]
"""Measures one thing in a view."""


def check_information(names: Sequence[str], details: Sequence[str]) -> None:
    """Refuse kinds of information that don't exist; ``details`` are further labels asked for."""
    known = (*INFORMATION, *details)
    unknown = [name for name in names if name not in known]
    if unknown:
        raise RecipeError(
            [f"--information {name!r}: must be one of {', '.join(known)}" for name in unknown]
        )


def questions(
    recordings: Recordings, plan: Plan, details: Sequence[str], profile: Profile
) -> list[Question]:
    """Everything that can be asked about a corpus' recordings; ``details`` are further labels."""
    asked = [*_abx_question(recordings, plan)]
    for name in SPANS:
        if plan.wants(name):
            asked += _span_question(name, recordings, plan.seed, profile)
    for name in (*LABELS, *details):
        if plan.wants(name):
            asked += _label_question(name, recordings, profile)
    return asked


def _abx_question(recordings: Recordings, plan: Plan) -> Iterator[Question]:
    """ABX on the test recordings, where they are aligned; one voice where none is named."""
    alignments = []
    for example, audio in recordings.test:
        spans = [span for span in phones(example) if span[1] <= audio.seconds]
        alignments.append((spans, example.speaker or ""))
    drawn = draw_phones(alignments, plan.context, plan.phones, plan.seed)
    if not drawn or not any(plan.wants(name) for name in ABX):
        return
    settings = {"context": plan.context, "phones": len(drawn), "seed": plan.seed}

    def ask(view: View) -> list[Figure]:
        errors = abx_errors(drawn, view.compared, view.features.frame_rate, view.distance)
        return [figure for figure in abx_figures(errors, settings) if plan.wants(figure.name)]

    yield ask


def _span_question(
    name: str, recordings: Recordings, seed: int, profile: Profile
) -> Iterator[Question]:
    train, test = (
        [SPANS[name](example) for example in recordings.examples(split)]
        for split in ("train", "test")
    )
    used = _fitted_on(name, [bool(spans) for spans in train], recordings, profile)
    if not used or not any(test):
        return
    ids = [example.id for example in recordings.examples("test")]

    def ask(view: View) -> list[Figure]:
        features = dataclasses.replace(
            view.features, train=[view.features.train[number] for number in used]
        )
        return [probe_frames(name, features, [train[n] for n in used], test, ids, seed)]

    yield ask


def _label_question(name: str, recordings: Recordings, profile: Profile) -> Iterator[Question]:
    train, test = (
        [labels_of(example, name) for example in recordings.examples(split)]
        for split in ("train", "test")
    )
    tested = [number for number, labels in enumerate(test) if labels]
    if len({label for labels in test for label in labels}) < 2:
        return
    used = [] if name == IDENTITY else [bool(labels) for labels in train]
    fitted = _fitted_on(name, used, recordings, profile) if used else []
    if not fitted and name != IDENTITY:
        return
    ids = [example.id for example in recordings.examples("test")]

    def ask(view: View) -> list[Figure]:
        chosen = Features(
            view.features.frame_rate,
            [view.features.train[number] for number in fitted],
            [view.features.test[number] for number in tested],
        )
        known, wanted = [train[n] for n in fitted], [test[n] for n in tested]
        return [probe_whole(name, chosen, known, wanted, [ids[n] for n in tested])]

    yield ask


def _fitted_on(
    name: str, labelled: Sequence[bool], recordings: Recordings, profile: Profile
) -> list[int]:
    """Numbers of the training recordings that a probe is fitted on; says where there is none."""
    if not any(labelled):
        return []
    unheard = held_out(recordings.examples("train"), recordings.examples("test"))
    used = [number for number in unheard if labelled[number]]
    if not used:
        profile.left_out.append(
            f"{name} on {recordings.label}: all training recordings are of speakers who are tested"
        )
    return used


def ask_all(
    asked: Sequence[Question], views: Iterator[View], total: int, recordings: Recordings,
    shared: Mapping[str, Any], profile: Profile,
) -> None:  # fmt: skip
    """Put every question to every view; ``shared`` goes into each figure's provenance."""
    if not asked:
        return  # views needn't even be made
    with StepProgress(f"profile on {recordings.label}", 0, total * len(asked)) as progress:
        for view in views:
            for question in asked:
                for figure in question(view):
                    add(profile, recordings, view.system, view.depth, figure, shared)
                progress.advance()


def add(
    profile: Profile, recordings: Recordings, system: str, depth: int, figure: Figure,
    shared: Mapping[str, Any],
) -> None:  # fmt: skip
    """Note a figure, its provenance completed."""
    said = {**shared, **recordings.provenance}
    figure = dataclasses.replace(figure, settings={**said, **figure.settings})
    profile.readings.append(Reading(recordings.label, system, depth, figure))


def code_figures(
    codec: Codec, encoded: Encoded, recordings: Recordings, plan: Plan
) -> Iterator[tuple[int, Figure]]:
    """Perplexity of a code and bits a second, at each depth."""
    if not any(plan.wants(name) for name in CODES) or not (encoded.train and encoded.test):
        return
    alone = plan.kind == "single"
    depths = plan.depths(codec)
    cut = [[codes[: depths[-1]] for codes in part] for part in (encoded.train, encoded.test)]
    nats = code_nats(cut[0], cut[1], codec.codebook_size, alone)
    ids = [example.id for example in recordings.examples("test")]
    seconds = {i: audio.seconds for i, (_, audio) in zip(ids, recordings.test, strict=True)}
    for depth in depths:
        first = depth - 1 if alone else 0
        sums = dict(zip(ids, nats[:, first:depth].sum(axis=1).tolist(), strict=True))
        tokens = {i: codes.shape[1] * (depth - first) for i, codes in zip(ids, cut[1], strict=True)}
        if plan.wants("perplexity"):
            settings = {"definition": f"perplexity of a code {TRIGRAMS}"}
            yield depth, perplexity_figure("perplexity", sums, tokens, settings)
        if plan.wants("bits"):
            settings = {"definition": f"bits a second that the codes need, {TRIGRAMS}"}
            rates = {i: nat / math.log(2) / seconds[i] for i, nat in sums.items()}
            yield depth, mean_figure("bits", rates, False, "bit/s", settings, weights=seconds)


def trained_figures(run: Path) -> list[Figure]:
    """The perplexities that a run's own language models give to held-out codes, if it has any."""
    table = run / "table.json"
    if not table.exists():
        return []
    truths = ResultTable.from_json(table.read_text()).of_role("truth")
    return [f for row in truths for f in row.figures.values() if f.name.startswith(TRAINED)]


def run_depth(run: Path) -> int:
    """How many codebooks a run uses; 0 for all of its codec's."""
    depth: int = json.loads((run / "run.json").read_text())["models"]["codec"]["codebooks"]
    return depth


def require_readings(profile: Profile, wanted: Sequence[str]) -> None:
    """Complain where what was asked for, or anything at all, could not be measured."""
    found = {reading.information for reading in profile.readings}
    missing = [name for name in wanted if name not in found]
    if missing or not found:
        reasons = "".join(f"\n  - {reason}" for reason in profile.left_out)
        raise WorkbenchError(
            f"the corpora do not tell {', '.join(missing) or 'anything'}: phones need an alignment "
            f"(synthetic-speech:alignments=true), other labels are read from the examples' details."
            f"{reasons}"
        )
