"""Small models of made weights in the published formats, and a stand-in for a library."""

from __future__ import annotations

import sys
import sysconfig
import venv
from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from workbench_quality.dnsmos import MELS, P808, P835, WINDOW

WIDTH, CHANNELS, LAYERS, INNER, LSTM, HEAD, EMBEDDING = 64, 8, 2, 32, 6, 10, 4
KERNELS = (10, 3, 3, 3, 3, 2, 2)
STAND_IN = '''"""Stands in for the package warpq: the level's difference as the cost."""
import numpy as np


class warpqMetric:
    def __init__(self, sr, n_jobs):
        self.sr = sr

    def evaluate(self, ref_audio, deg_audio, arr_sr):
        print("the library talks")
        if not ref_audio.any() or not deg_audio.any():
            return {"raw_warpq_score": np.nan}
        return {"raw_warpq_score": np.abs(ref_audio - deg_audio).mean()}
'''


def utmos_tensors(seed: int = 0) -> dict[str, torch.Tensor]:
    """Random weights with the names and the layout of SpeechMOS' ``utmos22_strong``, but small."""
    shapes: dict[str, tuple[int, ...]] = {
        "domain_emb": (1, EMBEDDING),
        "judge_emb": (1, EMBEDDING),
        "projection.0.weight": (HEAD, 2 * LSTM),
        "projection.0.bias": (HEAD,),
        "projection.2.weight": (1, HEAD),
        "projection.2.bias": (1,),
        "wav2vec2.mask_emb": (WIDTH,),
        "wav2vec2.post_extract_proj.weight": (WIDTH, CHANNELS),
        "wav2vec2.post_extract_proj.bias": (WIDTH,),
        "wav2vec2.encoder.pos_conv.0.weight_g": (1, 1, 16),
        "wav2vec2.encoder.pos_conv.0.weight_v": (WIDTH, WIDTH // 16, 16),
        "wav2vec2.encoder.pos_conv.0.bias": (WIDTH,),
    }
    for suffix in ("", "_reverse"):
        shapes[f"blstm.weight_ih_l0{suffix}"] = (4 * LSTM, WIDTH + 2 * EMBEDDING)
        shapes[f"blstm.weight_hh_l0{suffix}"] = (4 * LSTM, LSTM)
        shapes[f"blstm.bias_ih_l0{suffix}"] = (4 * LSTM,)
        shapes[f"blstm.bias_hh_l0{suffix}"] = (4 * LSTM,)
    norms = {"wav2vec2.layer_norm": CHANNELS, "wav2vec2.encoder.layer_norm": WIDTH,
             "wav2vec2.feature_extractor.conv_layers.0.2": CHANNELS}  # fmt: skip
    for number, kernel in enumerate(KERNELS):
        inputs = CHANNELS if number else 1
        shapes[f"wav2vec2.feature_extractor.conv_layers.{number}.0.weight"] = (
            CHANNELS, inputs, kernel,
        )  # fmt: skip
    for number in range(LAYERS):
        layer = f"wav2vec2.encoder.layers.{number}"
        sizes = {f"self_attn.{x}_proj": (WIDTH, WIDTH) for x in ("k", "v", "q", "out")}
        sizes |= {"fc1": (INNER, WIDTH), "fc2": (WIDTH, INNER)}
        for name, size in sizes.items():
            shapes[f"{layer}.{name}.weight"], shapes[f"{layer}.{name}.bias"] = size, size[:1]
        norms |= {f"{layer}.self_attn_layer_norm": WIDTH, f"{layer}.final_layer_norm": WIDTH}
    generator = torch.Generator().manual_seed(seed)
    tensors = {
        name: 0.3 * torch.randn(shape, generator=generator) for name, shape in shapes.items()
    }
    for name, width in norms.items():
        tensors[f"{name}.weight"] = 1 + 0.1 * torch.randn(width, generator=generator)
        tensors[f"{name}.bias"] = 0.1 * torch.randn(width, generator=generator)
    return tensors


def save_utmos(path: Path) -> Path:
    """The random model as the file that SpeechMOS publishes: a plain dictionary of tensors."""
    torch.save(utmos_tensors(), path)
    return path


def save_dnsmos(folder: Path, seed: int = 0) -> Path:
    """Two ONNX files with DNSMOS' names, inputs and outputs: tanh of random sums of the input."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    wave = rng.standard_normal((WINDOW, 3)).astype(np.float32) / 30
    mel = rng.standard_normal((900 * MELS, 1)).astype(np.float32) / 100
    _save_onnx(folder / P835, [None, WINDOW], wave)
    _save_onnx(folder / P808, [None, 900, MELS], mel)
    return folder


def _save_onnx(path: Path, inputs: list[int | None], weights: np.ndarray) -> None:
    nodes = [
        helper.make_node("Flatten", ["input_1"], ["flat"]),
        helper.make_node("MatMul", ["flat", "weights"], ["sums"]),
        helper.make_node("Tanh", ["sums"], ["bounded"]),
        helper.make_node("Add", ["bounded", "middle"], ["scores"]),
    ]
    initial = [
        numpy_helper.from_array(weights, "weights"),
        numpy_helper.from_array(np.array([3.0], dtype=np.float32), "middle"),
    ]
    graph = helper.make_graph(
        nodes,
        "made",
        [helper.make_tensor_value_info("input_1", TensorProto.FLOAT, inputs)],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, [None, weights.shape[1]])],
        initial,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.save(model, path)


def stand_in_environment(folder: Path) -> Path:
    """The Python of another environment, which has this one's packages and a stand-in warpq."""
    venv.EnvBuilder(symlinks=True, with_pip=False).create(folder)
    packages = Path(sysconfig.get_path("purelib", "venv", {"base": str(folder)}))
    (packages / "warpq").mkdir(parents=True)
    (packages / "warpq" / "__init__.py").write_text("")
    (packages / "warpq" / "core.py").write_text(STAND_IN)
    (packages / "ours.pth").write_text("\n".join(p for p in sys.path if "site-packages" in p))
    return folder / "bin" / "python"
