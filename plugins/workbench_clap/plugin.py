"""The component that this plugin registers. Nothing here imports torch."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from workbench import BuildContext, Component, hookimpl

if TYPE_CHECKING:
    from workbench_clap.encoder import ClapEncoder


@dataclass
class ClapSize:
    """Size of a randomly initialised model."""

    patch_width: int = 24
    """Channels of the first audio stage; each of the three that follow doubles them."""
    depths: list[int] = field(default_factory=lambda: [1, 1, 2, 1])
    """Transformer blocks in each of the four audio stages."""
    heads: list[int] = field(default_factory=lambda: [2, 4, 8, 16])
    """Attention heads in each of the four audio stages."""
    text_width: int = 128
    """Width of the text tower."""
    text_layers: int = 2
    """Transformer layers of the text tower."""
    vocabulary: int = 2048
    """Tokens that the text tower knows."""
    embedding: int = 128
    """Width of the space that audio and text share."""


@dataclass
class ClapOptions:
    """Options of the encoder `clap`."""

    weights: str = "embedded"
    """`embedded` (a tiny default; not shipped yet), `random`, a Hugging Face id such as
    `laion/clap-htsat-unfused`, a local folder, or a local file: one of LAION's original `.pt`
    checkpoints."""
    layers: str | list[int] = "last"
    """`last` (the audio tower's normalised output, 3.2 frames a second), or a list of hidden
    states: 0 the patches, then one for each of the four stages. They have 256, 128, 64, 32 and 32
    frames in 10 s, and are brought to the finest one's rate and stacked. Their widths differ, so
    there is no mean of them."""
    tokenizer: str = ""
    """Folder or Hugging Face id of the text tower's tokenizer; empty takes the one that lies beside
    the weights, or `roberta-base` for LAION's `.pt` files. Only needed to embed text."""
    size: ClapSize = field(default_factory=ClapSize)
    """Size of the model where `weights` is `random`."""

    def __post_init__(self) -> None:
        if isinstance(self.layers, str) and self.layers != "last":
            raise ValueError(f"layers = {self.layers!r}: must be 'last' or a list of integers")


def build(options: ClapOptions, context: BuildContext) -> ClapEncoder:
    """The encoder on the context's device."""
    from workbench_clap.encoder import build_encoder

    return build_encoder(options, context.seed).to(context.device)


@hookimpl
def workbench_semantic_encoders() -> list[Component]:
    """CLAP."""
    summary = "CLAP, an encoder that shares a space with captions: 48 kHz, 3.2 frames a second"
    return [Component("clap", summary, ClapOptions, build)]
