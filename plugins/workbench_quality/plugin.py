"""What this package registers. Heavy modules are imported when a metric is built."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from workbench import BuildContext, Component, Environment, Metric, hookimpl

WARPQ = Environment("warpq", ("warpq==1.5.2", "numpy<2", "setuptools<82"))
"""Its voice detector wants NumPy 1 and an old setuptools; it brings numba, pandas and seaborn."""


@dataclass
class PesqOptions:
    """Perceptual evaluation of speech quality."""

    band: Literal["wide", "narrow"] = "wide"
    """`wide` is ITU-T P.862.2 at 16 kHz, `narrow` P.862.1 at 8 kHz, as telephones sound."""


@dataclass
class StftOptions:
    """Distances of STFT magnitudes at several resolutions."""

    fft_sizes: list[int] = field(default_factory=lambda: [512, 1024, 2048])
    """FFT and window sizes in samples; hops are a quarter of them."""

    def __post_init__(self) -> None:
        if not self.fft_sizes or min(self.fft_sizes) < 4:
            raise ValueError(f"fft_sizes = {self.fft_sizes!r}: must be one or more, from 4 up")


@dataclass
class LogSpectralOptions:
    """Distance of log spectra in dB."""

    n_fft: int = 2048
    """FFT and window size in samples."""
    hop: int = 512
    """Samples from one frame to the next."""

    def __post_init__(self) -> None:
        _check_frames(self.n_fft, self.hop)


@dataclass
class CepstralOptions:
    """Distortion of mel cepstra in dB."""

    coefficients: int = 13
    """Cepstral coefficients that count, from the first on; the zeroth is the level."""
    mels: int = 80
    """Mel bands from 0 Hz to half the rate."""
    n_fft: int = 1024
    """FFT and window size in samples."""
    hop: int = 256
    """Samples from one frame to the next."""

    def __post_init__(self) -> None:
        _check_frames(self.n_fft, self.hop)
        if not 1 <= self.coefficients < self.mels:
            raise ValueError(
                f"coefficients = {self.coefficients}: must be from 1 to mels - 1 = {self.mels - 1}"
            )


@dataclass
class PitchOptions:
    """Errors of pitch and voicing."""

    tracker: Literal["dio", "harvest"] = "dio"
    """WORLD's trackers: `dio`, refined by StoneMask, or `harvest`, which misses fewer voiced frames
    and takes ten times as long."""
    floor: float = 71.0
    """Lowest pitch in Hz."""
    ceiling: float = 800.0
    """Highest pitch in Hz."""

    def __post_init__(self) -> None:
        if not 20 <= self.floor < self.ceiling:
            raise ValueError(
                f"floor = {self.floor}: must be from 20 Hz to below ceiling = {self.ceiling}"
            )
        if self.ceiling > 4000:
            raise ValueError(f"ceiling = {self.ceiling}: must be at most 4000 Hz")


@dataclass
class DnsmosOptions:
    """Estimated opinion scores of noisy speech."""

    weights: str = ""
    """Folder with `sig_bak_ovr.onnx` and `model_v8.onnx` of Microsoft's DNS-Challenge; empty: the
    metric is left out."""
    personalised: bool = False
    """Whether `sig_bak_ovr.onnx` is the personalised one, to which other voices are noise."""


@dataclass
class UtmosOptions:
    """Estimated opinion score of naturalness."""

    weights: str = ""
    """File of UTMOS22's strong learner (`utmos22_strong_step7459_v1.pt` of SpeechMOS); empty: the
    metric is left out."""


@dataclass
class WarpqOptions:
    """Quality of neurally coded speech, in an environment of its own."""

    python: str = ""
    """Interpreter of an environment of yours that has `warpq`; empty: one is made on first use."""


@dataclass
class NoOptions:
    """A metric without options."""


def _check_frames(n_fft: int, hop: int) -> None:
    if n_fft < 4:
        raise ValueError(f"n_fft = {n_fft}: must be at least 4")
    if not 1 <= hop <= n_fft:
        raise ValueError(f"hop = {hop}: must be from 1 to n_fft = {n_fft}")


def _pesq(options: PesqOptions, _context: BuildContext) -> Metric:
    from workbench_quality.perceptual import Pesq

    return Pesq(options.band)


def _stoi(_options: NoOptions, _context: BuildContext) -> Metric:
    from workbench_quality.perceptual import Stoi

    return Stoi()


def _stft_distance(options: StftOptions, _context: BuildContext) -> Metric:
    from workbench_quality.spectra import StftDistance

    return StftDistance(options.fft_sizes)


def _log_spectral_distance(options: LogSpectralOptions, _context: BuildContext) -> Metric:
    from workbench_quality.spectra import LogSpectralDistance

    return LogSpectralDistance(options.n_fft, options.hop)


def _cepstral_distortion(options: CepstralOptions, _context: BuildContext) -> Metric:
    from workbench_quality.spectra import MelCepstralDistortion

    return MelCepstralDistortion(options.coefficients, options.mels, options.n_fft, options.hop)


def _pitch(options: PitchOptions, _context: BuildContext) -> Metric:
    from workbench_quality.pitch import PitchErrors

    return PitchErrors(options.tracker, options.floor, options.ceiling)


def _code_bitrate(_options: NoOptions, _context: BuildContext) -> Metric:
    from workbench_quality.bitrate import CodeBitrate

    return CodeBitrate()


def _dnsmos(options: DnsmosOptions, _context: BuildContext) -> Metric:
    from workbench_quality.dnsmos import Dnsmos

    return Dnsmos(options.weights, options.personalised)


def _utmos(options: UtmosOptions, context: BuildContext) -> Metric:
    from workbench_quality.utmos import Utmos

    return Utmos(options.weights, context.device)


def _warpq(options: WarpqOptions, _context: BuildContext) -> Metric:
    from workbench import IsolatedMetric, Score, shared_worker

    module = Path(__file__).with_name("warpq_worker.py")
    definition = (
        "WARP-Q: cost of warping mel cepstra of speech onto the truth's; 3.5 where there is no "
        "speech; items whose truth has none left out"
    )
    score = Score("warp-q", False, definition, loudness="normalised by coefficient and window")
    worker = shared_worker(WARPQ, module, options.python)
    return IsolatedMetric(worker, [score], sample_rate=16_000)


@hookimpl
def workbench_metrics() -> list[Component]:
    """The metrics of this package."""
    return [
        Component("pesq", "Speech quality by ITU-T P.862, in MOS", PesqOptions, _pesq),
        Component("stoi", "Short-time intelligibility, STOI and ESTOI", NoOptions, _stoi),
        Component(
            "stft-distance",
            "Distances of STFT magnitudes to the truth at several resolutions",
            StftOptions,
            _stft_distance,
        ),
        Component(
            "log-spectral-distance",
            "Log-spectral distance to the truth in dB",
            LogSpectralOptions,
            _log_spectral_distance,
        ),
        Component(
            "mel-cepstral-distortion",
            "Mel-cepstral distortion in dB, without time warping",
            CepstralOptions,
            _cepstral_distortion,
        ),
        Component(
            "pitch",
            "F0 error in cents, gross pitch errors and voicing errors",
            PitchOptions,
            _pitch,
        ),
        Component(
            "code-bitrate",
            "Bit rate that the codes need once entropy-coded, in kbit/s",
            NoOptions,
            _code_bitrate,
        ),
        Component("dnsmos", "Estimated MOS of noisy speech, by DNSMOS", DnsmosOptions, _dnsmos),
        Component("utmos", "Estimated MOS of naturalness, by UTMOS22", UtmosOptions, _utmos),
        Component(
            "warp-q",
            "Quality of neurally coded speech by WARP-Q, in an environment of its own",
            WarpqOptions,
            _warpq,
            environment=WARPQ,
        ),
    ]
