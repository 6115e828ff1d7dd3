"""Each metric against an independent implementation on the same audio: ours, theirs, difference.

    pip install 'audio-workbench[agreement]'
    python benchmarks/metric_agreement.py [--out results/reference/metric_agreement.md]

A reference that is not installed has an empty row. The audio is the embedded corpora's, degraded on
purpose; models of DNSMOS are stood in for by the tests' made ones, since it is what is done around
them that is compared.
"""

from __future__ import annotations

import argparse
import math
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

sys.path.append(str(Path(__file__).parents[1]))  # the tests' made models serve here, too

from workbench import (
    Audio,
    Context,
    EvaluationItem,
    convert,
    load_catalog,
    resample,
)

RATE = 16_000
SENTENCES = 6
PIECES = 4
CONTEXT = Context(load_catalog(), "cpu", seed=0)

Scores = dict[str, float]


@dataclass
class Comparison:
    """One figure by both, item by item."""

    figure: str
    reference: str
    ours: Scores = field(default_factory=dict)
    theirs: Scores = field(default_factory=dict)
    note: str = ""

    def row(self) -> str:
        """As a line of the table."""
        if not self.theirs:
            return f"| {self.figure} | {self.reference} | - | - | - | - | {self.note} |"
        assert self.ours.keys() == self.theirs.keys(), (self.figure, self.ours, self.theirs)
        ours, theirs = (np.array(list(x.values())) for x in (self.ours, self.theirs))
        cells = [f"{ours.mean():.5g}", f"{theirs.mean():.5g}", f"{np.abs(ours - theirs).max():.1e}"]
        head = [self.figure, self.reference, str(len(ours))]
        return f"| {' | '.join([*head, *cells, self.note])} |"


def recordings() -> list[EvaluationItem]:
    """Sentences of the embedded speech at 16 kHz, with noise, and with a telephone's band."""
    corpus = CONTEXT.build(
        "corpus", "synthetic-speech", {"train": 4, "validation": 2, "test": SENTENCES}
    )
    generator = torch.Generator().manual_seed(0)
    items = []
    for example in corpus.examples("test"):
        truth = convert(corpus.audio(example), RATE, 1)
        # A breath of noise, so that no spectrum of any program reaches its floor.
        truth = Audio(truth.samples + 1e-3 * noise_like(truth.samples, generator), RATE)
        level = truth.samples.square().mean().sqrt()
        noisy = truth.samples + 0.15 * level * noise_like(truth.samples, generator)
        narrow = resample(resample(truth.samples, RATE, 8000), 8000, RATE)
        narrow = narrow[:, : truth.samples.shape[-1]]
        narrow = narrow + 1e-3 * noise_like(narrow, generator)
        for name, wav in (("noisy", noisy), ("narrow", narrow)):
            key = f"{example.id}-{name}"
            items.append(EvaluationItem(key, replace(example, id=key), Audio(wav, RATE), truth))
    return items


def noise_like(wav: Tensor, generator: torch.Generator) -> Tensor:
    """White noise of the shape of ``wav``."""
    return torch.randn(wav.shape, generator=generator)


def ours(
    items: Sequence[EvaluationItem], metric: str, options: Mapping[str, Any] | None = None
) -> dict[str, Scores]:
    """Scores of items by figure, by a metric of the catalog."""
    built = CONTEXT.build("metric", metric, options or {})
    for item in items:
        built.update(item)
    return {figure.name: dict(figure.per_item or {}) for figure in built.compute()}


def whole(
    items: Sequence[EvaluationItem], metric: str, options: Mapping[str, Any] | None = None
) -> dict[str, Scores]:
    """As :func:`ours`, for figures of the whole set."""
    built = CONTEXT.build("metric", metric, options or {})
    for item in items:
        built.update(item)
    return {figure.name: {"set": figure.value} for figure in built.compute()}


def each(
    items: Sequence[EvaluationItem], score: Callable[[np.ndarray, np.ndarray], float]
) -> Scores:
    """``score(generated, reference)`` of mono signals ``[T]``, by item."""
    return {
        item.id: float(score(item.generated.samples[0].numpy(), item.reference.samples[0].numpy()))
        for item in items
    }


