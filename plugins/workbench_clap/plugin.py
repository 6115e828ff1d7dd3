"""The component that this plugin registers. Nothing here imports torch."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from workbench import BuildContext, Component, hookimpl

if TYPE_CHECKING:
    from workbench_clap.encoder import ClapEncoder


@dataclass
class ClapSize:
    """Size of a randomly initialised model; the defaults are the embedded tiny one's.

    LAION's have 48,000 Hz, windows of 10 s, hop 480, 64 mels and four audio stages of 96 to 768.
    """

    sample_rate: int = 16_000
    """Rate in Hz of the audio that it is given."""
    window_seconds: int = 5
    """Audio that it sees at a time."""
    hop: int = 320
    """Samples from one frame of its mel spectrum to the next."""
    mels: int = 64
    """Mel bands, between 50 Hz and half the sample rate (14 kHz at most)."""
    patch_width: int = 28
    """Channels of the first audio stage; each that follows has twice as many, at half the rate."""
    depths: list[int] = field(default_factory=lambda: [1, 1, 2, 1])
    """Transformer blocks in each audio stage."""
    heads: list[int] = field(default_factory=lambda: [2, 4, 8, 16])
    """Attention heads in each audio stage; each must divide its stage's channels."""
    text_width: int = 128
    """Width of the text tower."""
    text_layers: int = 2
    """Transformer layers of the text tower."""
    text_heads: int = 4
    """Attention heads of the text tower; must divide `text_width`."""
    embedding: int = 128
    """Width of the space that audio and text share."""

    def __post_init__(self) -> None:
        for name in ("sample_rate", "window_seconds", "hop", "patch_width", "embedding"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} = {getattr(self, name)}: must be at least 1")
        if not self.depths or len(self.depths) != len(self.heads):
            raise ValueError(f"heads = {self.heads}: must be one number for each of depths")
        for stage, heads in enumerate(self.heads):
            if self.patch_width * 2**stage % heads:
                channels = self.patch_width * 2**stage
                raise ValueError(f"heads = {self.heads}: {heads} must divide {channels} channels")
        coarsest = 4 * 2 ** (len(self.depths) - 1)
        if self.mels % coarsest:
            raise ValueError(
                f"mels = {self.mels}: must be a multiple of {coarsest}, the bands that "
                f"a frame of the last of {len(self.depths)} stages spans"
            )
        if self.text_width % self.text_heads:
            raise ValueError(
                f"text_heads = {self.text_heads}: must divide text_width = {self.text_width}"
            )


@dataclass
class ClapPretraining:
    """How the encoder is trained by `encoder.training`: captions against audio, contrastively."""

    variety: float = 0.0
    """Strength of random gain, equalisation and noise on what the audio tower hears; 0 for none."""

    def __post_init__(self) -> None:
        if self.variety < 0:
            raise ValueError(f"variety = {self.variety!r}: must be at least 0")


@dataclass
class ClapOptions:
    """Options of the encoder `clap`."""

    weights: str = "embedded"
    """`embedded` (a tiny one trained on synthesised sounds), `embedded-judge` (another one, from
    another seed and other sounds, to score with what the first has taught), `random`, a Hugging
    Face id such as `laion/clap-htsat-unfused`, a local folder, or a local file: one of LAION's
    original `.pt` checkpoints."""
    layers: str | list[int] = "last"
    """`last` (the audio tower's normalised output, LAION's 3.2 frames a second, the embedded ones'
    1.6), or a list of hidden states: 0 the patches, then one for each stage. The first has 8 times
    the frames of the last, each stage half of the one before, the last two the same; they are
    brought to the finest one's rate and stacked. Their widths differ, so there is no mean of
    them."""
    tokenizer: str = ""
    """Folder or Hugging Face id of the text tower's tokenizer; empty takes the one that lies beside
    the weights, `roberta-base` for LAION's `.pt` files, or the project's own for `random` ones.
    Only needed to embed text."""
    size: ClapSize = field(default_factory=ClapSize)
    """Size of the model where `weights` is `random`."""
    pretraining: ClapPretraining = field(default_factory=ClapPretraining)
    """How training, where the recipe asks for it, is done."""

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
    summary = "CLAP, a sound encoder that shares a space with captions: any rate, coarse frames"
    return [Component("clap", summary, ClapOptions, build)]
