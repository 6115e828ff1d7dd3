"""UTMOS computes what the published weights mean, whatever their size."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from workbench_quality.utmos import Utmos, load_utmos

from tests.plugins.quality import made
from workbench import ModelAbsent, WeightsError

STRIDES = (5, 2, 2, 2, 2, 2, 2)


def by_hand(t: dict[str, torch.Tensor], wav: torch.Tensor) -> torch.Tensor:
    """The score of audio ``[1, T]``, computed from tensors by their published names alone."""
    x = wav[:, None]
    for number, stride in enumerate(STRIDES):
        name = f"wav2vec2.feature_extractor.conv_layers.{number}"
        x = F.conv1d(x, t[f"{name}.0.weight"], stride=stride)
        if number == 0:
            x = F.group_norm(x, x.shape[1], t[f"{name}.2.weight"], t[f"{name}.2.bias"])
        x = F.gelu(x)
    x = norm(t, "wav2vec2.layer_norm", x.transpose(1, 2))
    x = linear(t, "wav2vec2.post_extract_proj", x)
    g, v = (t[f"wav2vec2.encoder.pos_conv.0.weight_{part}"] for part in "gv")
    kernel = g * v / v.pow(2).sum(dim=(0, 1), keepdim=True).sqrt()
    bias = t["wav2vec2.encoder.pos_conv.0.bias"]
    place = F.conv1d(x.transpose(1, 2), kernel, bias, padding=kernel.shape[-1] // 2, groups=16)
    x = norm(t, "wav2vec2.encoder.layer_norm", x + F.gelu(place[..., :-1]).transpose(1, 2))
    for number in range(made.LAYERS):
        x = layer(t, f"wav2vec2.encoder.layers.{number}", x)
    listener = torch.cat([t["domain_emb"], t["judge_emb"]], dim=-1).expand(1, x.shape[1], -1)
    x = torch.cat([x, listener], dim=-1)
    x = torch.cat([recur(t, "", x), recur(t, "_reverse", x.flip(1)).flip(1)], dim=-1)
    x = linear(t, "projection.2", F.relu(linear(t, "projection.0", x)))
    return x.mean() * 2 + 3


def layer(t, name, x):
    """One transformer layer, normalised after each of its halves."""
    q, k, v = (linear(t, f"{name}.self_attn.{part}_proj", x) for part in "qkv")
    weights = (q @ k.transpose(1, 2) / math.sqrt(made.WIDTH)).softmax(dim=-1)
    x = norm(
        t, f"{name}.self_attn_layer_norm", x + linear(t, f"{name}.self_attn.out_proj", weights @ v)
    )
    inner = linear(t, f"{name}.fc2", F.gelu(linear(t, f"{name}.fc1", x)))
    return norm(t, f"{name}.final_layer_norm", x + inner)


def recur(t, suffix, x):
    """One direction of the LSTM."""
    (w, u), (b, c) = (
        [t[f"blstm.{kind}_{part}_l0{suffix}"] for part in ("ih", "hh")]
        for kind in ("weight", "bias")
    )
    hidden = cell = torch.zeros(1, made.LSTM)
    found = []
    for frame in x.unbind(1):
        i, f, g, o = (frame @ w.T + b + hidden @ u.T + c).chunk(4, dim=-1)
        cell = f.sigmoid() * cell + i.sigmoid() * g.tanh()
        hidden = o.sigmoid() * cell.tanh()
        found.append(hidden)
    return torch.stack(found, dim=1)


def linear(t, name, x):
    return F.linear(x, t[f"{name}.weight"], t[f"{name}.bias"])


def norm(t, name, x):
    return F.layer_norm(x, x.shape[-1:], t[f"{name}.weight"], t[f"{name}.bias"])


def test_it_computes_what_the_published_names_mean(voice):
    tensors = made.utmos_tensors()
    model = load_utmos(tensors, "made").eval()
    wav = voice(0.7)[None]
    with torch.inference_mode():
        assert model(wav)[0] == pytest.approx(float(by_hand(tensors, wav)), abs=1e-4)


def test_the_file_is_read_and_hashed_and_the_truth_is_not_heard(tmp_path, scored, voice):
    path = made.save_utmos(tmp_path / "utmos.pt")
    one = scored(Utmos(str(path), "cpu"), (voice(0.5), voice(0.5)))["utmos"]
    other = scored(Utmos(str(path), "cpu"), (voice(0.5), torch.zeros(8000)))["utmos"]
    assert one.value == other.value
    torch.save(made.utmos_tensors(seed=1), tmp_path / "other.pt")
    third = scored(Utmos(str(tmp_path / "other.pt"), "cpu"), (voice(0.5), voice(0.5)))["utmos"]
    assert third.settings["models"] != one.settings["models"]
    assert third.value != one.value


def test_audio_shorter_than_a_frame_has_a_score(tmp_path, scored):
    path = made.save_utmos(tmp_path / "utmos.pt")
    figure = scored(Utmos(str(path), "cpu"), (torch.zeros(100), torch.zeros(100)))["utmos"]
    assert math.isfinite(figure.value)


def test_without_weights_it_is_absent_and_wrong_ones_are_named(tmp_path):
    with pytest.raises(ModelAbsent, match=r"utmos: weights = ''"):
        Utmos("", "cpu")
    with pytest.raises(WeightsError, match=r"nowhere\.pt"):
        Utmos(str(tmp_path / "nowhere.pt"), "cpu")
    torch.save({"weight": torch.zeros(3)}, tmp_path / "other.pt")
    with pytest.raises(WeightsError, match=r"other.pt.*no UTMOS22"):
        Utmos(str(tmp_path / "other.pt"), "cpu")
    tensors = made.utmos_tensors()
    del tensors["projection.2.bias"]
    torch.save(tensors, tmp_path / "part.pt")
    with pytest.raises(WeightsError, match=r"missing 1 tensors: projection.2.bias"):
        Utmos(str(tmp_path / "part.pt"), "cpu")
