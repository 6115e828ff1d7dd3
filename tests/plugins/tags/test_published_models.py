"""PANNs' CNN14 and VGGish: checkpoints with the published names, and the published arithmetic."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional as F
from workbench_tags.panns import class_names, load_panns
from workbench_tags.plugin import PannsOptions, VggishOptions
from workbench_tags.vggish import load_vggish, mel_matrix

from workbench import SemanticEncoder, Tagger, WeightsError

WIDE = 32 * 2  # CNN14's last width at 2 channels


def noise(samples: int, seed: int = 0) -> torch.Tensor:
    return 0.1 * torch.randn(1, samples, generator=torch.Generator().manual_seed(seed))


def cnn14_state(window: int = 1024, classes: int = 5) -> dict[str, torch.Tensor]:
    """Random tensors under the names of the published checkpoints."""
    generator = torch.Generator().manual_seed(1)

    def draw(*shape: int) -> torch.Tensor:
        return 0.2 * torch.randn(shape, generator=generator)

    def norm(name: str, size: int) -> dict[str, torch.Tensor]:
        return {
            f"{name}.weight": 1 + draw(size),
            f"{name}.bias": draw(size),
            f"{name}.running_mean": draw(size),
            f"{name}.running_var": 1 + draw(size).abs(),
            f"{name}.num_batches_tracked": torch.tensor(7),
        }

    n = torch.arange(window, dtype=torch.float64)
    turn = -2 * torch.pi * torch.outer(torch.arange(window // 2 + 1, dtype=torch.float64), n)
    hann = 0.5 - 0.5 * torch.cos(2 * torch.pi * n / window)
    state = {
        "spectrogram_extractor.stft.conv_real.weight": (turn / window).cos() * hann,
        "spectrogram_extractor.stft.conv_imag.weight": (turn / window).sin() * hann,
        "logmel_extractor.melW": draw(window // 2 + 1, 64).abs(),
        **norm("bn0", 64),
        "fc1.weight": draw(WIDE, WIDE), "fc1.bias": draw(WIDE),
        "fc_audioset.weight": draw(classes, WIDE), "fc_audioset.bias": draw(classes),
    }  # fmt: skip
    for number in range(6):
        before, after = (1 if number == 0 else 2**number), 2 ** (number + 1)
        for which, width in (("1", before), ("2", after)):
            block = f"conv_block{number + 1}"
            state[f"{block}.conv{which}.weight"] = draw(after, width, 3, 3)
            state |= norm(f"{block}.bn{which}", after)
    return {
        name: (value.float()[:, None] if ".stft." in name else value)
        for name, value in state.items()
    }


def published_forward(state: dict[str, torch.Tensor], wav: torch.Tensor) -> torch.Tensor:
    """CNN14's class scores, step by step as published, with the spectrum by convolutions."""

    def norm(x: torch.Tensor, name: str) -> torch.Tensor:
        parts = (f"{name}.running_mean", f"{name}.running_var", f"{name}.weight", f"{name}.bias")
        return F.batch_norm(x, *(state[part] for part in parts), training=False)

    padded = F.pad(wav[:, None], (512, 512), mode="reflect")
    real, imaginary = (
        F.conv1d(padded, state[f"spectrogram_extractor.stft.conv_{part}.weight"], stride=320)
        for part in ("real", "imag")
    )
    power = (real**2 + imaginary**2).transpose(1, 2)
    x = 10 * torch.log10((power @ state["logmel_extractor.melW"]).clamp(min=1e-10))[:, None]
    x = norm(x.transpose(1, 3), "bn0").transpose(1, 3)
    for number in range(6):
        for which in ("1", "2"):
            block = f"conv_block{number + 1}"
            x = F.conv2d(x, state[f"{block}.conv{which}.weight"], padding=1)
            x = F.relu(norm(x, f"{block}.bn{which}"))
        x = F.avg_pool2d(x, (2, 2) if number < 5 else (1, 1))
    x = x.mean(dim=3)
    x = x.max(dim=2).values + x.mean(dim=2)
    x = F.relu(F.linear(x, state["fc1.weight"], state["fc1.bias"]))
    return F.linear(x, state["fc_audioset.weight"], state["fc_audioset.bias"])


@torch.no_grad()
def test_cnn14_says_what_the_published_arithmetic_does(tmp_path: Path) -> None:
    path = tmp_path / "Cnn14.pth"
    state = cnn14_state()
    torch.save({"iteration": 5, "model": state}, path)
    model = load_panns(PannsOptions(weights=str(path)), seed=0)
    assert isinstance(model, Tagger)
    assert isinstance(model, SemanticEncoder)
    assert (model.sample_rate, model.dim, len(model.classes)) == (32_000, WIDE, 5)
    wav = noise(64_000)
    wanted = published_forward(state, wav)[0]
    torch.testing.assert_close(model.classify(wav[0]), wanted.softmax(dim=0), rtol=1e-3, atol=1e-4)
    tags = model.tag(wav[0])
    assert tags.shape == (4, 5)
    middle = published_forward(state, F.pad(wav, (24_000, 0))[:, 16_000:80_000])[0]
    torch.testing.assert_close(tags[1], middle.sigmoid(), rtol=1e-3, atol=1e-4)


