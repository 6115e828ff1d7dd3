"""Makes a semantic profile from names: opens codecs and corpora, and measures one by one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from workbench.api.errors import RecipeError, WorkbenchError
from workbench.api.protocols import Codec
from workbench.codec.xcodec import XCodec
from workbench.host.catalog import Catalog
from workbench.host.context import Context
from workbench.pipeline.codecs import (
    CodecSource,
    codec_key,
    find_codec,
    open_codec,
    parse_component,
)
from workbench.pipeline.comparison import find_folder
from workbench.pipeline.profile import (
    Plan,
    Profile,
    Reading,
    add,
    ask_all,
    check_information,
    code_figures,
    questions,
    require_readings,
    run_depth,
    trained_figures,
)
from workbench.pipeline.profile_systems import (
    CHANCE,
    SPECTRA,
    Recordings,
    View,
    chance_view,
    choose_recordings,
    codec_views,
    encode_recordings,
    encoder_view,
    spectrum_view,
    with_encoders,
)

DEFAULT_CORPUS = "synthetic-speech:languages=[en],alignments=true,train=240,validation=0,test=240"
"""What a profile is made on where no corpus is named."""
OWN_TEST = "each run's own test set"
"""Stands for a corpus where a run's language model is quoted."""


@dataclass(frozen=True)
class Asked:
    """What a profile is asked for, by names as on the command line.

    ``names``: what to call each codec in tables and plots; empty for names made of their texts.
    ``yardsticks``: spectra, ``chance`` and semantic encoders; None for spectra, chance and the
    codecs' teachers. ``details``: further labels, by their names in examples' details.
    ``recordings``: the most of each split; ``seconds``: how much of each recording.
    """

    codecs: Sequence[str]
    names: Sequence[str] = ()
    corpora: Sequence[str] = (DEFAULT_CORPUS,)
    yardsticks: Sequence[str] | None = None
    details: Sequence[str] = ()
    recordings: int = 240
    seconds: float = 6.0
    plan: Plan = field(default_factory=Plan)


@dataclass(frozen=True)
class Named:
    """A codec to profile: what to call it, where it comes from, and the run it is of, if any."""

    label: str
    source: CodecSource
    codec: Codec
    run: Path | None

    @property
    def teachers(self) -> list[tuple[str, Mapping[str, Any]]]:
        """Names and options of the encoders that it hears by."""
        if not isinstance(self.codec, XCodec):
            return []
        if self.source.encoders:
            return [(name, options) for name, options, _ in self.source.encoders]
        return [(teacher.name, teacher.options) for teacher in self.codec.config.teachers]


@dataclass(frozen=True)
class Outcome:
    """A profile, with what it was made of."""

    asked: Asked
    codecs: Sequence[Named]
    corpora: Mapping[str, str]
    """Each corpus' label with its fingerprint."""
    yardsticks: Sequence[str]
    profile: Profile


def make_profile(asked: Asked, catalog: Catalog, results: Path, device: str) -> Outcome:
    """Measure everything, corpus by corpus."""
    check_information(asked.plan.information, asked.details)
    named = [open_named(text, results, catalog, device) for text in asked.codecs]
    labels = asked.names or [codec.label for codec in named]
    if len(labels) != len(named) or len(set(labels)) < len(labels):
        raise WorkbenchError(
            f"codecs {', '.join(labels)}: give each a name of its own by --name, in their order"
        )
    named = [replace(codec, label=label) for codec, label in zip(named, labels, strict=True)]
    encoders = _yardsticks(asked.yardsticks, named, catalog)
    context = Context(catalog, device, asked.plan.seed)
    profile, fingerprints = Profile(), {}
    for label, text in _labelled(asked.corpora).items():
        name, options = parse_component(text)
        corpus = context.build("corpus", name, options)
        recordings = choose_recordings(
            label, corpus, asked.recordings, asked.seconds, asked.plan.seed
        )
        fingerprints[label] = recordings.fingerprint
        profile.left_out += [f"{label}, {reason}" for reason in recordings.skipped]
        if not recordings.test:
            raise WorkbenchError(f"corpus {label!r} has no usable test recordings")
        _measure(asked, recordings, named, encoders, context, profile)
    for codec in named:
        note_trained(codec, profile)
    require_readings(profile, asked.plan.information)
    return Outcome(asked, named, fingerprints, list(encoders), profile)


def open_named(text: str, results: Path, catalog: Catalog, device: str) -> Named:
    """The codec of ``CODEC`` or ``CODEC+TEACHER``."""
    known = [component.name for component in catalog.components("semantic_encoder")]
    name, teachers = with_encoders(text, known)
    source = find_codec(name, teachers, results, catalog)
    components = [component.name for component in catalog.components("codec")]
    of_run = source.component and name.partition(":")[0] not in components
    run = find_folder(name, results) if of_run else None
    label = run.name if run else _short(source, teachers) if source.component else Path(text).name
    return Named(label, source, open_codec(source, catalog, device), run)


