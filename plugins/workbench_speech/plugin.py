"""What this package registers: encoders that judge speech, and the metrics that ask them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from workbench import BuildContext, Component, Metric, Slot, hookimpl, slot

if TYPE_CHECKING:
    from workbench_speech.recogniser import CharacterRecogniser
    from workbench_speech.speaker import VoiceEncoder
    from workbench_speech.transformers_models import (
        PretrainedRecogniser,
        PretrainedVoiceEncoder,
        PretrainedWhisper,
    )


@dataclass
class JudgeSize:
    """Size of a small convolutional judge; the defaults train in minutes on a CPU."""

    width: int = 160
    """Channels of the ConvNeXt blocks."""
    blocks: int = 6
    """ConvNeXt blocks; each sees three frames of 20 ms more to either side."""
    mels: int = 64
    """Mel bands of the input."""
    dropout: float = 0.1
    """Share of features left out in training."""

    def __post_init__(self) -> None:
        for name in ("width", "blocks", "mels"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} = {getattr(self, name)!r}: must be at least 1")
        if not 0 <= self.dropout < 1:
            raise ValueError(f"dropout = {self.dropout!r}: must be in [0, 1)")


@dataclass
class RecogniserOptions:
    """Options of `recogniser`."""

    weights: str = "embedded"
    """`embedded` (tiny, knows synthesised speech alone), `random`, or a Hugging Face id or local
    folder: a CTC model (`facebook/hubert-large-ls960-ft`) or a Whisper (`openai/whisper-small`)."""
    size: JudgeSize = field(default_factory=JudgeSize)
    """Size where `weights` is `random`."""
    variety: float = 1.0
    """Strength of random gain, equalisation and noise in training; 0 for none."""
    pace: float = 0.15
    """Recordings are played faster or slower by up to this share in training, which moves pitch
    and formants too and so makes other voices of them; 0 for never."""
    hidden: float = 0.15
    """Up to this share of the time and of the bands is hidden in training; 0 for nothing."""
    smoothing: float = 0.5
    """Share of the recordings whose spectrogram is smoothed in training, by up to 7 frames of
    10 ms and 5 bands: codecs blur speech, and the words are to be heard still."""

    def __post_init__(self) -> None:
        if self.variety < 0:
            raise ValueError(f"variety = {self.variety!r}: must be at least 0")
        if not 0 <= self.smoothing <= 1:
            raise ValueError(f"smoothing = {self.smoothing!r}: must be from 0 to 1")
        for name in ("pace", "hidden"):
            if not 0 <= getattr(self, name) < 1:
                raise ValueError(f"{name} = {getattr(self, name)!r}: must be in [0, 1)")


@dataclass
class SpeakerOptions:
    """Options of `speaker`."""

    weights: str = "embedded"
    """`embedded` (tiny, knows synthesised voices alone), `random`, or a Hugging Face id or local
    folder of an x-vector model (`microsoft/wavlm-base-plus-sv`)."""
    size: JudgeSize = field(default_factory=JudgeSize)
    """Size where `weights` is `random`."""
    dim: int = 64
    """Length of a voice's vector where `weights` is `random`."""
    variety: float = 1.0
    """Strength of random gain, equalisation and noise in training; 0 for none."""

    def __post_init__(self) -> None:
        if self.variety < 0:
            raise ValueError(f"variety = {self.variety!r}: must be at least 0")
        if self.dim < 1:
            raise ValueError(f"dim = {self.dim!r}: must be at least 1")


@dataclass
class ErrorRateOptions:
    """Options of `error-rates`."""

    judge: Slot = slot("semantic_encoder", "recogniser")
    """The encoder that writes down what it hears; it must be able to transcribe."""
    lexicon: Slot = slot("corpus", "none")
    """A corpus whose training texts hold every word that can be said: adds `closed-wer`, where
    what was heard counts as the nearest of those words. For small vocabularies and weak judges."""


@dataclass
class SimilarityOptions:
    """Options of `speaker-similarity`."""

    judge: Slot = slot("semantic_encoder", "speaker")
    """The encoder that tells voices apart; it must be able to embed speakers."""


def build_recogniser(
    options: RecogniserOptions, context: BuildContext
) -> CharacterRecogniser | PretrainedRecogniser | PretrainedWhisper:
    """A recogniser on the context's device."""
    from workbench_speech.load import load_recogniser

    return load_recogniser(options, context.seed).to(context.device)


def build_speaker(
    options: SpeakerOptions, context: BuildContext
) -> VoiceEncoder | PretrainedVoiceEncoder:
    """A speaker encoder on the context's device."""
    from workbench_speech.load import load_voice_encoder

    return load_voice_encoder(options, context.seed).to(context.device)


def build_error_rates(options: ErrorRateOptions, context: BuildContext) -> Metric:
    """Word and character error rates."""
    from workbench_speech.error_rates import ErrorRates
    from workbench_speech.lexicon import lexicons_of
    from workbench_speech.listening import shared_transcriber

    judge, lexicon = options.judge, options.lexicon
    transcriber = shared_transcriber(judge.name, judge.options, context)
    if not lexicon.chosen:
        return ErrorRates(transcriber, judge.name)
    corpus = context.build("corpus", lexicon.name, lexicon.options)
    return ErrorRates(transcriber, judge.name, lexicons_of(corpus.examples("train")))


def build_similarity(options: SimilarityOptions, context: BuildContext) -> Metric:
    """Similarity of voices."""
    from workbench_speech.listening import shared_voices
    from workbench_speech.similarity import SpeakerSimilarity

    judge = options.judge
    return SpeakerSimilarity(shared_voices(judge.name, judge.options, context), judge.name)


@hookimpl
def workbench_semantic_encoders() -> list[Component]:
    """The judges: they are encoders, so that recipes can train them."""
    return [
        Component(
            "recogniser",
            "Writes down what is said: Whisper, any CTC model, or a small one of our own",
            RecogniserOptions,
            build_recogniser,
        ),
        Component(
            "speaker",
            "Tells voices apart: any x-vector model, or a small one of our own",
            SpeakerOptions,
            build_speaker,
        ),
    ]


@hookimpl
def workbench_metrics() -> list[Component]:
    """What the judges are asked."""
    return [
        Component(
            "error-rates",
            "Word and character error rates of speech, by a recogniser",
            ErrorRateOptions,
            build_error_rates,
        ),
        Component(
            "speaker-similarity",
            "Cosine similarity of the voice to the prompt's, by a speaker encoder (SIM-O)",
            SimilarityOptions,
            build_similarity,
        ),
    ]
