"""What this package registers. Heavy modules are imported when a metric is built."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from workbench import BuildContext, Component, Metric, Slot, hookimpl, slot

FRECHET_KINDS = ("item", "joint", "set")


@dataclass
class FrechetOptions:
    """Fréchet distances on the features of any semantic encoder."""

    encoder: Slot = slot("semantic_encoder", "mert")
    """Encoder whose features are compared, with its options; ``{name: mert, options: {layers:
    [9]}}`` on full-size weights is the field's FD on MERT layer 9."""
    kinds: list[str] = field(default_factory=lambda: list(FRECHET_KINDS))
    """Which distances: ``item`` (each clip and its own truth), ``joint`` (pairs of prompt and
    continuation against true pairs), ``set`` (all clips against all truths)."""

    def __post_init__(self) -> None:
        if not self.kinds or not set(self.kinds) <= set(FRECHET_KINDS):
            allowed = ", ".join(FRECHET_KINDS)
            raise ValueError(f"kinds = {self.kinds!r}: must be one or more of {allowed}")


@dataclass
class FrechetInfinityOptions:
    """Fréchet distance extrapolated to infinitely many clips."""

    encoder: Slot = slot("semantic_encoder", "mert")
    """Encoder whose features are compared, with its options."""


@dataclass
class KernelOptions:
    """Maximum mean discrepancy on the features of any semantic encoder."""

    encoder: Slot = slot("semantic_encoder", "mert")
    """Encoder whose features are compared, with its options."""
    kernel: Literal["gaussian", "polynomial"] = "gaussian"
    """`gaussian`, bandwidth the median distance of true clips, times 100: KAD; or `polynomial`,
    (x y / D + 1)^3: KID."""


@dataclass
class ClassOptions:
    """What a tagger makes of a clip."""

    judge: Slot = slot("semantic_encoder", "tagger")
    """Encoder that names classes: `tagger`, `panns`, or any other that can."""


@dataclass
class MelOptions:
    """Distance of log-mel spectra at several resolutions."""

    fft_sizes: list[int] = field(default_factory=lambda: [512, 1024, 2048])
    """FFT and window sizes in samples; hops are a quarter of them."""
    mels: list[int] = field(default_factory=lambda: [40, 80, 160])
    """Mel bands for each FFT size."""

    def __post_init__(self) -> None:
        if not self.fft_sizes or len(self.fft_sizes) != len(self.mels):
            raise ValueError(f"mels = {self.mels!r}: must be one number for each of fft_sizes")


@dataclass
class ClapScoreOptions:
    """How well audio goes with its caption."""

    judge: Slot = slot("semantic_encoder", "clap", {"weights": "embedded-judge"})
    """Encoder of audio and captions that judges: another than the one that taught the codec or is
    the language model's condition, since what is optimised is no judge."""


@dataclass
class NoOptions:
    """A metric without options."""


def _frechet(options: FrechetOptions, context: BuildContext) -> Metric:
    from workbench_metrics.features import shared_extractor
    from workbench_metrics.frechet import FrechetMetric

    extractor = shared_extractor(options.encoder.name, options.encoder.options, context)
    return FrechetMetric(extractor, options.kinds, options.encoder.name)


def _frechet_infinity(options: FrechetInfinityOptions, context: BuildContext) -> Metric:
    from workbench_metrics.features import shared_extractor
    from workbench_metrics.infinity import FrechetInfinity

    extractor = shared_extractor(options.encoder.name, options.encoder.options, context)
    return FrechetInfinity(extractor, options.encoder.name)


def _kernel_distance(options: KernelOptions, context: BuildContext) -> Metric:
    from workbench_metrics.features import shared_extractor
    from workbench_metrics.kernel import KernelDistance

    extractor = shared_extractor(options.encoder.name, options.encoder.options, context)
    return KernelDistance(extractor, options.kernel, options.encoder.name)


def _class_divergence(options: ClassOptions, context: BuildContext) -> Metric:
    from workbench_metrics.classes import ClassDivergence, shared_class_judge

    judge = options.judge
    return ClassDivergence(shared_class_judge(judge.name, judge.options, context), judge.name)


def _inception_score(options: ClassOptions, context: BuildContext) -> Metric:
    from workbench_metrics.classes import InceptionScore, shared_class_judge

    judge = options.judge
    return InceptionScore(shared_class_judge(judge.name, judge.options, context), judge.name)


def _mel_distance(options: MelOptions, _context: BuildContext) -> Metric:
    from workbench_metrics.mel import MelDistance

    return MelDistance(options.fft_sizes, options.mels)


def _clap_score(options: ClapScoreOptions, context: BuildContext) -> Metric:
    from workbench_metrics.captions import ClapScore, shared_judge

    judge = options.judge
    return ClapScore(shared_judge(judge.name, judge.options, context), judge.name)


def _si_sdr(_options: NoOptions, _context: BuildContext) -> Metric:
    from workbench_metrics.sisdr import SiSdr

    return SiSdr()


def _code_statistics(_options: NoOptions, _context: BuildContext) -> Metric:
    from workbench_metrics.codes import CodeStatistics

    return CodeStatistics()


def _key_agreement(_options: NoOptions, _context: BuildContext) -> Metric:
    from workbench_metrics.music import KeyAgreement

    return KeyAgreement()


def _tempo_agreement(_options: NoOptions, _context: BuildContext) -> Metric:
    from workbench_metrics.music import TempoAgreement

    return TempoAgreement()


def _chord_agreement(_options: NoOptions, _context: BuildContext) -> Metric:
    from workbench_metrics.music import ChordAgreement

    return ChordAgreement()


@hookimpl
def workbench_metrics() -> list[Component]:
    """The metrics of this package."""
    return [
        Component(
            "frechet",
            "Fréchet distances to the truth on any semantic encoder's features",
            FrechetOptions,
            _frechet,
        ),
        Component(
            "frechet-infinity",
            "Fréchet distance of infinitely many clips, extrapolated (FAD-infinity)",
            FrechetInfinityOptions,
            _frechet_infinity,
        ),
        Component(
            "kernel-distance",
            "Unbiased maximum mean discrepancy to the truth on any encoder's features (KAD, KID)",
            KernelOptions,
            _kernel_distance,
        ),
        Component(
            "class-divergence",
            "Divergence of a tagger's classes from those of the truth (paired KL)",
            ClassOptions,
            _class_divergence,
        ),
        Component(
            "inception-score",
            "How clear and how varied a tagger finds the clips",
            ClassOptions,
            _inception_score,
        ),
        Component(
            "clap-score",
            "Agreement of audio and caption, by a CLAP",
            ClapScoreOptions,
            _clap_score,
        ),
        Component("mel-distance", "Log-mel distance to the truth", MelOptions, _mel_distance),
        Component("si-sdr", "Scale-invariant signal-to-distortion ratio in dB", NoOptions, _si_sdr),
        Component(
            "code-statistics",
            "Perplexity of generated codes and their divergence from the truth's",
            NoOptions,
            _code_statistics,
        ),
        Component(
            "key-agreement",
            "Share of pieces whose key is kept, and MIREX's weighted key score",
            NoOptions,
            _key_agreement,
        ),
        Component(
            "tempo-agreement",
            "Share of pieces whose tempo is kept within 8 %, with and without octave errors",
            NoOptions,
            _tempo_agreement,
        ),
        Component(
            "chord-agreement",
            "Share of time in which the chord that belongs there is heard",
            NoOptions,
            _chord_agreement,
        ),
    ]
