"""The codecs that this plugin registers. Nothing here imports torch."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING

from workbench import BuildContext, Component, XCodecConfig, hookimpl

if TYPE_CHECKING:
    from workbench import XCodec

EMBEDDED = Path(__file__).parent / "parts" / "xcodec"


@dataclass
class XCodecOptions(XCodecConfig):
    """Options of the codec ``xcodec``: the engine's own, and where its weights come from."""

    weights: str = "embedded"
    """``embedded`` (a tiny one trained on synthesised music), ``scratch``, a folder, or a Hugging
    Face id. Trained weights decide the architecture."""


def build_xcodec(options: XCodecOptions, context: BuildContext) -> XCodec:
    """The codec on the context's device, with the recipe's encoders as its teachers."""
    from workbench import scratch_codec, trained_codec

    names = [field.name for field in fields(XCodecConfig)]
    config = XCodecConfig(**{name: getattr(options, name) for name in names})
    encoders = context.encoders
    codec = (
        scratch_codec(config, encoders, context.seed)
        if options.weights == "scratch"
        else trained_codec(options.weights, config, encoders, EMBEDDED)
    )
    return codec.to(context.device)


@hookimpl
def workbench_codecs() -> list[Component]:
    """The trainable engine and the baselines."""
    return [
        Component(
            "xcodec",
            "X-Codec: trainable at any size, with the recipe's encoders as teachers or without",
            XCodecOptions,
            build_xcodec,
        ),
    ]
