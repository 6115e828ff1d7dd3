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
from workbench.codec.config import XCodecConfig, config_from_dict, config_to_dict
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

NamedEncoder = tuple[str, SemanticEncoder, float]
"""A teacher as a recipe gives it: component name, encoder, weight of its loss."""


def save_codec(codec: XCodec, folder: Path) -> None:
    """Write ``codec`` to ``folder`` in our own format."""
    folder.mkdir(parents=True, exist_ok=True)
    save_tensors(codec, folder / SAFETENSORS)
    header = {"format": FORMAT, "version": 1, "config": config_to_dict(codec.config)}
    (folder / "config.json").write_text(json.dumps(header, indent=1) + "\n")


def load_codec(
    source: str | Path, teachers: Sequence[SemanticEncoder] = (), device: str = "cpu"
) -> XCodec:
    """A trained X-Codec, in eval mode.

    ``source`` is a folder that :meth:`XCodec.save` wrote. ``teachers`` are the encoders it was
    trained with, in their order; without them, the codec decodes but does not encode.
    """
    folder = weights_folder(str(source))
    codec = _load_own(folder)
    if teachers:
        codec.attach(teachers)
    return codec.to(device).eval()


def _load_own(folder: Path) -> XCodec:
    codec = XCodec(read_config(folder))
    load_tensors(codec, read_tensors(folder / SAFETENSORS), str(folder))
    return codec


def read_config(folder: Path) -> XCodecConfig:
    """The configuration of a folder in our own format."""
    path = folder / "config.json"
    header = read_json(path)
    if header.get("format") != FORMAT:
        raise WeightsError(f"{path}: describes no X-Codec of the workbench (no format {FORMAT!r})")
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
    error. Loss weights and discriminators, used where training goes on, are the recipe's.
    """
    codec = load_codec(weights_folder(source, embedded))
    differences = list(_differences(XCodecConfig(), config, codec.config))
    if differences:
        raise WeightsError(
            f"codec weights {source!r} were made with other options: {'; '.join(differences)}. "
            "Leave these options out, or train with weights 'scratch'"
        )
    _check_encoders(source, codec, encoders)
    teachers = [
        replace(teacher, weight=weight)
        for teacher, (_, _, weight) in zip(codec.config.teachers, encoders, strict=True)
    ]
    codec.config = replace(
        codec.config,
        losses=config.losses,
        discriminator=config.discriminator,
        teachers=teachers,
    )
    codec.attach([encoder for _, encoder, _ in encoders])
    return codec


TRAINING_ONLY = ("losses", "discriminator", "teachers")


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
    expected = [teacher.name for teacher in codec.config.teachers]
    given = [name for name, _, _ in encoders]
    if expected != given:
        raise WeightsError(
            f"codec weights {source!r} were made with the encoders {expected or 'none'}; the "
            f"recipe has {given or 'none'}. Choose the same, or train with weights 'scratch'"
        )
