"""The component that this plugin registers. Nothing here imports torch."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from workbench import BuildContext, Component, hookimpl

if TYPE_CHECKING:
    from workbench_mert.encoder import MertEncoder


@dataclass
class MertSize:
    """Size of a randomly initialised model; the defaults are the embedded tiny one's."""

    hidden: int = 192
    """Width of the transformer, and of the features."""
    layers: int = 4
    """Transformer layers."""
    heads: int = 4
    """Attention heads; must divide `hidden`."""
    feed_forward: int = 576
    """Inner width of the feed-forward blocks."""
    convolution: int = 32
    """Channels of the seven convolutions that turn audio into frames."""
    spectral_input: bool = True
    """Give the transformer a constant-Q spectrum beside the convolutions' output. Convolutions
    alone find pitch too, but only in trainings of days."""
    position_kernel: int = 64
    """Frames that the convolution for relative position spans."""

    def __post_init__(self) -> None:
        if self.hidden % self.heads:
            raise ValueError(f"heads = {self.heads}: must divide hidden = {self.hidden}")


@dataclass
class MertPretraining:
    """How the encoder is trained by `encoder.training`: masked prediction with two teachers."""

    clusters: int = 128
    """Clusters of log-mel frames: the acoustic teacher's units."""
    chroma_clusters: int = 64
    """Clusters of chroma frames, a second set of units; 0 for none."""
    spectrum_weight: float = 1.0
    """Weight of predicting the constant-Q spectrum (the musical teacher) beside the units' 1."""
    mask_span: int = 24
    """Frames in a row that are hidden together: .32 s, about what the constant-Q windows span."""
    mask_probability: float = 0.03
    """Chance of each frame to start a hidden span."""
    unmasked_weight: float = 0.5
    """Weight of the loss on frames that are not hidden."""
    variety: float = 1.0
    """Strength of random gain, equalisation and noise on what the encoder hears; 0 for none."""
    second_round: float = 0.0
    """Share of the steps in which clusters of the model's own features replace the log-mel ones."""
    second_round_layer: int = 3
    """Hidden state that the second round's clusters are made of."""

    def __post_init__(self) -> None:
        for name in ("clusters", "mask_span"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} = {getattr(self, name)!r}: must be at least 1")
        for name in (
            "unmasked_weight",
            "variety",
            "second_round_layer",
            "chroma_clusters",
            "spectrum_weight",
        ):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} = {getattr(self, name)!r}: must be at least 0")
        for name in ("mask_probability", "second_round"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} = {getattr(self, name)!r}: must be in [0, 1]")


@dataclass
class MertOptions:
    """Options of the encoder `mert`."""

    weights: str = "embedded"
    """`embedded` (a tiny one trained on synthesised music), `random`, a Hugging Face id such as
    `m-a-p/MERT-v1-95M`, or a local folder. Code that comes with a checkpoint is never run."""
    layers: str | list[int] = "mean"
    """`mean` of all hidden states, embedding output included (the paper's), or a list of them."""
    normalize: Literal["checkpoint", "on", "off"] = "checkpoint"
    """Scale audio to mean 0 and variance 1: as the checkpoint's preprocessor_config.json says,
    always, or never."""
    size: MertSize = field(default_factory=MertSize)
    """Size of the model where `weights` is `random`."""
    pretraining: MertPretraining = field(default_factory=MertPretraining)
    """What training, where the recipe asks for it, optimises."""

    def __post_init__(self) -> None:
        if isinstance(self.layers, str) and self.layers != "mean":
            raise ValueError(f"layers = {self.layers!r}: must be 'mean' or a list of integers")


def build(options: MertOptions, context: BuildContext) -> MertEncoder:
    """The encoder on the context's device."""
    from workbench_mert.encoder import build_encoder

    return build_encoder(options, context.seed).to(context.device)


@hookimpl
def workbench_semantic_encoders() -> list[Component]:
    """MERT."""
    summary = "MERT, a self-supervised music encoder: 24 kHz, 75 frames a second"
    return [Component("mert", summary, MertOptions, build)]
