"""What can be evaluated: a run, a codec's round trip of a corpus, plain folders of audio."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from workbench.api.errors import RecipeError, UnknownComponent
from workbench.api.protocols import Corpus
from workbench.codec.fewer import use_codebooks
from workbench.host.context import Context
from workbench.pipeline.codecs import codec_key, find_codec, open_codec, parse_component
from workbench.pipeline.comparison import find_folder
from workbench.pipeline.evaluate.folders import folder_systems, named_folders
from workbench.pipeline.evaluate.manifest import read_manifest
from workbench.pipeline.evaluate.of_run import run_metrics, run_systems
from workbench.pipeline.evaluate.record import Evaluated
from workbench.pipeline.evaluate.round_trip import AudioFolder, RoundTripper, round_trips
from workbench.pipeline.evaluate.scores import Scoring
from workbench.pipeline.evaluate.settings import file_safe
from workbench.pipeline.store import Store
from workbench.recipe.schema import EvaluationSection

DEFAULT_ITEMS = 64
"""Test recordings of a corpus where nobody says how many."""


@dataclass(frozen=True)
class View:
    """How it is looked at: how many items (None: all, or 64 of a corpus), at which rate in Hz (0:
    the truth's own, or the codec's), under which name (empty: one that says what it is)."""

    items: int | None = None
    rate: int = 0
    name: str = ""


class Question(Protocol):
    """Something that can be evaluated."""

    def evaluated(self, section: EvaluationSection, scoring: Scoring, view: View) -> Evaluated:
        """Its systems as files; whatever is missing for that is made."""
        ...


@dataclass(frozen=True)
class FolderQuestion:
    """Folders of audio; ``generated`` are ``NAME=DIR``, or a single folder."""

    reference: Path
    generated: Sequence[str]
    text: Path | None = None
    prompts: Path | None = None

    def evaluated(self, section: EvaluationSection, _scoring: Scoring, view: View) -> Evaluated:
        """The folders' files, paired."""
        _no_depths(section)
        folders = named_folders(self.generated)
        texts = read_manifest(self.text) if self.text is not None else {}
        systems = folder_systems(
            self.reference, folders, texts, self.prompts, view.rate, view.items
        )
        source = {
            "reference": str(self.reference),
            "generated": {system: str(path) for system, path in folders.items()},
            "text": None if self.text is None else str(self.text),
            "prompts": None if self.prompts is None else str(self.prompts),
            "rate": view.rate,
        }
        count = len(systems[0].items)
        said = f"{', '.join(folders)} against {self.reference}, {count} files each"
        name = file_safe("-".join(path.resolve().name for path in folders.values()))
        return Evaluated(view.name or name, said, systems, source)


@dataclass(frozen=True)
class RunQuestion:
    """A run, by any name that :func:`find_folder` takes."""

    run: str

    def evaluated(self, section: EvaluationSection, scoring: Scoring, view: View) -> Evaluated:
        """The audio of the run's systems, and the metrics that it was measured by."""
        _no_depths(section)
        folder = find_folder(self.run, scoring.results)
        record = json.loads((folder / "run.json").read_text())
        systems = run_systems(folder, view.rate, view.items)
        tags = {"workbench.run": folder.name, "workbench.recipe": str(record.get("recipe", ""))}
        codec = (record.get("models") or {}).get("codec")
        if codec:
            tags["workbench.codec"] = codec["name"]
        return Evaluated(
            name=view.name or f"evaluation-of-{folder.name}",
            description=f"The audio of the run {folder.name}, {len(systems[0].items)} items",
            systems=systems,
            source={"run": folder.name, "rate": view.rate},
            tags=tags,
            parent=str(record.get("mlflow_run_id", "")),
            metrics=run_metrics(folder, scoring.catalog),
        )


@dataclass(frozen=True)
class CodecQuestion:
    """A codec by any name that :func:`find_codec` takes, on a corpus: a component, or a folder."""

    codec: str
    corpus: str
    encoders: Sequence[str] = ()
    text: Path | None = None
    codebooks: int = 0
    """How many of its codebooks are meant; 0 is all."""

    def evaluated(self, section: EvaluationSection, scoring: Scoring, view: View) -> Evaluated:
        """The codec's round trips, which are kept in the store."""
        found = find_codec(self.codec, self.encoders, scoring.results, scoring.catalog)
        codec = open_codec(found, scoring.catalog, scoring.device)
        key = codec_key(codec, found)
        used = use_codebooks(codec, self.codebooks or found.codebooks)
        corpus, corpus_name = self._corpus(scoring)
        said = {
            "codec_key": key,
            "codebooks": used.num_codebooks,
            "corpus": self.corpus,
            "fingerprint": corpus.fingerprint(),
        }
        store = Store(scoring.results / "store")
        folder = store.stage("round-trip", {**said, "depths": section.depths})
        tripper = RoundTripper(used, folder.path, section.depths, scoring.device)
        made = round_trips(tripper, corpus, view.items or DEFAULT_ITEMS, section.by, view.rate)
        count = len(made.systems[0].items)
        return Evaluated(
            name=view.name or file_safe(f"{found.name}-on-{corpus_name}"),
            description=f"Round trip of {found.name} on {count} recordings of {self.corpus}",
            systems=made.systems,
            source={"codec": found.to_json(), **said, "text": self._text, "rate": view.rate},
            tags={"workbench.codec": found.name, "workbench.corpus": corpus_name},
            skipped=made.skipped,
        )

    @property
    def _text(self) -> str | None:
        return None if self.text is None else str(self.text)

    def _corpus(self, scoring: Scoring) -> tuple[Corpus, str]:
        """The corpus that is meant, and a short name for it: a component, or a folder of audio."""
        name, options = parse_component(self.corpus)
        known = {component.name for component in scoring.catalog.components("corpus")}
        path = Path(self.corpus).expanduser()
        if name in known:
            context = Context(scoring.catalog, scoring.device, scoring.seed)
            corpus: Corpus = context.build("corpus", name, options)
            return corpus, name
        if path.is_dir():
            texts = read_manifest(self.text) if self.text is not None else {}
            return AudioFolder(path, texts), path.resolve().name
        raise UnknownComponent(
            f"no corpus {self.corpus!r}: it is no component ({', '.join(sorted(known))}) and no "
            "folder"
        )


def _no_depths(section: EvaluationSection) -> None:
    """Only a codec can be heard at fewer codebooks."""
    if section.depths:
        raise RecipeError(
            [f"depths = {section.depths}: only --codec has codebooks to hear less of"], "evaluate"
        )
