"""The codec that a command is to use, by any of its names, and how to build it again."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from workbench.api.errors import UnknownComponent, UnknownRun, WorkbenchError
from workbench.api.protocols import Codec
from workbench.codec.archive import CodesArchive
from workbench.codec.inference.kernels import Precision
from workbench.codec.pretrained import load_codec
from workbench.codec.xcodec import XCodec
from workbench.host.catalog import Catalog
from workbench.host.context import Context
from workbench.host.merge import merged
from workbench.pipeline.comparison import find_folder
from workbench.pipeline.store import content_key, weights_key
from workbench.recipe.load import override_tree

_COMMA = re.compile(r",(?![^\[{]*[\]}])")
"""Between options, and not inside a list."""
_HUB_ID = re.compile(r"\w[\w.-]*/[\w.-]+")


@dataclass(frozen=True)
class CodecSource:
    """A codec by its component and options, or, where ``component`` is empty, by its weights.

    ``encoders``: its teachers as name, options and loss weight. ``codebooks``: how many of its
    codebooks are meant; 0 is all.
    """

    component: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)
    encoders: tuple[tuple[str, Mapping[str, Any], float], ...] = ()
    weights: str = ""
    codebooks: int = 0
    seed: int = 0

    @property
    def name(self) -> str:
        """What to call it in a message."""
        return self.component or self.weights

    def to_json(self) -> dict[str, Any]:
        """Plain values that :meth:`from_json` reads."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> CodecSource:
        """The inverse of :meth:`to_json`."""
        encoders = tuple((name, options, weight) for name, options, weight in values["encoders"])
        return cls(**{**values, "encoders": encoders})


def find_codec(text: str, encoders: Sequence[str], results: Path, catalog: Catalog) -> CodecSource:
    """The codec that ``text`` names.

    A component with options (``dac:sample_rate=24000,weights=random``), a folder or file of
    weights, a run, or a Hugging Face id, looked for in this order. ``encoders`` are its teachers,
    written like components; weights of our own format know the names of theirs.
    """
    chosen = tuple((*parse_component(encoder), 1.0) for encoder in encoders)
    known = {component.name for component in catalog.components("codec")}
    if text.partition(":")[0] in known:
        name, options = parse_component(text)
        return CodecSource(name, options, chosen)
    path = Path(text).expanduser()
    if path.exists() and not (path / "run.json").exists():
        return CodecSource(encoders=chosen, weights=str(path.resolve()))
    try:
        return _of_run(find_folder(text, results))
    except UnknownRun as error:
        if _HUB_ID.fullmatch(text):
            return CodecSource(encoders=chosen, weights=text)
        raise UnknownComponent(
            f"no codec {text!r}: it is no component ({', '.join(sorted(known))}), no folder or "
            f"file of weights and no Hugging Face id (owner/name), and {error}"
        ) from error


def parse_component(text: str) -> tuple[str, dict[str, Any]]:
    """Name and options of ``name:key=value,key.inner=value``."""
    name, _, given = text.partition(":")
    options: dict[str, Any] = {}
    for part in _COMMA.split(given) if given else []:
        options = merged(options, override_tree(part))
    return name, options


def _of_run(folder: Path) -> CodecSource:
    """The codec that a run used or trained."""
    record = json.loads((folder / "run.json").read_text())
    models = record.get("models")
    if not models:
        raise WorkbenchError(
            f"run {folder.name} has no codec yet (status: {record['status']}); finish it with "
            "`workbench run`"
        )
    codec = models["codec"]
    encoders = tuple((e["name"], e["options"], e["weight"]) for e in models["encoders"])
    return CodecSource(
        codec["name"], codec["options"], encoders, "", codec["codebooks"], record["seed"]
    )


def open_codec(source: CodecSource, catalog: Catalog, device: str) -> Codec:
    """The codec, with all its codebooks, ready to encode and decode."""
    context = Context(catalog, device, source.seed)
    encoders = tuple(
        (name, context.build("semantic_encoder", name, options), weight)
        for name, options, weight in source.encoders
    )
    if source.component:
        with_encoders = Context(catalog, device, source.seed, encoders)
        built: Codec = with_encoders.build("codec", source.component, source.options)
        return built
    codec: Any = load_codec(source.weights, [encoder for _, encoder, _ in encoders])
    if not codec.teachers and codec.config.teachers:
        teachers = codec.config.teachers
        try:
            found = [context.build("semantic_encoder", t.name, t.options) for t in teachers]
        except UnknownComponent as error:
            raise UnknownComponent(
                f"codec {source.weights!r} was trained with a teacher that is not here: {error}"
            ) from error
        codec.attach(found)
    moved: Codec = codec.to(device)
    return moved


def quickened(codec: Codec, precision: Precision, compiled: bool) -> Codec:
    """``codec`` for inference alone: see :meth:`XCodec.for_inference`. Others stay as they are."""
    if isinstance(codec, XCodec):
        return codec.for_inference(precision, compiled)
    if precision != "fp32" or compiled:
        raise WorkbenchError(
            "--precision and --compiled are for X-Codecs of the workbench's own engine; this codec "
            f"is a {type(codec).__name__}. Leave them out"
        )
    return codec


def codec_key(codec: Codec, source: CodecSource) -> str:
    """What tells a codec's codes from all others': its weights, or what it was built from."""
    return weights_key(codec) or content_key(
        {"component": source.component, "options": dict(source.options), "seed": source.seed}
    )


def check_codec(codec: Codec, source: CodecSource, archive: CodesArchive) -> None:
    """Refuse a codec that did not make the archive's codes: to it they mean something else."""
    key, expected = codec_key(codec, source), archive.header.codec_key
    if key != expected:
        made_by = CodecSource.from_json(archive.header.codec)
        raise WorkbenchError(
            f"{archive.path} holds codes of another codec: of {made_by.name} (key {expected}), "
            f"while {source.name} here has the key {key}. Name the codec that made them by --codec"
        )
