"""Codecs in and out of files: our own folders, transformers' checkpoints, the original ones.

Our own format is a folder with ``config.json`` (the whole :class:`XCodecConfig`, teachers by name
and fingerprint) and ``model.safetensors`` (everything but the teachers' weights).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from typing import Any

import torch

from workbench.api.errors import WeightsError
from workbench.api.protocols import SemanticEncoder
from workbench.codec.checkpoints import BUNDLED, from_transformers, load_bundled, save_bundled
from workbench.codec.config import XCodecConfig, config_from_dict, config_to_dict
from workbench.codec.original import from_original
from workbench.codec.semantic import describe_teacher
from workbench.codec.xcodec import XCodec
from workbench.weights import (
    SAFETENSORS,
    load_tensors,
    read_json,
    read_tensors,
    save_tensors,
    weights_folder,
)

FORMAT = "workbench-xcodec"

TEACHER = "teacher"
"""Subfolder for a teacher that came with a checkpoint."""

NamedEncoder = tuple[str, SemanticEncoder, float]
"""A teacher as a recipe gives it: component name, encoder, weight of its loss."""


def save_codec(codec: XCodec, folder: Path) -> None:
    """Write ``codec`` to ``folder`` in our own format.

    A teacher that came with the codec's checkpoint goes along; others are the catalog's.
    """
    folder.mkdir(parents=True, exist_ok=True)
    save_tensors(codec, folder / SAFETENSORS)
    if _is_bundled(codec.config):
        save_bundled(codec, folder / TEACHER)
    header = {"format": FORMAT, "version": 1, "config": config_to_dict(codec.config)}
    (folder / "config.json").write_text(json.dumps(header, indent=1) + "\n")


def load_codec(
    source: str | Path, teachers: Sequence[SemanticEncoder] = (), device: str = "cpu"
) -> XCodec:
    """A trained X-Codec, in eval mode.

    ``source`` is a folder that :meth:`XCodec.save` wrote, a folder or Hugging Face id in
    transformers' Xcodec format, or a ``.pth`` of the paper's public code with its YAML beside it
    (of the same name, or the folder's only one). ``teachers`` are the encoders that a codec of our
    own format was trained with, in their order; without them it decodes but does not encode. The
    other formats bring their teacher.
    """
    path = Path(source).expanduser()
    if path.is_file():
        codec = from_original(path, _settings_beside(path))
    else:
        codec = _load_folder(weights_folder(str(source)))
    if teachers:
        codec.attach(teachers)
    return codec.to(device).eval()


def _load_folder(folder: Path) -> XCodec:
    header = read_json(folder / "config.json")
    if header.get("model_type") == "xcodec":
        return from_transformers(folder)
    codec = XCodec(read_config(folder))
    load_tensors(codec, read_tensors(folder / SAFETENSORS), str(folder))
    if _is_bundled(codec.config):
        codec.attach([load_bundled(folder / TEACHER, codec.sample_rate)])
    return codec


def _is_bundled(config: XCodecConfig) -> bool:
    return [teacher.name for teacher in config.teachers] == [BUNDLED]


def _settings_beside(checkpoint: Path) -> Path:
    """The YAML of a checkpoint of the public code."""
    same = checkpoint.with_suffix(".yaml")
    found = [same] if same.is_file() else sorted(checkpoint.parent.glob("*.y*ml"))
    if len(found) != 1:
        raise WeightsError(
            f"{checkpoint}: needs its YAML beside it, as {same.name} or as the folder's only one; "
            f"found {', '.join(path.name for path in found) or 'none'}"
        )
    return found[0]


def read_config(folder: Path) -> XCodecConfig:
    """The configuration of a folder in our own format."""
    path = folder / "config.json"
    header = read_json(path)
    if header.get("format") != FORMAT:
        raise WeightsError(
            f"{path}: describes no X-Codec: neither the workbench's (format {FORMAT!r}) nor "
            "transformers' (model_type 'xcodec')"
        )
    try:
        return config_from_dict(header["config"])
    except (KeyError, TypeError, ValueError) as error:
        raise WeightsError(f"{path}: can't be used as a codec's configuration ({error})") from error


def scratch_codec(config: XCodecConfig, encoders: Sequence[NamedEncoder], seed: int) -> XCodec:
    """A randomly initialised codec with the recipe's teachers, a function of ``seed``."""
    described = [describe_teacher(*encoder) for encoder in encoders]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        codec = XCodec(replace(config, teachers=described), [encoder for _, encoder, _ in encoders])
    return codec.eval()


def trained_codec(
    source: str, config: XCodecConfig, encoders: Sequence[NamedEncoder], embedded: Path
) -> XCodec:
    """A codec from weights, for a recipe.

    The weights decide the architecture: an option that neither has its default nor agrees is an
    error. What counts in training alone (losses, discriminators, what teachers hear) is the
    recipe's.
    """
    codec = load_codec(weights_folder(source, embedded) if source == "embedded" else source)
    differences = list(_differences(XCodecConfig(), config, codec.config))
    if differences:
        raise WeightsError(
            f"codec weights {source!r} were made with other options: {'; '.join(differences)}. "
            "Leave these options out, or train with weights 'scratch'"
        )
    _check_encoders(source, codec, encoders)
    codec.config = replace(
        codec.config,
        teaching=config.teaching,
        losses=config.losses,
        discriminator=config.discriminator,
    )
    if encoders:
        codec.config = replace(
            codec.config,
            teachers=[
                replace(teacher, weight=weight)
                for teacher, (_, _, weight) in zip(codec.config.teachers, encoders, strict=True)
            ],
        )
        codec.attach([encoder for _, encoder, _ in encoders])
    return codec


TRAINING_ONLY = ("teaching", "losses", "discriminator", "teachers")


def _differences(default: Any, asked: Any, saved: Any, path: str = "") -> Iterator[str]:
    """Options that were set to something other than what the weights were made with."""
    for entry in fields(default):
        if not path and entry.name in TRAINING_ONLY:
            continue
        values = [getattr(config, entry.name) for config in (default, asked, saved)]
        if is_dataclass(values[0]):
            yield from _differences(values[0], values[1], values[2], f"{path}{entry.name}.")
        elif values[1] not in (values[0], values[2]):
            yield f"{path}{entry.name} is {values[2]!r} there, {values[1]!r} here"


def _check_encoders(source: str, codec: XCodec, encoders: Sequence[NamedEncoder]) -> None:
    if _is_bundled(codec.config):
        if encoders:
            raise WeightsError(
                f"codec weights {source!r} bring their own teacher: set encoder.name=none"
            )
        return
    expected = [teacher.name for teacher in codec.config.teachers]
    given = [name for name, _, _ in encoders]
    if expected != given:
        raise WeightsError(
            f"codec weights {source!r} were made with the encoders {expected or 'none'}; the "
            f"recipe has {given or 'none'}. Choose the same, or train with weights 'scratch'"
        )