@torch.no_grad()
def test_cnn14_hears_long_and_short_audio_in_clips_of_ten_seconds(tmp_path: Path) -> None:
    path = tmp_path / "Cnn14_16k.pth"
    torch.save(cnn14_state(window=512), path)
    model = load_panns(PannsOptions(weights=str(path)), seed=0)
    assert model.sample_rate == 16_000
    assert model(noise(25 * 16_000)).shape == (1, WIDE, 3)
    assert model(noise(1)).shape == (1, WIDE, 1)
    assert model.tag(noise(1)[0]).shape == (1, 5)


def test_classes_are_named_by_audiosets_table(tmp_path: Path) -> None:
    table = tmp_path / "class_labels_indices.csv"
    table.write_text('index,mid,display_name\n0,/m/1,Speech\n1,/m/2,"Bark, bow-wow"\n')
    assert class_names(table, 2) == ["Speech", "Bark, bow-wow"]
    with pytest.raises(WeightsError, match="2 classes, the model has 3"):
        class_names(table, 3)
    with pytest.raises(WeightsError, match="no table of classes"):
        class_names(tmp_path / "none.csv", 2)
    assert class_names(None, 2) == ["class 0", "class 1"]


def vggish_state() -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(2)

    def draw(*shape: int) -> torch.Tensor:
        return 0.2 * torch.randn(shape, generator=generator)

    state, before = {}, 1
    for place, after in zip((0, 3, 6, 8, 11, 13), (2, 3, 4, 4, 5, 5), strict=True):
        state |= {f"features.{place}.weight": draw(after, before, 3, 3),
                  f"features.{place}.bias": draw(after)}  # fmt: skip
        before = after
    sizes = (5 * 6 * 4, 7, 6, 3)
    for place, (one, two) in zip((0, 2, 4), pairwise(sizes), strict=True):
        state |= {f"embeddings.{place}.weight": draw(two, one),
                  f"embeddings.{place}.bias": draw(two)}  # fmt: skip
    return {**state, "pproc.pca_means": draw(3, 1)}


def published_vggish(state: dict[str, torch.Tensor], wav: np.ndarray) -> torch.Tensor:
    """One example's embedding, before the last activation, in AudioSet's own terms."""
    window = 0.5 - 0.5 * np.cos(2 * np.pi / 400 * np.arange(400))
    frames = np.stack([wav[160 * k : 160 * k + 400] for k in range(96)])
    spectra = np.abs(np.fft.rfft(frames * window, 512))
    hertz = np.linspace(0, 8000, 257)
    to_mel = lambda f: 1127 * np.log(1 + f / 700)  # noqa: E731
    edges = np.linspace(to_mel(125), to_mel(7500), 66)
    filters = np.zeros((257, 64))
    for band in range(64):
        low, centre, high = edges[band : band + 3]
        slopes = (to_mel(hertz) - low) / (centre - low), (high - to_mel(hertz)) / (high - centre)
        filters[:, band] = np.maximum(0, np.minimum(*slopes))
    filters[0] = 0
    np.testing.assert_allclose(mel_matrix().numpy(), filters, atol=1e-5)
    x = torch.from_numpy(np.log(spectra @ filters + 0.01)).float()[None, None]
    for place in (0, 3, 6, 8, 11, 13):
        x = F.relu(F.conv2d(x, state[f"features.{place}.weight"],
                            state[f"features.{place}.bias"], padding=1))  # fmt: skip
        if place in (0, 3, 8, 13):
            x = F.max_pool2d(x, 2)
    x = x.transpose(1, 3).transpose(1, 2).reshape(1, -1)
    for place in (0, 2, 4):
        x = F.linear(x, state[f"embeddings.{place}.weight"], state[f"embeddings.{place}.bias"])
        x = F.relu(x) if place < 4 else x
    return x[0]


@torch.no_grad()
def test_vggish_embeds_as_published(tmp_path: Path) -> None:
    path = tmp_path / "vggish.pth"
    state = vggish_state()
    torch.save(state, path)
    model = load_vggish(VggishOptions(weights=str(path)), seed=0)
    assert isinstance(model, SemanticEncoder)
    assert (model.dim, model.sample_rate) == (3, 16_000)
    wav = noise(2 * 96 * 160 + 400)
    got = model(wav)
    assert got.shape == (1, 3, 2)
    for example in range(2):
        start = example * 96 * 160
        wanted = published_vggish(state, wav[0, start:].double().numpy())
        torch.testing.assert_close(got[0, :, example], wanted, rtol=1e-3, atol=1e-4)
    rectified = load_vggish(VggishOptions(weights=str(path), activation=True), seed=0)
    torch.testing.assert_close(rectified(wav), F.relu(got))
    assert model(noise(10)).shape == (1, 3, 1)


@pytest.mark.parametrize("kind", ["panns", "vggish"])
def test_another_checkpoint_is_named(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "other.pth"
    torch.save({"weight": torch.zeros(2)}, path)
    load = {
        "panns": lambda p: load_panns(PannsOptions(weights=p), 0),
        "vggish": lambda p: load_vggish(VggishOptions(weights=p), 0),
    }[kind]
    with pytest.raises(WeightsError, match=r"is missing.*give the path"):
        load(str(path))
    with pytest.raises(WeightsError, match="no such file"):
        load(str(tmp_path / "absent.pth"))
