"""What this package registers: encoders that name sound events, and the metrics that ask them."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from workbench import BuildContext, Component, Metric, Slot, hookimpl, slot

if TYPE_CHECKING:
    from workbench_tags.network import SoundTagger
    from workbench_tags.panns import Cnn14
    from workbench_tags.transformers_models import PretrainedTagger
    from workbench_tags.vggish import Vggish


@dataclass
class TaggerSize:
    """Size of a small tagger; the defaults train in a quarter of an hour on a CPU."""

    channels: int = 24
    """Channels of the first convolution; the next have twice and four times as many."""
    width: int = 128
    """Channels of the blocks over time."""
    blocks: int = 3
    """ConvNeXt blocks; each sees three frames of 80 ms more to either side."""
    mels: int = 64
    """Mel bands of the input, a multiple of 16."""
    dropout: float = 0.1
    """Share of features left out in training."""

    def __post_init__(self) -> None:
        for name in ("channels", "width", "blocks"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} = {getattr(self, name)!r}: must be at least 1")
        if self.mels < 16 or self.mels % 16:
            raise ValueError(f"mels = {self.mels!r}: must be a multiple of 16")
        if not 0 <= self.dropout < 1:
            raise ValueError(f"dropout = {self.dropout!r}: must be in [0, 1)")


@dataclass
class TaggerOptions:
    """Options of `tagger`."""

    weights: str = "embedded"
    """`embedded` (tiny, knows the events of `synthetic-sound` alone), `random`, or a Hugging Face
    id or local folder of an audio classifier (`MIT/ast-finetuned-audioset-10-10-0.4593`)."""
    size: TaggerSize = field(default_factory=TaggerSize)
    """Size where `weights` is `random`."""
    classes: list[str] = field(default_factory=list)
    """Classes where `weights` is `random`; training takes those that the corpus names."""
    variety: float = 0.5
    """Strength of random gain, equalisation and noise in training; 0 for none."""
    smoothing: float = 0.6
    """Share of the scenes whose spectrogram is smoothed in training, by up to 9 frames of 20 ms
    and 7 bands: codecs give noise back without its grain, and it is to be heard as noise still."""
    window_seconds: float = 2.0
    """Audio that an audio classifier is given around each segment."""
    hop_seconds: float = 0.5
    """Length of an audio classifier's segments."""
    independent: bool = True
    """Whether an audio classifier's classes may be audible side by side (sigmoids, as AudioSet's
    models are trained) or one at a time (softmax)."""

    def __post_init__(self) -> None:
        if self.variety < 0:
            raise ValueError(f"variety = {self.variety!r}: must be at least 0")
        if not 0 <= self.smoothing <= 1:
            raise ValueError(f"smoothing = {self.smoothing!r}: must be from 0 to 1")
        if not 0 < self.hop_seconds <= self.window_seconds:
            raise ValueError(
                f"hop_seconds = {self.hop_seconds!r}: must be above 0 and at most window_seconds "
                f"= {self.window_seconds!r}"
            )


@dataclass
class PannsOptions:
    """Options of `panns`."""

    weights: str = "Cnn14_mAP=0.431.pth"
    """Path of a published CNN14 checkpoint (`Cnn14_mAP=0.431.pth`, `Cnn14_16k_mAP=0.438.pth`), or
    `random`."""
    labels: Path | None = None
    """AudioSet's `class_labels_indices.csv`, for the classes' names; numbers without it."""
    channels: int = 64
    """Channels of the first block where `weights` is `random`; the published models have 64."""
    classes: int = 527
    """Classes where `weights` is `random`."""

    def __post_init__(self) -> None:
        for name in ("channels", "classes"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} = {getattr(self, name)!r}: must be at least 1")


@dataclass
class VggishOptions:
    """Options of `vggish`."""

    weights: str = "vggish-10086976.pth"
    """Path of the PyTorch port's checkpoint (`vggish-10086976.pth`), or `random`."""
    activation: bool = False
    """Rectify the embedding, as the port does and tools that measure FAD don't."""
    shrink: int = 1
    """Divides the published widths where `weights` is `random`."""

    def __post_init__(self) -> None:
        if self.shrink < 1:
            raise ValueError(f"shrink = {self.shrink!r}: must be at least 1")


@dataclass
class EventRecallOptions:
    """Options of `event-recall`."""

    judge: Slot = slot("semantic_encoder", "tagger")
    """The encoder that says what is audible; it must be able to tag."""
    threshold: float = 0.4
    """An event whose presence, a number from 0 to 1, exceeds this is heard. With the embedded
    tagger F1 is best at 0.55 on recordings; a codec's sounds are heard more faintly."""
    names: dict[str, list[str]] = field(default_factory=dict)
    """For each event, the judge's classes that stand for it (`{dog: [Bark, Dog]}`); empty where
    judge and corpus name them alike. Other classes then count for nothing."""
    vocabulary: Path | None = None
    """JSON file of each event's words, by which captions without annotation are understood; by
    default those of `synthetic-sound`."""

    def __post_init__(self) -> None:
        if not 0 < self.threshold < 1:
            raise ValueError(f"threshold = {self.threshold!r}: must be between 0 and 1")


def build_tagger(options: TaggerOptions, context: BuildContext) -> SoundTagger | PretrainedTagger:
    """A tagger on the context's device."""
    from workbench_tags.load import load_tagger

    return load_tagger(options, context.seed).to(context.device)


def build_panns(options: PannsOptions, context: BuildContext) -> Cnn14:
    """A CNN14 on the context's device."""
    from workbench_tags.panns import load_panns

    return load_panns(options, context.seed).to(context.device)


def build_vggish(options: VggishOptions, context: BuildContext) -> Vggish:
    """A VGGish on the context's device."""
    from workbench_tags.vggish import load_vggish

    return load_vggish(options, context.seed).to(context.device)


@hookimpl
def workbench_semantic_encoders() -> list[Component]:
    """The judges: they are encoders, so that recipes can train them."""
    return [
        Component(
            "tagger",
            "Names audible sound events: AST, any audio classifier, or a small one of our own",
            TaggerOptions,
            build_tagger,
        ),
        Component(
            "panns",
            "PANNs' CNN14 by its original checkpoint: AudioSet's classes, embeddings for FD",
            PannsOptions,
            build_panns,
        ),
        Component(
            "vggish",
            "VGGish by its port's checkpoint: 128 numbers for each 0.96 s, as in the first FAD",
            VggishOptions,
            build_vggish,
        ),
    ]


def build_event_recall(options: EventRecallOptions, context: BuildContext) -> Metric:
    """Which of the captioned events are heard."""
    from workbench_tags.listening import shared_ear
    from workbench_tags.recall import EventRecall
    from workbench_tags.wishes import VOCABULARY, Vocabulary

    judge = options.judge
    ear = shared_ear(judge.name, judge.options, context)
    vocabulary = Vocabulary.read(options.vocabulary or VOCABULARY)
    return EventRecall(ear, judge.name, options.threshold, vocabulary, options.names)


@hookimpl
def workbench_metrics() -> list[Component]:
    """What the judges are asked."""
    return [
        Component(
            "event-recall",
            "Captioned events that are audible, what else is, and their order, by a tagger",
            EventRecallOptions,
            build_event_recall,
        ),
    ]
