"""DNSMOS: what listeners would say of noisy speech, by Microsoft's ONNX models."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.polynomial import Polynomial
from numpy.typing import NDArray

from workbench import (
    EvaluationItem,
    Figure,
    ModelAbsent,
    WeightsError,
    mean_figure,
    metric_settings,
)
from workbench_quality.pairs import Signal, mono

Array = NDArray[np.float64]

SAMPLE_RATE = 16_000
SECONDS = 9.01
"""What the models hear at a time."""
WINDOW = 144_160
"""The same in samples."""
HOP = 160
"""Samples from one mel frame to the next."""
N_FFT = 321
MELS = 120
P835 = "sig_bak_ovr.onnx"
P808 = "model_v8.onnx"
SCALES = {
    False: {
        "sig": Polynomial([0.0052439, 1.22083953, -0.08397278]),
        "bak": Polynomial([-0.39604546, 1.60915514, -0.13166888]),
        "ovr": Polynomial([0.04602535, 1.11546468, -0.06766283]),
    },
    True: {
        "sig": Polynomial([-0.24348726, 1.19576786, 0.02751166, -0.01019296]),
        "bak": Polynomial([0.96883132, -0.1644611, 0.44276479, -0.04976499]),
        "ovr": Polynomial([-0.11236046, 1.18058466, 0.005101, -0.00533021]),
    },
}
"""From the outputs of the P.835 models to opinion scores, for the personalised one (True) and the
other; the constants of the authors' ``dnsmos_local.py``."""


