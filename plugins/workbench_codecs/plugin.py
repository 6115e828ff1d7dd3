"""The codecs that this plugin registers. Nothing here imports torch."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING

from workbench import BuildContext, Component, XCodecConfig, hookimpl

if TYPE_CHECKING:
    from workbench import XCodec
    from workbench_codecs.encodec_codec import EncodecCodec
    from workbench_codecs.speechtokenizer_codec import SpeechTokenizerCodec
    from workbench_codecs.transformers_codecs import TransformersCodec
    from workbench_codecs.xcodec2_codec import Xcodec2Codec

WEIGHTS = Path(__file__).parent / "weights"
EMBEDDED = {
    "embedded": WEIGHTS / "tiny",
    "embedded-speech": WEIGHTS / "speech_tiny",
    "embedded-sound": WEIGHTS / "sound_tiny",
}
"""Weights that are shipped, by the name that recipes give them."""


@dataclass
class XCodecOptions(XCodecConfig):
    """Options of the codec ``xcodec``: the engine's own, and where its weights come from."""

    weights: str = "embedded"
    """``embedded`` (a tiny one trained on synthesised music), ``embedded-speech`` (on synthesised
    speech), ``embedded-sound`` (on synthesised sounds), ``scratch``, a folder, a Hugging Face id,
    or a ``.pth`` of the public code. Trained weights decide the architecture."""


@dataclass
class EncodecOptions:
    """Options of the codec ``encodec``."""

    weights: str = "pretrained"
    """``pretrained`` (the authors'), ``random``, or a file of weights."""
    sample_rate: int = 24000
    """24000 (mono, causal) or 48000 (stereo)."""
    bandwidth: float = 6.0
    """Bandwidth in kbit/s: 1.5, 3, 6, 12 or 24 at 24 kHz; 3, 6, 12 or 24 at 48 kHz."""

    def __post_init__(self) -> None:
        _one_of("sample_rate", self.sample_rate, (24000, 48000))


@dataclass
class DacOptions:
    """Options of the codec ``dac``."""

    weights: str = "pretrained"
    """``pretrained`` (Descript's for the rate), ``random``, a Hugging Face id or a folder."""
    sample_rate: int = 16000
    """16000, 24000 or 44100, for ``pretrained`` and ``random``."""
    codebooks: int | None = None
    """Codebooks to use, the coarsest first; None: all."""

    def __post_init__(self) -> None:
        _one_of("sample_rate", self.sample_rate, (16000, 24000, 44100))


@dataclass
class MimiOptions:
    """Options of the codec ``mimi``."""

    weights: str = "kyutai/mimi"
    """A Hugging Face id, a folder, or ``random``."""
    codebooks: int | None = 8
    """Codebooks to use, the semantic one first; None: all 32."""


@dataclass
class SpeechTokenizerOptions:
    """Options of the codec ``speechtokenizer``."""

    weights: str = "fnlp/SpeechTokenizer"
    """The Hugging Face id, a folder with ``config.json`` and ``SpeechTokenizer.pt``, or
    ``random``."""


@dataclass
class HFXCodecOptions:
    """Options of the codec ``hf_xcodec``."""

    weights: str = "hf-audio/xcodec-hubert-librispeech"
    """A Hugging Face id, a folder, or ``random``."""
    codebooks: int | None = None
    """Codebooks to use, the coarsest first; None: all 8."""


@dataclass
class Xcodec2Options:
    """Options of the codec ``xcodec2``."""

    weights: str = "HKUSTAudio/xcodec2-hf"
    """A Hugging Face id or a folder in transformers' format, or ``random``."""


def _one_of(name: str, value: int, allowed: tuple[int, ...]) -> None:
    if value not in allowed:
        raise ValueError(f"{name} must be one of {', '.join(map(str, allowed))}; got {value}")


def build_xcodec(options: XCodecOptions, context: BuildContext) -> XCodec:
    """The trainable engine, with the recipe's encoders as its teachers."""
    from workbench import scratch_codec, trained_codec

    names = [field.name for field in fields(XCodecConfig)]
    config = XCodecConfig(**{name: getattr(options, name) for name in names})
    if options.weights == "scratch":
        return scratch_codec(config, context.encoders, context.seed).to(context.device)
    shipped = EMBEDDED.get(options.weights)
    source, folder = ("embedded", shipped) if shipped else (options.weights, EMBEDDED["embedded"])
    return trained_codec(source, config, context.encoders, folder).to(context.device)


def _build_encodec(options: EncodecOptions, context: BuildContext) -> EncodecCodec:
    from workbench_codecs.encodec_codec import build_encodec

    return build_encodec(options, context.seed).to(context.device)


def _build_dac(options: DacOptions, context: BuildContext) -> TransformersCodec:
    from workbench_codecs.transformers_codecs import build_dac

    return build_dac(options, context.seed).to(context.device)


def _build_mimi(options: MimiOptions, context: BuildContext) -> TransformersCodec:
    from workbench_codecs.transformers_codecs import build_mimi

    return build_mimi(options, context.seed).to(context.device)


def _build_speechtokenizer(
    options: SpeechTokenizerOptions, context: BuildContext
) -> SpeechTokenizerCodec:
    from workbench_codecs.speechtokenizer_codec import build_speechtokenizer

    return build_speechtokenizer(options, context.seed).to(context.device)


def _build_hf_xcodec(options: HFXCodecOptions, context: BuildContext) -> TransformersCodec:
    from workbench_codecs.transformers_codecs import build_hf_xcodec

    return build_hf_xcodec(options, context.seed).to(context.device)


def _build_xcodec2(options: Xcodec2Options, context: BuildContext) -> Xcodec2Codec:
    from workbench_codecs.xcodec2_codec import build_xcodec2

    return build_xcodec2(options, context.seed).to(context.device)


@hookimpl
def workbench_codecs() -> list[Component]:
    """The trainable engine and the baselines."""
    own = "X-Codec: trainable at any size, with the recipe's encoders as teachers or without"
    encodec = "EnCodec at 24 kHz mono or 48 kHz stereo, by its authors' package"
    dac = "Descript's audio codec at 16, 24 or 44.1 kHz, by transformers"
    mimi = "Kyutai's Mimi at 24 kHz and 12.5 frames a second, by transformers"
    tokenizer = "SpeechTokenizer: EnCodec's parts, the first codebook taught by HuBERT; 16 kHz"
    reference = "Transformers' X-Codec, the reference that ours is measured against"
    second = "X-Codec 2, one codebook of 65,536 entries at 16 kHz, by transformers"
    return [
        Component("xcodec", own, XCodecOptions, build_xcodec),
        Component("encodec", encodec, EncodecOptions, _build_encodec),
        Component("dac", dac, DacOptions, _build_dac),
        Component("mimi", mimi, MimiOptions, _build_mimi),
        Component("speechtokenizer", tokenizer, SpeechTokenizerOptions, _build_speechtokenizer),
        Component("hf_xcodec", reference, HFXCodecOptions, _build_hf_xcodec),
        Component("xcodec2", second, Xcodec2Options, _build_xcodec2),
    ]
