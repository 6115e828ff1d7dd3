"""What this plugin registers."""

from __future__ import annotations

from dataclasses import dataclass, field

from workbench import BuildContext, Component, SemanticEncoder, hookimpl

WORKBENCH_API = 1


@dataclass
class Size:
    """Size of a model with random weights."""

    hidden: int = 64
    """Width of the transformer, and of the features."""
    layers: int = 2
    """Transformer layers."""
    heads: int = 2
    """Attention heads; must divide `hidden`."""
    feed_forward: int = 128
    """Inner width of the feed-forward blocks."""

    def __post_init__(self) -> None:
        for name in ("hidden", "layers", "heads", "feed_forward"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} = {getattr(self, name)}: must be at least 1")
        if self.hidden % self.heads:
            raise ValueError(f"heads = {self.heads}: must divide hidden = {self.hidden}")


@dataclass
class Wav2Vec2Options:
    """Options of the encoder `wav2vec2`."""

    weights: str = "facebook/wav2vec2-base"
    """A Hugging Face id, a folder, or `random`."""
    layers: str | list[int] = "mean"
    """`mean` of all hidden states, or a list of them."""
    size: Size = field(default_factory=Size)
    """Size of the model where `weights` is `random`."""


@dataclass
class WhisperOptions:
    """Options of the encoder `whisper`."""

    weights: str = "openai/whisper-base"
    """A Hugging Face id, a folder, or `random`."""
    size: Size = field(default_factory=Size)
    """Size of the model where `weights` is `random`."""


def build_wav2vec2(options: Wav2Vec2Options, context: BuildContext) -> SemanticEncoder:
    """A wav2vec 2.0."""
    from workbench_speech_teachers.wav2vec2 import build_encoder

    return build_encoder(options, context.seed).to(context.device)


def build_whisper(options: WhisperOptions, context: BuildContext) -> SemanticEncoder:
    """A Whisper encoder."""
    from workbench_speech_teachers.whisper import build_encoder

    return build_encoder(options, context.seed).to(context.device)


@hookimpl
def workbench_semantic_encoders() -> list[Component]:
    """Two encoders."""
    rates = "16 kHz, 50 frames a second"
    return [
        Component("wav2vec2", f"wav2vec 2.0: {rates}", Wav2Vec2Options, build_wav2vec2),
        Component("whisper", f"Whisper's encoder: {rates}", WhisperOptions, build_whisper),
    ]
