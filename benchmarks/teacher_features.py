"""What teacher features cost in codec training, and what they become with the recording around.

The embedded MERT teaches a small X-Codec on synthesised music. Timed in one process, turn by turn:
a training step whose teacher hears each crop, hears the recordings that crops are from, or whose
features are read from the store. Then, over all crops: how far the features of a crop by itself
lie from those of the recording, near the crop's edges and away from them.

    python benchmarks/teacher_features.py [--rounds 8] [--threads 1]
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

from workbench import (
    AudioDataset,
    Catalog,
    Context,
    TrainingSession,
    TrainingSettings,
    XCodec,
    load_catalog,
)
from workbench.audio.dataset import prepare
from workbench.codec.config import TeachingConfig
from workbench.codec.features import write_features
from workbench.codec.fit import crops_of, feature_source
from workbench.codec.training import CodecTrainee

SETTINGS = TrainingSettings(steps=1, batch_size=8, segment_seconds=1.28)
LOSSES = {"stft": 0, "pqmf": 0, "adversarial": 0, "feature_matching": 0, "mel": 45}
CODEC = {
    "weights": "scratch",
    "strides": [8, 5, 4, 4],
    "latent_dim": 96,
    "encoder": {"kind": "spectral", "width": 128, "blocks": 3, "n_fft": 1280},
    "decoder": {"kind": "istft", "width": 160, "blocks": 3, "n_fft": 640},
    "quantizer": {"codebooks": 4, "size": 256, "dim": 96},
    "semantic": {"width": 96},
    "losses": LOSSES,
}
WAYS = {
    "each crop heard": TeachingConfig(),
    "recordings heard": TeachingConfig("recording"),
    "features stored (fp16)": TeachingConfig("recording", "fp16"),
}
EDGE_SECONDS = 0.2


def corpus(catalog: Catalog, folder: Path, rate: int) -> AudioDataset:
    """Twelve pieces of 13 s."""
    options = {"train": 12, "validation": 1, "test": 1}
    music = Context(catalog, "cpu", 0).build("corpus", "synthetic-music", options)
    recordings = ((example, music.audio(example)) for example in music.examples("train"))
    return prepare(folder, recordings, rate, 1, music.fingerprint())


def codec_taught(catalog: Catalog, teaching: TeachingConfig) -> XCodec:
    """A small codec, the same each time but for what its teacher hears."""
    teacher = Context(catalog, "cpu", 0).build("semantic_encoder", "mert")
    context = Context(catalog, "cpu", 0, (("mert", teacher, 1.0),))
    codec: XCodec = context.build("codec", "xcodec", CODEC)
    codec.config.teaching = teaching
    return codec


def training_step(codec: XCodec, data: AudioDataset, folder: Path) -> Callable[[int], None]:
    """One step of training, by its number."""
    stored = None
    if codec.config.teaching.store != "none":
        stored = folder / "features"
        started = time.perf_counter()
        facts = write_features(codec, data, SETTINGS, stored)
        seconds = data.seconds("train")
        speed = seconds / (time.perf_counter() - started)
        print(f"stored: {speed:.0f} s of audio a second, {facts['bytes'] / seconds:.0f} B a second")
    trainee = CodecTrainee(codec, SETTINGS, feature_source(codec, data, SETTINGS, stored))
    batches = crops_of(codec, data, TrainingSession(SETTINGS, folder))

    def optimise(loss: Tensor, name: str) -> Tensor:
        optimizer = trainee.optimizers()[name]
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        return loss.detach()

    def step(number: int) -> None:
        torch.manual_seed(number)
        trainee.step(batches(number), number, optimise)

    return step


def times(catalog: Catalog, data: AudioDataset, folder: Path, rounds: int) -> None:
    """Print the median time of a step in each way, and its share of the first one's."""
    steps = {
        name: training_step(codec_taught(catalog, teaching), data, folder)
        for name, teaching in WAYS.items()
    }
    taken: dict[str, list[float]] = {name: [] for name in steps}
    for number in range(rounds + 1):
        for name, step in steps.items():
            started = time.perf_counter()
            step(number)
            if number:  # the first one warms up
                taken[name].append(time.perf_counter() - started)
    first = statistics.median(taken["each crop heard"])
    for name, seconds in taken.items():
        median = statistics.median(seconds)
        print(f"| {name} | {median * 1000:.0f} ms | {median / first:.2f} |")


@torch.inference_mode()
def distances(catalog: Catalog, data: AudioDataset, folder: Path, rounds: int) -> None:
    """Print the error of crops' features as a share of the features' deviation."""
    codec = codec_taught(catalog, WAYS["recordings heard"])
    whole = feature_source(codec, data, SETTINGS)
    codec.config.teaching = WAYS["each crop heard"]
    alone = feature_source(codec, data, SETTINGS)
    codec.config.teaching = WAYS["recordings heard"]
    batches = crops_of(codec, data, TrainingSession(SETTINGS, folder))
    errors, values = [], []
    for number in range(rounds):
        crops = batches(number)
        values.append(whole(crops)[0])
        errors.append(alone(crops)[0] - values[-1])
    all_values, all_errors = torch.cat(values), torch.cat(errors)
    deviation = all_values.std(dim=(0, 2), keepdim=True)
    profile = (all_errors / deviation).square().mean(dim=(0, 1)).sqrt()
    edge = round(EDGE_SECONDS * codec.frame_rate)
    middle = profile[edge:-edge].square().mean().sqrt()
    rim = torch.cat([profile[:edge], profile[-edge:]]).square().mean().sqrt()
    cosine = torch.cosine_similarity(all_values, all_values + all_errors, dim=1).mean()
    print(f"| within {EDGE_SECONDS} s of a crop's edges | {rim:.2f} |")
    print(f"| away from them | {middle:.2f} |")
    print(f"| cosine, all frames | {cosine:.3f} |")


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    catalog = load_catalog()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        rate = codec_taught(catalog, TeachingConfig()).sample_rate
        data = corpus(catalog, folder / "data", rate)
        times(catalog, data, folder, arguments.rounds)
        distances(catalog, data, folder, arguments.rounds)


if __name__ == "__main__":
    main()
