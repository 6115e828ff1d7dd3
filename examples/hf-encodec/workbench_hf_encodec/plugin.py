"""What this plugin registers."""

from __future__ import annotations

from dataclasses import dataclass, field

from workbench import BuildContext, Codec, Component, hookimpl

WORKBENCH_API = 1


@dataclass
class Size:
    """Size of a model with random weights."""

    filters: int = 32
    """Channels of the first convolution, doubled at each of four strides."""
    hidden: int = 128
    """Width of the vectors that are quantised."""
    codebook_size: int = 1024
    """Entries in each codebook."""

    def __post_init__(self) -> None:
        for name in ("filters", "hidden"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} = {getattr(self, name)}: must be at least 1")
        if self.codebook_size < 2:
            raise ValueError(f"codebook_size = {self.codebook_size}: must be at least 2")


@dataclass
class EncodecOptions:
    """Options of the codec `hf-encodec`."""

    weights: str = "facebook/encodec_24khz"
    """A Hugging Face id, a folder, or `random`."""
    codebooks: int = 8
    """Codebooks to use, the coarsest first."""
    size: Size = field(default_factory=Size)
    """Size of the model where `weights` is `random`."""

    def __post_init__(self) -> None:
        if self.codebooks < 1:
            raise ValueError(f"codebooks = {self.codebooks}: must be at least 1")


def build(options: EncodecOptions, context: BuildContext) -> Codec:
    """The codec."""
    from workbench_hf_encodec.codec import build_codec

    return build_codec(options, context.seed).to(context.device)


@hookimpl
def workbench_codecs() -> list[Component]:
    """One codec."""
    return [Component("hf-encodec", "EnCodec at 24 kHz, by transformers", EncodecOptions, build)]