def si_sdr(items: list[EvaluationItem]) -> list[Comparison]:
    """Against torchmetrics."""
    from torchmetrics.functional.audio import scale_invariant_signal_distortion_ratio as reference

    def score(made: np.ndarray, truth: np.ndarray) -> float:
        a, b = torch.from_numpy(made).double(), torch.from_numpy(truth).double()
        return float(reference(a, b, zero_mean=True))

    row = Comparison("si-sdr [dB]", f"torchmetrics {version('torchmetrics')}")
    row.ours, row.theirs = ours(items, "si-sdr")["si-sdr"], each(items, score)
    return [row]


def mel(items: list[EvaluationItem]) -> list[Comparison]:
    """Mel distance and cepstra from librosa's spectra."""
    import librosa
    from scipy.fft import dct

    def levels(wav: np.ndarray, size: int, bands: int) -> np.ndarray:
        spectrum = librosa.feature.melspectrogram(
            y=wav, sr=RATE, n_fft=size, hop_length=size // 4, n_mels=bands, power=1
        )
        return np.log(np.maximum(spectrum, 1e-5))

    def distance(made: np.ndarray, truth: np.ndarray) -> float:
        sizes = ((512, 40), (1024, 80), (2048, 160))
        gaps = [np.abs(levels(made, *s) - levels(truth, *s)).mean() for s in sizes]
        return float(np.mean(gaps)) / math.log(10)

    def distortion(made: np.ndarray, truth: np.ndarray) -> float:
        one, two = (dct(levels(w, 1024, 80), axis=0, norm="ortho") for w in (made, truth))
        gap = np.sqrt(2 * ((one - two)[1:14] ** 2).sum(axis=0))
        return float(10 / math.log(10) * gap.mean())

    by = f"spectra of librosa {version('librosa')}"
    return [
        Comparison("mel-distance", by, ours(items, "mel-distance")["mel-distance"],
                   each(items, distance), "definition written out"),
        Comparison("mel-cepstral-distortion [dB]", by,
                   ours(items, "mel-cepstral-distortion")["mel-cepstral-distortion"],
                   each(items, distortion), "definition written out"),
    ]  # fmt: skip


def log_spectra(items: list[EvaluationItem]) -> list[Comparison]:
    """Log-spectral distance from librosa's spectra."""
    import librosa

    def decibels(wav: np.ndarray) -> np.ndarray:
        spectrum = np.abs(librosa.stft(wav.astype(np.float64), n_fft=2048, hop_length=512))
        return 20 * np.log10(np.maximum(spectrum / 1024, 1e-7))

    def score(made: np.ndarray, truth: np.ndarray) -> float:
        gap = decibels(made) - decibels(truth)
        return float(np.sqrt((gap**2).mean(axis=0)).mean())

    name = "log-spectral-distance"
    by = f"spectra of librosa {version('librosa')}"
    row = Comparison(f"{name} [dB]", by, ours(items, name)[name], each(items, score))
    row.note = "definition written out"
    return [row]


