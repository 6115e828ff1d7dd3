"""MERT: checkpoints with remote code, constant-Q input and teacher, training, quality probes."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from transformers import HubertConfig, HubertModel
from workbench_mert.encoder import MertEncoder, build_encoder
from workbench_mert.plugin import MertOptions, MertPretraining, MertSize
from workbench_mert.quality import measure_quality
from workbench_mert.spectra import LOWEST_NOTE, Chroma, ConstantQ

from tests.plugins.encoder_checks import (
    HUBERT_LENGTHS,
    check_encoder,
    check_resumed_training,
    hubert_frames,
    noise,
    prepare_tones,
    session,
)
from workbench import (
    Audio,
    AudioDataset,
    Example,
    FrameGrid,
    LogMelFrames,
    RecipeError,
    WeightsError,
)
from workbench.audio.dataset import prepare

pytestmark = pytest.mark.usefixtures("short_clustering")

TINY = MertSize(hidden=32, layers=2, heads=2, feed_forward=48, convolution=16, position_kernel=16)
PLAIN = MertSize(
    hidden=32,
    layers=2,
    heads=2,
    feed_forward=48,
    convolution=16,
    position_kernel=16,
    spectral_input=False,
)
GRID = FrameGrid(24_000, 320, 400)


def make(seed: int = 0, **options: Any) -> MertEncoder:
    return build_encoder(MertOptions(**{"size": TINY, **options}), seed)


@pytest.mark.parametrize("size", [TINY, PLAIN], ids=["constant-q", "convolutions"])
def test_contract(size: MertSize) -> None:
    encoder = make(weights="random", size=size)
    assert (encoder.sample_rate, encoder.frame_rate, encoder.dim) == (24000, 75.0, 32)
    check_encoder(encoder, hubert_frames, HUBERT_LENGTHS)


def test_embedded_default_loads_in_full_precision() -> None:
    encoder = make(weights="embedded")
    check_encoder(encoder, hubert_frames, [24_000])
    assert {parameter.dtype for parameter in encoder.parameters()} == {torch.float32}


def published(folder: Path, model: HubertModel, **options: Any) -> Path:
    """A checkpoint as MERT's authors publish it: own model type, code beside it, an old pickle."""
    folder.mkdir()
    config = {
        **{k: v for k, v in model.config.to_dict().items() if k not in ("dtype", "architectures")},
        "architectures": ["MERTModel"],
        "auto_map": {
            "AutoConfig": "configuration_MERT.MERTConfig",
            "AutoModel": "modeling_MERT.MERTModel",
        },
        "model_type": "mert_model",
        "sample_rate": 24000,
        "feature_extractor_cqt": False,
        "feature_extractor_cqt_bins": 336,
        "deepnorm": False,
        "attention_relax": -1.0,
        "torch_dtype": "float32",
        **options,
    }
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "preprocessor_config.json").write_text('{"do_normalize": true}')
    code = f"open({str(folder / 'ran')!r}, 'w').close()\n"
    for name in ("modeling_MERT.py", "configuration_MERT.py"):
        (folder / name).write_text(code)
    convolution = "encoder.pos_conv_embed.conv."
    old_names = {
        f"{convolution}parametrizations.weight.original0": f"{convolution}weight_g",
        f"{convolution}parametrizations.weight.original1": f"{convolution}weight_v",
    }
    state = {old_names.get(name, name): value for name, value in model.state_dict().items()}
    torch.save(state, folder / "pytorch_model.bin")
    return folder


@torch.no_grad()
def test_published_checkpoint_loads_without_running_its_code(tmp_path: Path) -> None:
    model = make(weights="random", size=PLAIN).encoder.model
    assert isinstance(model, HubertModel)
    folder = published(tmp_path / "mert", model, attention_relax=32.0)
    wav = noise(2, 6000)
    encoder = make(weights=str(folder))
    assert encoder.sample_rate == 24000
    normal = (wav - wav.mean(1, keepdim=True)) / wav.std(1, keepdim=True, unbiased=False)
    states = model(normal, output_hidden_states=True).hidden_states
    torch.testing.assert_close(encoder(wav), torch.stack(states).mean(0).mT, rtol=1e-4, atol=1e-5)
    assert not (folder / "ran").exists()


