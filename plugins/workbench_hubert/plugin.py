"""The components that this plugin registers. Nothing here imports torch."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from workbench import BuildContext, Component, hookimpl

if TYPE_CHECKING:
    from workbench_hubert.encoder import SpeechEncoder


@dataclass
class SpeechEncoderSize:
    """Size of a randomly initialised model; the defaults train in minutes on a CPU."""

    hidden: int = 192
    """Width of the transformer, and of the features."""
    layers: int = 4
    """Transformer layers."""
    heads: int = 4
    """Attention heads; must divide `hidden`."""
    feed_forward: int = 576
    """Inner width of the feed-forward blocks."""
    convolution: int = 64
    """Channels of the seven convolutions that turn audio into frames."""
    position_kernel: int = 64
    """Frames that the convolution for relative position spans."""

    def __post_init__(self) -> None:
        if self.hidden % self.heads:
            raise ValueError(f"heads = {self.heads}: must divide hidden = {self.hidden}")


@dataclass
class SpeechPretraining:
    """How the encoder is trained where the recipe asks for it: masked prediction in two rounds."""

    clusters: int = 100
    """Clusters that a frame is told apart by: of mel cepstra first, then of own features."""
    mask_span: int = 8
    """Frames in a row that are hidden together."""
    mask_probability: float = 0.08
    """Chance of each frame to start a hidden span."""
    unmasked_weight: float = 0.5
    """Weight of the loss on frames that are not hidden."""
    variety: float = 0.0
    """Strength of random gain, equalisation and noise on what the encoder hears, while its teacher
    hears the clean audio; 0 for none."""
    reverberation: float = 0.0
    """Chance of a clip to be heard in a room, while its teacher hears it without; 0 for never."""
    overlap: float = 0.0
    """Chance of a clip to be spoken over, in part, by another of its batch, while its teacher hears
    the clip alone: WavLM's way; 0 for never."""
    spectrum_weight: float = 0.0
    """Weight of the loss on the clean log-mel spectrum, which the first round then predicts beside
    the clusters: it teaches the convolutions sooner than clusters do. MERT does the like."""
    second_round: float = 0.35
    """Share of the steps that predict clusters of the model's own features."""
    second_round_layer: int = 3
    """Hidden state that the second round's clusters are made of."""

    def __post_init__(self) -> None:
        for name in ("clusters", "mask_span"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} = {getattr(self, name)!r}: must be at least 1")
        for name in ("unmasked_weight", "variety", "spectrum_weight", "second_round_layer"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} = {getattr(self, name)!r}: must be at least 0")
        for name in ("mask_probability", "reverberation", "overlap", "second_round"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} = {getattr(self, name)!r}: must be in [0, 1]")


@dataclass
class SpeechEncoderOptions:
    """Options of the encoders `hubert` and `wavlm`."""

    weights: str = "embedded"
    """`embedded` (a tiny default), `random`, a Hugging Face id such as
    `facebook/hubert-base-ls960` or `microsoft/wavlm-base-plus`, or a local folder."""
    layers: str | list[int] = "mean"
    """`mean` of all hidden states, embedding output included (the paper's), or a list of them."""
    normalize: Literal["checkpoint", "on", "off"] = "checkpoint"
    """Scale audio to mean 0 and variance 1: as the checkpoint's preprocessor_config.json says,
    always, or never. X-Codec's published models were trained with raw audio: `off`."""
    size: SpeechEncoderSize = field(default_factory=SpeechEncoderSize)
    """Size of the model where `weights` is `random`."""
    pretraining: SpeechPretraining = field(default_factory=SpeechPretraining)
    """What training, where the recipe asks for it, optimises."""

    def __post_init__(self) -> None:
        if isinstance(self.layers, str) and self.layers != "mean":
            raise ValueError(f"layers = {self.layers!r}: must be 'mean' or a list of integers")


def build_hubert(options: SpeechEncoderOptions, context: BuildContext) -> SpeechEncoder:
    """A HuBERT on the context's device."""
    from workbench_hubert.encoder import HUBERT, build_encoder

    return build_encoder(HUBERT, options, context.seed).to(context.device)


def build_wavlm(options: SpeechEncoderOptions, context: BuildContext) -> SpeechEncoder:
    """A WavLM on the context's device."""
    from workbench_hubert.encoder import WAVLM, build_encoder

    return build_encoder(WAVLM, options, context.seed).to(context.device)


@hookimpl
def workbench_semantic_encoders() -> list[Component]:
    """HuBERT and WavLM."""
    rates = "16 kHz, 50 frames a second"
    hubert = f"HuBERT, a self-supervised speech encoder: {rates}"
    wavlm = f"WavLM, a speech encoder trained on noisy and overlapping speech: {rates}"
    return [
        Component("hubert", hubert, SpeechEncoderOptions, build_hubert),
        Component("wavlm", wavlm, SpeechEncoderOptions, build_wavlm),
    ]