class Dnsmos:
    """DNSMOS P.835 (Reddy et al. 2022, arXiv 2110.01763) and P.808 (arXiv 2010.15258).

    ``folder`` holds ``sig_bak_ovr.onnx`` and ``model_v8.onnx`` of Microsoft's DNS-Challenge. No
    reference is heard. Audio is repeated up to 9.01 s; longer audio is the mean of windows a second
    apart.
    """

    def __init__(self, folder: str, personalised: bool) -> None:
        if not folder:
            raise ModelAbsent(
                f"dnsmos: weights = '': name the folder that holds {P835} and {P808} (DNSMOS of "
                "Microsoft's DNS-Challenge); the workbench ships neither"
            )
        self._p835 = _Model(Path(folder).expanduser() / P835)
        self._p808 = _Model(Path(folder).expanduser() / P808)
        self.personalised = personalised
        self._scores: dict[str, dict[str, float]] = {n: {} for n in ("p808", "sig", "bak", "ovr")}

    def update(self, item: EvaluationItem) -> None:
        """Take in one item."""
        for name, score in self.judge(mono(item.generated, SAMPLE_RATE)).items():
            self._scores[name][item.id] = score

    def compute(self) -> list[Figure]:
        """``dnsmos-p808``, ``-sig``, ``-bak`` and ``-ovr``, from 1 to 5, higher is better."""
        models = {P835: self._p835.digest, P808: self._p808.digest}
        figures = []
        for name, scores in self._scores.items():
            what = {"p808": "P.808", "sig": "P.835 speech", "bak": "P.835 background"}
            definition = f"DNSMOS, estimated MOS, {what.get(name, 'P.835 overall')}"
            settings = metric_settings(definition, 1, models, SAMPLE_RATE)
            figures.append(mean_figure(f"dnsmos-{name}", scores, True, "MOS", settings))
        return figures

    def judge(self, wav: Signal) -> dict[str, float]:
        """The four scores of mono audio ``[T]`` at 16 kHz."""
        repeats = -(-WINDOW // max(1, len(wav)))
        doublings = 1 << (repeats - 1).bit_length()  # as the authors do, twice as long each time
        rows = []
        for window in windows(np.tile(wav, doublings)):
            sig, bak, ovr = self._p835(window[None])[0]
            rows.append([self._p808(mel_levels(window[:-HOP])[None])[0, 0], sig, bak, ovr])
        scores = np.array(rows)
        scales = SCALES[self.personalised]
        raw = dict(zip(("sig", "bak", "ovr"), scores.T[1:], strict=True))
        judged = {name: float(scales[name](values).mean()) for name, values in raw.items()}
        return {"p808": float(scores[:, 0].mean()), **judged}


def windows(wav: Signal) -> list[Signal]:
    """Windows ``[WINDOW]`` a second apart of ``[T]``, which is at least as long.

    The authors' program computes the ends in floating point and leaves out windows that thereby
    are a sample too short: those that start 7 to 23 seconds in. Published scores are without them.
    """
    last = int(len(wav) // SAMPLE_RATE - SECONDS)
    ends = [int((second + SECONDS) * SAMPLE_RATE) for second in range(last + 1)]
    found = [wav[second * SAMPLE_RATE : end] for second, end in enumerate(ends)]
    return [window for window in found if len(window) == WINDOW]


class _Model:
    """An ONNX file with one input and one output, on the CPU."""

    def __init__(self, path: Path) -> None:
        try:
            import onnxruntime
        except ImportError as error:
            raise ModelAbsent(
                "dnsmos: the package onnxruntime is not installed; "
                "pip install 'audio-workbench[dnsmos]'"
            ) from error
        if not path.is_file():
            raise WeightsError(f"dnsmos: weights = {str(path.parent)!r}: it holds no {path.name}")
        content = path.read_bytes()
        self.digest = hashlib.sha256(content).hexdigest()[:16]
        try:
            self._session = onnxruntime.InferenceSession(
                content, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # onnxruntime raises classes of its own for a bad file
            raise WeightsError(f"dnsmos: {path} can't be loaded as ONNX ({error})") from error
        self._input = self._session.get_inputs()[0].name

    def __call__(self, inputs: NDArray[Any]) -> Array:
        outputs = self._session.run(None, {self._input: inputs.astype(np.float32)})
        result: Array = outputs[0].astype(np.float64)
        return result


def mel_levels(wav: Signal) -> Array:
    """Mel power in dB below the loudest ``[F, 120]``, as the P.808 model hears it: -80 dB is -1."""
    padded = np.pad(wav, N_FFT // 2)
    frames = np.lib.stride_tricks.sliding_window_view(padded, N_FFT)[::HOP]
    window = np.hanning(N_FFT + 1)[:-1]  # periodic
    power = np.abs(np.fft.rfft(frames * window)) ** 2
    mel = np.maximum(power @ _filters(), 1e-10)
    level = 10 * np.log10(mel / mel.max())
    result: Array = (np.maximum(level, -80) + 40) / 40
    return result


@lru_cache(maxsize=1)
def _filters() -> Array:
    """Slaney's mel filters ``[161, 120]`` for bins of 16000 / 321 Hz.

    ``workbench.mel_filterbank`` takes the last bin for half the rate, which an odd FFT has not.
    """
    hz = np.fft.rfftfreq(N_FFT, 1 / SAMPLE_RATE)
    edges = _mel_to_hz(np.linspace(0, _hz_to_mel(SAMPLE_RATE / 2), MELS + 2))
    rising = (hz[:, None] - edges[:-2]) / (edges[1:-1] - edges[:-2])
    falling = (edges[2:] - hz[:, None]) / (edges[2:] - edges[1:-1])
    triangles = np.maximum(0, np.minimum(rising, falling))
    result: Array = triangles * (2 / (edges[2:] - edges[:-2]))
    return result


def _hz_to_mel(hz: float) -> float:
    """Slaney's scale: linear up to 1 kHz, logarithmic above; half the rate lies above."""
    return 15 + 27 * float(np.log(hz / 1000)) / float(np.log(6.4))


def _mel_to_hz(mel: Array) -> Array:
    hz: Array = np.where(mel < 15, mel * 200 / 3, 1000 * 6.4 ** ((mel - 15) / 27))
    return hz