def _short(source: CodecSource, teachers: Sequence[str]) -> str:
    """A component by its name, its weights and its teachers' names."""
    weights = f":{source.options['weights']}" if "weights" in source.options else ""
    heard = "".join(f"+{teacher.partition(':')[0]}" for teacher in teachers)
    return f"{source.component}{weights}{heard}"


def _labelled(corpora: Sequence[str]) -> dict[str, str]:
    """Corpora by their components' names, or by all of their text where names repeat."""
    names = [text.partition(":")[0] for text in corpora]
    return {
        name if names.count(name) == 1 else text: text
        for name, text in zip(names, corpora, strict=True)
    }


def _yardsticks(
    wanted: Sequence[str] | None, named: Sequence[Named], catalog: Catalog
) -> dict[str, tuple[str, Mapping[str, Any]] | None]:
    """Semantic encoders by their labels; None stands for what needs none."""
    known = [component.name for component in catalog.components("semantic_encoder")]
    if wanted is None:
        found: dict[str, Any] = dict.fromkeys([CHANCE, *SPECTRA])
        teachers = [teacher for codec in named for teacher in codec.teachers]
        for name, options in teachers:  # one that came with a checkpoint is in no catalog
            if name in known and (name, options) not in found.values():
                found[name if name not in found else f"{name} {len(found)}"] = (name, options)
        return found
    for text in wanted:
        if text not in (CHANCE, *SPECTRA) and text.partition(":")[0] not in known:
            allowed = ", ".join([CHANCE, *SPECTRA, *known])
            raise RecipeError([f"--yardstick {text!r}: must be one of {allowed}"])
    return {text: None if text in (CHANCE, *SPECTRA) else parse_component(text) for text in wanted}


def _measure(
    asked: Asked,
    recordings: Recordings,
    named: Sequence[Named],
    encoders: Mapping[str, tuple[str, Mapping[str, Any]] | None],
    context: Context,
    profile: Profile,
) -> None:
    """All readings on one corpus."""
    plan = asked.plan
    put = questions(recordings, plan, asked.details, profile)
    shared = {"seconds": asked.seconds}
    yardsticks = _yardstick_views(encoders, recordings, context)
    ask_all(put, yardsticks, len(encoders), recordings, shared, profile)
    for each in named:
        codec, depths = each.codec, plan.depths(each.codec)
        encoded = encode_recordings(each.label, codec, recordings, context.device)
        made = {**shared, "kind": plan.kind, "tokens": plan.tokens}
        views = codec_views(each.label, codec, encoded, depths, plan.kind, plan.tokens)
        ask_all(put, views, len(depths), recordings, made, profile)
        for depth, figure in code_figures(codec, encoded, recordings, plan):
            add(profile, recordings, each.label, depth, figure, made)


def _yardstick_views(
    encoders: Mapping[str, tuple[str, Mapping[str, Any]] | None],
    recordings: Recordings,
    context: Context,
) -> Iterator[View]:
    for label, encoder in encoders.items():
        if encoder is not None:
            built = context.build("semantic_encoder", *encoder)
            yield encoder_view(label, built, recordings, context.device)
        elif label == CHANCE:
            yield chance_view(recordings)
        else:
            yield spectrum_view(label, recordings)


def note_trained(named: Named, profile: Profile) -> None:
    """Add the perplexity of a run's own language models, which its own test set gave."""
    if named.run is None:
        return
    depth = run_depth(named.run) or named.codec.num_codebooks
    for figure in trained_figures(named.run):
        profile.readings.append(Reading(OWN_TEST, named.label, depth, figure))


def described(outcome: Outcome) -> dict[str, Any]:
    """What the profile was made of, as JSON values."""
    return {
        "plan": asdict(outcome.asked.plan),
        "recordings": outcome.asked.recordings,
        "seconds": outcome.asked.seconds,
        "corpora": [
            {"label": label, "name": text, "fingerprint": outcome.corpora[label]}
            for label, text in _labelled(outcome.asked.corpora).items()
        ],
        "codecs": [
            {
                "label": named.label,
                "source": named.source.to_json(),
                "key": codec_key(named.codec, named.source),
                "frame_rate": named.codec.frame_rate,
                "codebooks": named.codec.num_codebooks,
                "codebook_size": named.codec.codebook_size,
            }
            for named in outcome.codecs
        ],
        "yardsticks": list(outcome.yardsticks),
    }