@pytest.mark.parametrize("option", ["feature_extractor_cqt", "deepnorm"])
def test_unsupported_variants_are_refused_by_name(tmp_path: Path, option: str) -> None:
    model = HubertModel(make(weights="random", size=PLAIN).encoder.model.config)
    folder = published(tmp_path / "mert", model, **{option: True})
    with pytest.raises(WeightsError, match=f"config.json sets {option} "):
        make(weights=str(folder))


def test_a_configuration_that_is_none_is_refused(tmp_path: Path) -> None:
    model = HubertModel(make(weights="random", size=PLAIN).encoder.model.config)
    folder = published(tmp_path / "mert", model, conv_kernel=[10, 3])
    with pytest.raises(WeightsError, match=r"config\.json is no hubert's"):
        make(weights=str(folder))


@torch.no_grad()
def test_saved_weights_give_the_same_features(tmp_path: Path) -> None:
    wav = noise(2, 6000)
    for name, size in (("constant-q", TINY), ("plain", PLAIN)):
        encoder = make(weights="random", size=size)
        encoder.save(tmp_path / name)
        assert torch.equal(make(weights=str(tmp_path / name))(wav), encoder(wav))
    theirs = HubertModel.from_pretrained(tmp_path / "plain").eval()
    assert isinstance(theirs.config, HubertConfig)
    last = make(weights=str(tmp_path / "plain"), layers=[-1])(wav)
    torch.testing.assert_close(last, theirs(wav).last_hidden_state.mT, rtol=1e-4, atol=1e-5)


def tone(frequency: float, seconds: float = 1.0) -> Tensor:
    time = torch.arange(round(seconds * 24_000)) / 24_000
    return torch.sin(2 * math.pi * frequency * time)[None]


@pytest.mark.parametrize("note", [12, 33, 57, 83])
def test_constant_q_tells_notes(note: int) -> None:
    """A full-scale sine at a bin's frequency gives that bin, and only that, a magnitude of 1/2."""
    frame = ConstantQ(GRID)(tone(LOWEST_NOTE * 2 ** (note / 12)), 74)[0, 37].exp()
    assert int(frame.argmax()) == note
    assert float(frame[note]) == pytest.approx(0.5, abs=0.01)
    distant = torch.cat([frame[: note - 2], frame[note + 3 :]])
    assert float(distant.max()) < 0.03


def test_chroma_ignores_octave_and_loudness() -> None:
    chroma = Chroma(ConstantQ(GRID))
    high, low = chroma(tone(440.0), 74)[0, 37], chroma(0.1 * tone(110.0), 74)[0, 37]
    assert int(high.argmax()) == int(low.argmax()) == 9  # A
    torch.testing.assert_close(high, low, rtol=0, atol=0.08)
    assert float(high.sum()) == pytest.approx(1.0)


@torch.no_grad()
def test_spectral_input_hears_pitch_at_once() -> None:
    """Untrained, a linear map of its frames tells semitones that convolutions alone don't."""
    tones = torch.cat([tone(220.0 * 2 ** (step / 12)) for step in range(4)])
    distances = {}
    for name, size in (("constant-q", TINY), ("convolutions", PLAIN)):
        middle = make(weights="random", size=size, layers=[0])(tones)[:, :, 30:45].mean(dim=2)
        within = make(weights="random", size=size, layers=[0])(tones)[:, :, 30:45].std(dim=2).mean()
        distances[name] = float(torch.pdist(middle).mean() / within)
    assert distances["constant-q"] > 2 * distances["convolutions"]


@pytest.mark.parametrize("size", [TINY, PLAIN], ids=["constant-q", "convolutions"])
def test_training_resumes_exactly_in_both_rounds(size: MertSize, tmp_path: Path) -> None:
    pretraining = MertPretraining(
        clusters=8, chroma_clusters=4, second_round=0.5, second_round_layer=1
    )
    build = partial(make, weights="random", size=size, pretraining=pretraining)
    check_resumed_training(build, tmp_path, [("first", 1), ("second", 0)], steps=4)


