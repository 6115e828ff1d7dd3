"""What the doctor's looks into a training cost, in one process and in turns.

    python benchmarks/doctor.py [--steps 60] [--threads 1]

Codecs are trained on noise with a look into every other step, so that steps with and without one
take turns and a busy machine slows both. A step is timed from one batch to the next, recording
included. The overhead is that of the default, a look in every ``health_every`` steps.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import torch

from workbench import Context, TrainingSession, TrainingSettings, XCodec, XCodecConfig, load_catalog
from workbench.audio.dataset import Crops
from workbench.codec.config import (
    DecoderConfig,
    DiscriminatorConfig,
    EncoderConfig,
    LossConfig,
    QuantizerConfig,
    SemanticConfig,
)
from workbench.codec.semantic import describe_teacher
from workbench.codec.training import CodecTrainee

SETTINGS = TrainingSettings(batch_size=8, warmup_steps=5, health_every=2)
SECONDS = 1.0
WARM_UP = 8
"""Steps that are not counted."""

MEL = LossConfig(mel=45, stft=0, pqmf=0, adversarial=0, feature_matching=0, semantic=20)
ADVERSARIAL = LossConfig(mel=45)
DISCRIMINATORS = DiscriminatorConfig(frequency_hops=[64, 256], frequency_width=8)
QUANTIZER = QuantizerConfig(codebooks=4, size=256, dim=96, kmeans_step=4, dead_threshold=0.1)
SPECTRAL = XCodecConfig(
    latent_dim=64,
    encoder=EncoderConfig(kind="spectral", width=96, blocks=4, n_fft=640),
    decoder=DecoderConfig(kind="istft", width=96, blocks=4),
    quantizer=QUANTIZER,
    semantic=SemanticConfig(width=96),
)
CONVOLUTIONAL = replace(
    SPECTRAL,
    encoder=EncoderConfig(kind="dac", width=8),
    decoder=DecoderConfig(kind="dac", width=128),
)
CASES: dict[str, tuple[XCodecConfig, bool]] = {
    "spectral, mel loss": (replace(SPECTRAL, losses=MEL), False),
    "spectral, mel loss, MERT": (replace(SPECTRAL, losses=MEL), True),
    "spectral, adversarial": (
        replace(SPECTRAL, losses=ADVERSARIAL, discriminator=DISCRIMINATORS),
        False,
    ),
    "convolutional, adversarial": (
        replace(CONVOLUTIONAL, losses=ADVERSARIAL, discriminator=DISCRIMINATORS),
        False,
    ),
}


def build(config: XCodecConfig, taught: bool) -> XCodec:
    """A codec with random weights, and with the embedded MERT as its teacher or without."""
    torch.manual_seed(0)
    if not taught:
        return XCodec(config)
    teacher = Context(load_catalog(), "cpu", 0).build("semantic_encoder", "mert")
    return XCodec(replace(config, teachers=[describe_teacher("mert", teacher, 1.0)]), [teacher])


def step_times(codec: XCodec, steps: int, folder: Path) -> tuple[list[float], list[float]]:
    """Seconds of steps that are looked into, and of the others."""
    begun: list[float] = []
    samples = round(SECONDS * codec.sample_rate)

    def batches(index: int) -> Crops:
        begun.append(time.perf_counter())
        generator = torch.Generator().manual_seed(index)
        wav = 0.1 * torch.randn(SETTINGS.batch_size, 1, samples, generator=generator)
        places = tuple(range(SETTINGS.batch_size))
        return Crops(wav, places, (0,) * len(places), (samples,) * len(places))

    settings = replace(SETTINGS, steps=steps + WARM_UP + 1)
    TrainingSession(settings, folder, device="cpu").fit(CodecTrainee(codec, settings), batches)
    times = [after - before for before, after in pairwise(begun)][WARM_UP:]
    return times[0::2], times[1::2]


def main() -> None:
    """Print a row for each codec."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    every = TrainingSettings().health_every
    print(f"| codec | step, ms | step with a look, ms | ratio | overhead at 1 in {every} |")
    print("|---|---|---|---|---|")
    for name, (config, taught) in CASES.items():
        with tempfile.TemporaryDirectory() as folder:
            looked, plain = step_times(build(config, taught), options.steps, Path(folder))
        with_look, without = statistics.median(looked), statistics.median(plain)
        ratio = with_look / without
        print(
            f"| {name} | {1e3 * without:.0f} | {1e3 * with_look:.0f} | {ratio:.2f} | "
            f"{(ratio - 1) / every:.1%} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
