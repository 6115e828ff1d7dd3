"""HuBERT and WavLM: features equal to transformers' own, weights from every place, training."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import HubertForCTC, HubertModel, WavLMModel
from workbench_hubert.encoder import HUBERT, WAVLM, Family, SpeechEncoder, build_encoder
from workbench_hubert.plugin import SpeechEncoderOptions, SpeechEncoderSize, SpeechPretraining

from tests.plugins.encoder_checks import (
    HUBERT_LENGTHS,
    check_encoder,
    check_resumed_training,
    hubert_frames,
    noise,
    prepare_tones,
    session,
)
from workbench import RecipeError, WeightsError

TINY = SpeechEncoderSize(
    hidden=32, layers=2, heads=2, feed_forward=48, convolution=16, position_kernel=16
)
pytestmark = pytest.mark.usefixtures("short_clustering")
FAMILIES = pytest.mark.parametrize("family", [HUBERT, WAVLM], ids=["hubert", "wavlm"])


def make(family: Family, seed: int = 0, **options: Any) -> SpeechEncoder:
    return build_encoder(family, SpeechEncoderOptions(**{"size": TINY, **options}), seed)


def saved_by_transformers(folder: Path, model: Any, normalize: bool | None = None) -> Path:
    model.save_pretrained(folder)
    if normalize is not None:
        config = {"do_normalize": normalize, "sampling_rate": 16000}
        (folder / "preprocessor_config.json").write_text(json.dumps(config))
    return folder


@FAMILIES
def test_contract(family: Family) -> None:
    encoder = make(family, weights="random")
    assert (encoder.sample_rate, encoder.frame_rate, encoder.dim) == (16000, 50.0, 32)
    check_encoder(encoder, hubert_frames, HUBERT_LENGTHS)


@FAMILIES
@pytest.mark.parametrize("pickled", [False, True], ids=["safetensors", "bin"])
@torch.no_grad()
def test_features_are_the_mean_over_transformers_hidden_states(
    family: Family, pickled: bool, tmp_path: Path
) -> None:
    model = make(family, weights="random").encoder.model
    saved_by_transformers(tmp_path, model)
    if pickled:
        (tmp_path / "model.safetensors").unlink()
        torch.save(model.state_dict(), tmp_path / "pytorch_model.bin")
    wav = noise(2, 4000)
    reference = {HUBERT: HubertModel, WAVLM: WavLMModel}[family]
    theirs = reference.from_pretrained(make_loadable(tmp_path, pickled, model)).eval()
    states = theirs(wav, output_hidden_states=True).hidden_states
    assert len(states) == 3
    ours = make(family, weights=str(tmp_path))(wav)
    torch.testing.assert_close(ours, torch.stack(states).mean(0).mT, rtol=1e-5, atol=1e-6)
    first_and_last = make(family, weights=str(tmp_path), layers=[0, -1])(wav)
    expected = (states[0] + states[2]).mT / 2
    torch.testing.assert_close(first_and_last, expected, rtol=1e-5, atol=1e-6)


def make_loadable(folder: Path, pickled: bool, model: Any) -> Path:
    """Where transformers itself can load the same weights: it may refuse pickles."""
    return saved_by_transformers(folder / "theirs", model) if pickled else folder


@torch.no_grad()
def test_last_state_of_a_pre_norm_model_is_its_output(tmp_path: Path) -> None:
    config = make(HUBERT, weights="random").encoder.model.config
    config.do_stable_layer_norm = True
    model = HubertModel(config).eval()
    saved_by_transformers(tmp_path, model)
    wav = noise(1, 4000)
    encoder = make(HUBERT, weights=str(tmp_path), layers=[-1])
    torch.testing.assert_close(encoder(wav), model(wav).last_hidden_state.mT)


@torch.no_grad()
def test_normalisation_follows_the_checkpoint_unless_told(tmp_path: Path) -> None:
    model = make(HUBERT, weights="random").encoder.model
    wav = noise(2, 4000) * torch.tensor([[1.0], [5.0]]) + 0.3
    scaled = (wav - wav.mean(1, keepdim=True)) / wav.std(1, keepdim=True, unbiased=False)
    asked = str(saved_by_transformers(tmp_path / "asked", model, normalize=True))
    plain = str(saved_by_transformers(tmp_path / "plain", model))
    raw, normalised = make(HUBERT, weights=plain)(wav), make(HUBERT, weights=plain)(scaled)
    assert float((raw - normalised).abs().max()) > 1e-3
    close = partial(torch.testing.assert_close, rtol=1e-3, atol=1e-4)
    close(make(HUBERT, weights=asked)(wav), normalised)
    close(make(HUBERT, weights=plain, normalize="on")(wav), normalised)
    assert torch.equal(make(HUBERT, weights=asked, normalize="off")(wav), raw)


@torch.no_grad()
def test_encoder_of_a_task_model(tmp_path: Path) -> None:
    config = make(HUBERT, weights="random").encoder.model.config
    model = HubertForCTC(config).eval()
    saved_by_transformers(tmp_path, model)
    wav = noise(1, 4000)
    expected = model.hubert(wav).last_hidden_state.mT
    torch.testing.assert_close(make(HUBERT, weights=str(tmp_path), layers=[2])(wav), expected)


@FAMILIES
@torch.no_grad()
def test_saved_weights_give_the_same_features(family: Family, tmp_path: Path) -> None:
    encoder = make(family, weights="random", normalize="on")
    encoder.save(tmp_path / "full")
    encoder.save(tmp_path / "half", half=True)
    wav = noise(2, 4000)
    full, half = (make(family, weights=str(tmp_path / name)) for name in ("full", "half"))
    assert torch.equal(full(wav), encoder(wav))
    assert {p.dtype for p in half.parameters()} == {torch.float32}
    torch.testing.assert_close(half(wav), encoder(wav), rtol=0.02, atol=0.02)
    sizes = [(tmp_path / name / "model.safetensors").stat().st_size for name in ("full", "half")]
    assert sizes[1] < 0.6 * sizes[0]


def test_random_weights_depend_on_the_seed_alone() -> None:
    torch.manual_seed(5)
    before = torch.get_rng_state()
    one, same, other = (make(WAVLM, seed, weights="random").state_dict() for seed in (1, 1, 2))
    assert torch.equal(before, torch.get_rng_state())
    assert all(torch.equal(one[name], same[name]) for name in one)
    assert any(not torch.equal(one[name], other[name]) for name in one)


def test_misfitting_weights_are_named(tmp_path: Path) -> None:
    model = make(HUBERT, weights="random").encoder.model
    saved_by_transformers(tmp_path, model)
    (tmp_path / "model.safetensors").unlink()
    state = model.state_dict()
    state["quantizer.weight"] = state.pop("feature_projection.projection.bias")
    torch.save(state, tmp_path / "pytorch_model.bin")
    with pytest.raises(WeightsError) as error:
        make(HUBERT, weights=str(tmp_path))
    assert "missing 1 tensors: feature_projection.projection.bias" in str(error.value)
    assert "unexpected 1 tensors: quantizer.weight" in str(error.value)


def test_the_other_family_is_refused(tmp_path: Path) -> None:
    make(WAVLM, weights="random").save(tmp_path)
    with pytest.raises(WeightsError, match="a wavlm model, not a hubert"):
        make(HUBERT, weights=str(tmp_path))


def test_wrong_options_are_named() -> None:
    with pytest.raises(ValueError, match="layers = 'maen': must be 'mean'"):
        SpeechEncoderOptions(layers="maen")
    with pytest.raises(ValueError, match="heads = 5: must divide hidden = 192"):
        SpeechEncoderSize(heads=5)
    with pytest.raises(RecipeError, match=r"no hidden states \[3\]; give .* from -3 to 2"):
        make(HUBERT, weights="random", layers=[0, 3])


@FAMILIES
def test_training_resumes_exactly_in_both_rounds(family: Family, tmp_path: Path) -> None:
    pretraining = SpeechPretraining(
        clusters=8,
        second_round=0.5,
        second_round_layer=1,
        variety=1.0,
        reverberation=0.5,
        overlap=0.5,
        spectrum_weight=1.0,
    )
    build = partial(make, family, weights="random", pretraining=pretraining)
    check_resumed_training(build, tmp_path, [("first", 1), ("second", 0)], steps=4)


def test_training_predicts_hidden_units(tmp_path: Path) -> None:
    """Units that alternate regularly are learnt from the frames around the hidden ones."""
    losses: list[float] = []
    pretraining = SpeechPretraining(clusters=4, second_round=0.0)
    encoder = make(HUBERT, weights="random", pretraining=pretraining)
    run = session(tmp_path / "run", 50, batch_size=8)
    run.listeners = (lambda _phase, _step, scalars: losses.append(scalars["masked_units"]),)
    encoder.pretrain(prepare_tones(tmp_path / "data"), run)
    assert sum(losses[-10:]) < 0.8 * sum(losses[:10])


def test_the_first_round_predicts_the_clean_spectrum_too_where_asked(tmp_path: Path) -> None:
    errors: list[float] = []
    phases: set[str] = set()
    pretraining = SpeechPretraining(
        clusters=4, second_round=0.2, second_round_layer=1, spectrum_weight=2.0
    )
    encoder = make(HUBERT, weights="random", pretraining=pretraining)
    run = session(tmp_path / "run", 50, batch_size=8)

    def note(phase: str, _step: int, scalars: Mapping[str, float]) -> None:
        if "masked_spectrum" in scalars:
            errors.append(scalars["masked_spectrum"])
            phases.add(phase)

    run.listeners = (note,)
    encoder.pretrain(prepare_tones(tmp_path / "data"), run)
    assert sum(errors[-10:]) < 0.8 * sum(errors[:10])
    assert phases == {"first"}


def test_crops_with_much_silence_are_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    data = prepare_tones(tmp_path / "data")  # pieces of 3 s
    pretraining = SpeechPretraining(clusters=4, second_round=0.0)
    for seconds, told in ((3.0, False), (4.0, True)):
        run = session(tmp_path / str(seconds), 1)
        run.settings = replace(run.settings, segment_seconds=seconds)
        caplog.clear()
        make(HUBERT, weights="random", pretraining=pretraining).pretrain(data, run)
        assert ("only 75 % of the crops is audio" in caplog.text) is told


@FAMILIES
@torch.no_grad()
def test_the_embedded_model_is_shipped_and_hears(family: Family) -> None:
    encoder = build_encoder(family, SpeechEncoderOptions(), 0)
    features = encoder(noise(2, 16000))
    assert features.shape == (2, 192, 49)
    spread = features.std(dim=2).mean()
    assert spread > 0.05 * features.std()  # frames of noise differ from one another