@pytest.mark.parametrize(
    ("options", "logged"),
    [
        ({}, {"masked_units", "masked_chroma", "masked_spectrum", "loss"}),
        ({"chroma_clusters": 0}, {"masked_units", "masked_spectrum", "loss"}),
        ({"spectrum_weight": 0.0, "variety": 0.0}, {"masked_units", "masked_chroma", "loss"}),
    ],
)
def test_teachers_follow_the_options(
    options: dict[str, Any], logged: set[str], tmp_path: Path
) -> None:
    seen: list[set[str]] = []
    pretraining = MertPretraining(clusters=8, **{"chroma_clusters": 4, **options})
    run = session(tmp_path / "run", 1)
    run.settings.health_every = 0  # the doctor's looks are logged too
    run.listeners = (lambda _phase, _step, scalars: seen.append(set(scalars)),)
    encoder = make(weights="random", pretraining=pretraining)
    encoder.pretrain(prepare_tones(tmp_path / "data"), run)
    assert seen == [logged]


def test_wrong_training_options_are_named_before_any_step(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"second_round = 1\.5: must be in \[0, 1\]"):
        MertPretraining(second_round=1.5)
    with pytest.raises(ValueError, match="mask_span = 0: must be at least 1"):
        MertPretraining(mask_span=0)
    pretraining = MertPretraining(second_round=0.5, second_round_layer=3)
    encoder = make(weights="random", pretraining=pretraining)
    with pytest.raises(RecipeError, match="second_round_layer = 3: must be 0 to 2"):
        encoder.pretrain(prepare_tones(tmp_path / "data"), session(tmp_path / "run", 2))
    assert not (tmp_path / "run").exists()


def test_training_predicts_the_hidden_spectrum(tmp_path: Path) -> None:
    """Predicting each band's mean scores 1; what surrounds the hidden frames tells more."""
    losses: list[float] = []
    pretraining = MertPretraining(clusters=4, chroma_clusters=0, variety=0.0, mask_span=8)
    run = session(tmp_path / "run", 80, batch_size=4)
    run.listeners = (lambda _phase, _step, scalars: losses.append(scalars["masked_spectrum"]),)
    encoder = make(weights="random", pretraining=pretraining)
    encoder.pretrain(prepare_tones(tmp_path / "data"), run)
    assert sum(losses[-20:]) / 20 < 0.75


class Features(nn.Module):
    """A function of (audio, frames) as an encoder."""

    sample_rate, frame_rate = 24_000, 75.0

    def __init__(self, features: nn.Module, dim: int) -> None:
        super().__init__()
        self.features = features
        self.dim = dim

    def forward(self, wav: Tensor) -> Tensor:
        features: Tensor = self.features(wav, hubert_frames(wav.shape[-1]))
        return features.mT


class Silence(nn.Module):
    def forward(self, wav: Tensor, frames: int) -> Tensor:
        return torch.zeros(len(wav), frames, 8)


def scored_tones(folder: Path) -> AudioDataset:
    """Two seconds of two chords a piece, each chord sounding as one tone of its own."""

    def recordings() -> Iterable[tuple[Example, Audio]]:
        for index in range(12):
            roots = (index % 4, (index + 1) % 4)
            chords = [
                {"start": float(i), "end": i + 1.0, "root": root, "quality": "major"}
                for i, root in enumerate(roots)
            ]
            notes = [[float(i), 0.5, 60 + root, "melody"] for i, root in enumerate(roots)]
            details = {"chords": chords, "notes": notes, "instruments": {"melody": "flute"}}
            wav = torch.cat([tone(440.0 * 2 ** (root / 4)) for root in roots], dim=1)
            split = "train" if index < 8 else "test"
            yield Example(f"{index}", split, details=details), Audio(wav * 0.3, 24_000)

    return prepare(folder, recordings(), 24_000, 1, "scored")


def test_quality_tells_features_that_hold_the_score_from_those_that_do_not(tmp_path: Path) -> None:
    data = scored_tones(tmp_path)
    mel = LogMelFrames(GRID)
    good = measure_quality(Features(mel, mel.dim), data)
    empty = measure_quality(Features(Silence(), 8), data)
    assert good.frames == empty.frames == 4 * hubert_frames(48_000)
    assert good.accuracy["chord"] > 0.97
    assert good.accuracy["melody pitch class"] > 0.97
    assert good.chord_purity > 0.9
    assert empty.accuracy["chord"] <= empty.chance["chord"] + 1e-9
    assert empty.chord_purity == pytest.approx(0.0, abs=1e-6)
    assert good.chance["chord"] == pytest.approx(0.25, abs=0.02)