def stft(items: list[EvaluationItem]) -> list[Comparison]:
    """Multi-resolution STFT distances against auraloss."""
    from auraloss.freq import STFTLoss

    sizes = (512, 1024, 2048)

    def score(made: np.ndarray, truth: np.ndarray, log: bool) -> float:
        found = []
        for size in sizes:
            loss = STFTLoss(size, size // 4, size, w_sc=0.0 if log else 1.0, w_log_mag=float(log))
            a, b = (torch.from_numpy(w).double()[None, None] for w in (made, truth))
            loss.window = loss.window.double()
            found.append(float(loss(a, b)))
        return float(np.mean(found)) / (math.log(10) if log else 1)

    items = [with_silent_ends(item) for item in items]
    found = ours(items, "stft-distance", {"fft_sizes": list(sizes)})
    by = f"auraloss {version('auraloss')}"
    note = "silence at both ends, which theirs mirrors"
    return [
        Comparison("stft-distance", by, found["stft-distance"],
                   each(items, lambda a, b: score(a, b, log=True)), note),
        Comparison("spectral-convergence", by, found["spectral-convergence"],
                   each(items, lambda a, b: score(a, b, log=False)), note),
    ]  # fmt: skip


def with_silent_ends(item: EvaluationItem) -> EvaluationItem:
    """The item with 1024 samples of silence on each side."""
    made, truth = (
        Audio(torch.nn.functional.pad(audio.samples, (1024, 1024)), RATE)
        for audio in (item.generated, item.reference)
    )
    return replace(item, generated=made, reference=truth)


def pesq(items: list[EvaluationItem]) -> list[Comparison]:
    """PESQ through torchmetrics, which calls the same program."""
    from torchmetrics.functional.audio import perceptual_evaluation_speech_quality as reference

    rows = []
    for band, rate in (("wide", 16_000), ("narrow", 8_000)):

        def score(made: np.ndarray, truth: np.ndarray, rate: int = rate, band: str = band) -> float:
            a, b = (resample(torch.from_numpy(w), RATE, rate) for w in (made, truth))
            return float(reference(a, b, rate, "wb" if band == "wide" else "nb"))

        (figure, scores), *_ = ours(items, "pesq", {"band": band}).items()
        row = Comparison(f"{figure} [MOS]", f"torchmetrics {version('torchmetrics')}", scores)
        row.theirs = each(items, score)
        row.note = "both call the ITU's program in the package pesq; no other one installs"
        rows.append(row)
    return rows


def stoi(items: list[EvaluationItem]) -> list[Comparison]:
    """STOI and ESTOI against torch-stoi, which is written anew."""
    from torch_stoi import NegSTOILoss

    found = ours(items, "stoi")
    rows = []
    for figure, scores in found.items():
        reference = NegSTOILoss(10_000, extended=figure == "estoi")

        def score(made: np.ndarray, truth: np.ndarray, reference: Any = reference) -> float:
            a, b = (resample(torch.from_numpy(w), RATE, 10_000) for w in (made, truth))
            return -float(reference(a, b))

        row = Comparison(figure, f"torch-stoi {version('torch-stoi')}", scores)
        row.theirs = each(items, score)
        row.note = "written anew in torch"
        rows.append(row)
    return rows


def pitch(items: list[EvaluationItem]) -> list[Comparison]:
    """Voicing errors by mir_eval on the same tracks; pitch errors on librosa's pYIN tracks."""
    import librosa
    import mir_eval
    from workbench_quality.pitch import compare

    tracker = CONTEXT.build("metric", "pitch")

    def voicing(made: np.ndarray, truth: np.ndarray) -> float:
        one, two = (tracker.track(wav.astype(np.float64)) for wav in (made, truth))
        recall, false_alarm = mir_eval.melody.voicing_measures(two > 0, one > 0)
        voiced = float((two > 0).mean())
        return (1 - recall) * voiced + false_alarm * (1 - voiced)

    def pyin(made: np.ndarray, truth: np.ndarray) -> float:
        tracks = [
            np.nan_to_num(librosa.pyin(w, fmin=71, fmax=800, sr=RATE, hop_length=80)[0])
            for w in (made, truth)
        ]
        cents = compare(*tracks).cents
        return math.nan if cents is None else cents

    found = ours(items, "pitch")
    few = [item for item in items if item.id in found["f0-rmse"]][:4]
    rough = {item.id: found["f0-rmse"][item.id] for item in few}
    other = f"pYIN of librosa {version('librosa')}"
    return [
        Comparison("voicing-error", f"mir_eval {version('mir_eval')}", found["voicing-error"],
                   each(items, voicing), "on WORLD's tracks"),
        Comparison("f0-rmse [cents]", other, rough, each(few, pyin),
                   "another tracker: how far trackers disagree, no test of ours"),
    ]  # fmt: skip


def dnsmos(items: list[EvaluationItem]) -> list[Comparison]:
    """DNSMOS against torchmetrics on the same made models."""
    import torchmetrics.functional.audio.dnsmos as reference

    from tests.plugins.quality import made

    if not reference._LIBROSA_AVAILABLE or not reference._ONNXRUNTIME_AVAILABLE:
        raise ImportError("librosa")
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        models = made.save_dnsmos(Path(folder) / "DNSMOS")
        reference.DNSMOS_DIR = folder
        found = ours(items, "dnsmos", {"weights": str(models)})
        names = ("dnsmos-p808", "dnsmos-sig", "dnsmos-bak", "dnsmos-ovr")
        theirs = {
            item.id: reference.deep_noise_suppression_mean_opinion_score(
                item.generated.samples[0], RATE, personalized=False, cache_session=False
            )
            for item in items
        }
        for number, name in enumerate(names):
            row = Comparison(name, f"torchmetrics {version('torchmetrics')}", found[name])
            row.theirs = {key: float(scores[number]) for key, scores in theirs.items()}
            row.note = "made models: windows, mel levels and scales are compared"
            rows.append(row)
    return rows


def frechet(items: list[EvaluationItem]) -> list[Comparison]:
    """Fréchet distances against torchmetrics, from the same features."""
    from torchmetrics.image.fid import _compute_fid

    slot = {"name": "log-mel", "options": {"bands": 20, "neighbours": 0}}
    encoder = CONTEXT.build("semantic_encoder", slot["name"], slot["options"])

    def features(audio: Audio) -> Tensor:
        return encoder(audio.samples)[0].T.double()

    def distance(made: Tensor, truth: Tensor) -> float:
        moments = [part for x in (made, truth) for part in (x.mean(dim=0), x.T.cov())]
        return float(_compute_fid(*moments))

    pairs = {item.id: (features(item.generated), features(item.reference)) for item in items}
    by = f"torchmetrics {version('torchmetrics')}"
    together = [torch.cat(side) for side in zip(*pairs.values(), strict=True)]
    kinds = {"encoder": slot, "kinds": ["item", "set"]}
    return [
        Comparison("frechet-item", by, ours(items, "frechet", kinds)["frechet-item"],
                   {key: distance(*pair) for key, pair in pairs.items()}, "same features"),
        Comparison("frechet-set", by, whole(items, "frechet", kinds)["frechet-set"],
                   {"set": distance(*together)}, "same features"),
    ]  # fmt: skip


def codes(items: list[EvaluationItem]) -> list[Comparison]:
    """Statistics of codes and their bit rate against scipy."""
    import scipy
    from scipy.spatial.distance import jensenshannon
    from scipy.stats import entropy

    rng = np.random.default_rng(0)
    coded = []
    for item in items:
        frames = round(50 * item.reference.seconds)
        drawn = [torch.from_numpy(rng.geometric(p, (4, frames)).clip(max=63)) for p in (0.1, 0.12)]
        coded.append(replace(item, generated_codes=drawn[0], reference_codes=drawn[1]))
    made, truth = (
        np.concatenate([getattr(item, side).numpy() for item in coded], axis=1)
        for side in ("generated_codes", "reference_codes")
    )

    def shares(codes: np.ndarray) -> list[np.ndarray]:
        return [np.bincount(row, minlength=64) / len(row) for row in codes]

    bits = [entropy(p, base=2) for p in shares(made)]
    pairs = zip(shares(made), shares(truth), strict=True)
    seconds = sum(item.generated.seconds for item in coded)
    theirs = {
        "code-perplexity": np.mean([2**b for b in bits]),
        "code-divergence": np.mean([jensenshannon(p, q, base=2) ** 2 for p, q in pairs]),
        "code-bitrate": sum(bits) * made.shape[1] / seconds / 1000,
    }
    found = whole(coded, "code-statistics") | whole(coded, "code-bitrate")
    return [
        Comparison(name, f"scipy {scipy.__version__}", found[name], {"set": float(value)})
        for name, value in theirs.items()
    ]


def error_rates(items: list[EvaluationItem]) -> list[Comparison]:
    """Word and character error rates against jiwer, on sentences with planted errors."""
    import jiwer
    from workbench_speech.error_rates import errors

    truths = [" ".join((item.example.text or "").lower().split()) for item in items]
    rng = np.random.default_rng(0)
    said = []
    for text in truths:
        words = [w for w in text.split() if rng.random() > 0.15]
        said.append(" ".join(w if rng.random() > 0.2 else w[::-1] for w in words) or "nothing")
    rows = []
    for figure, split, theirs in (("wer", str.split, jiwer.wer), ("cer", list, jiwer.cer)):
        row = Comparison(figure, f"jiwer {version('jiwer')}")
        for item, truth, heard in zip(items, truths, said, strict=True):
            wrong, total = errors(split(truth), split(heard))
            row.ours[item.id], row.theirs[item.id] = wrong / total, float(theirs(truth, heard))
        rows.append(row)
    return rows


def music(_items: list[EvaluationItem]) -> list[Comparison]:
    """Scores of keys and tempi against mir_eval; estimated tempi against librosa's."""
    import mir_eval
    from workbench_metrics.music import mirex_key_score, tempo_matches
    from workbench_metrics.music_analysis import Triad

    by = f"mir_eval {version('mir_eval')}"
    names = ("C", "Db", "D", "Eb", "E", "F", "Gb", "G", "Ab", "A", "Bb", "B")
    keys = [Triad(root, mode) for root in range(12) for mode in ("major", "minor")]
    key = Comparison("key-agreement-weighted", by, note="all pairs of keys")
    for heard in keys:
        for truth in keys:
            said = [f"{names[k.root]} {k.quality}" for k in (truth, heard)]
            key.ours[str(said)] = mirex_key_score(heard, truth)
            key.theirs[str(said)] = float(mir_eval.key.weighted_score(*said))
    tempo = Comparison("tempo-agreement-strict", by, note="all pairs of tempi from 60 to 180")
    for heard in range(60, 181, 4):
        for truth in range(60, 181, 4):
            pair = f"{heard} {truth}"
            tempo.ours[pair] = float(tempo_matches(heard, truth, octaves=False))
            hit = mir_eval.tempo.detection(
                np.array([truth, truth + 400.0]), 1.0, np.array([heard, 1e4]), tol=0.08
            )
            tempo.theirs[pair] = float(hit[1])
    return [key, tempo]


def tempi(_items: list[EvaluationItem]) -> list[Comparison]:
    """Estimated tempi beside librosa's."""
    import librosa
    from workbench_metrics.music_analysis import estimate_tempo

    corpus = CONTEXT.build(
        "corpus", "synthetic-music", {"train": 2, "validation": 1, "test": PIECES, "seconds": 10}
    )
    row = Comparison("tempo [a minute]", f"librosa {version('librosa')}")
    row.note = "estimates of pieces; another estimator, no test of ours"
    for example in corpus.examples("test"):
        audio = convert(corpus.audio(example), 22_050, 1)
        heard = librosa.feature.tempo(y=audio.samples[0].numpy(), sr=22_050)
        row.ours[example.id] = estimate_tempo(corpus.audio(example)) or math.nan
        row.theirs[example.id] = float(heard[0])
    return [row]


COMPARISONS = (
    si_sdr, mel, log_spectra, stft, pesq, stoi, pitch, dnsmos, frechet, codes, error_rates, music,
    tempi,
)  # fmt: skip
NONE = (
    "No independent implementation installs from PyPI without a trained model, so none is "
    "compared, for: UTMOS (its tests compute the network by hand from tensors by their published "
    "names), WARP-Q (its authors' own package is what runs, in an environment of its own), speaker "
    "similarity and CLAP score (cosines of two vectors)."
)


def main() -> None:
    """Print the table, and write it where asked to."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="*", default=[], help="names of comparisons")
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    items = recordings()
    rows = []
    for compare in COMPARISONS:
        if arguments.only and compare.__name__ not in arguments.only:
            continue
        try:
            rows += compare(items)
        except ImportError as error:
            rows.append(Comparison(compare.__name__, f"{error.name} is not installed"))
        print(compare.__name__, file=sys.stderr, flush=True)
    table = page(items, rows)
    print(table)
    if arguments.out:
        arguments.out.write_text(table)


def page(items: Sequence[EvaluationItem], rows: Sequence[Comparison]) -> str:
    """The table with how it was made."""
    lines = [
        "# Metrics against their reference implementations",
        "",
        "Measured with `python benchmarks/metric_agreement.py` (extra `agreement`) on "
        f"{len(items)} degraded sentences of the embedded speech at 16 kHz: white noise at 16 dB "
        "below the speech, and a band of 4 kHz. Ours and theirs are means, the difference is the "
        "largest of any item.",
        "",
        "| figure | reference | N | ours | theirs | largest difference | |",
        "|---|---|---|---|---|---|---|",
        *[row.row() for row in rows],
        "",
        NONE,
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
