"""MERT's weights into transformers' ``HubertModel``, without running code that comes with them.

MERT's published checkpoints (m-a-p/MERT-v0, MERT-v1-95M, MERT-v1-330M) name a ``modeling_MERT.py``
of their own. It subclasses HuBERT and keeps its parameter names; what it adds is switched by
options of ``config.json``, which either leave the features as they are or are refused by name.
"""

from __future__ import annotations

from pathlib import Path
from typing import cast

import torch
from torch import nn
from transformers import HubertConfig, HubertModel

from workbench import (
    WeightsError,
    load_tensors,
    model_config,
    read_json,
    read_tensors,
    strip_prefix,
)
from workbench_mert.input import add_spectral_input
from workbench_mert.plugin import MertSize

SAMPLE_RATE = 24_000
"""MERT v1's rate in Hz; a checkpoint's ``sample_rate`` goes before it."""

SPECTRAL_INPUT = "constant_q_input"
"""The option of ``config.json`` by which our own models say that they have a spectral input."""

_UNSUPPORTED = {
    "feature_extractor_cqt": "a constant-Q spectrum as a second input",
    "deepnorm": "scaled residual connections",
}
"""Options of MERT's own code that change the features and are not built here.

``attention_relax`` needs nothing: it subtracts the largest logit before a softmax, which leaves the
softmax as it is and only guards half precision.
"""


def load_model(folder: Path, source: str) -> tuple[nn.Module, int]:
    """The model in ``folder`` (Hugging Face's layout) and its rate; errors say ``source``."""
    config = read_json(folder / "config.json")
    for option, meaning in _UNSUPPORTED.items():
        if config.get(option):
            raise WeightsError(
                f"weights {source!r}: config.json sets {option} ({meaning}), which is not supported"
            )
    sample_rate = int(config.get("sample_rate", SAMPLE_RATE))
    model = HubertModel(model_config(HubertConfig, config, source))
    if config.get(SPECTRAL_INPUT):
        add_spectral_input(model, sample_rate)
    tensors = strip_prefix(strip_prefix(read_tensors(folder), "mert_model."), "hubert.")
    load_tensors(model, tensors, source, optional=("masked_spec_embed",))
    return cast(nn.Module, model), sample_rate


def random_model(size: MertSize, seed: int) -> nn.Module:
    """A model of the given size, a function of ``seed`` alone; the global random state stays."""
    config = HubertConfig(
        hidden_size=size.hidden,
        num_hidden_layers=size.layers,
        num_attention_heads=size.heads,
        intermediate_size=size.feed_forward,
        conv_dim=[size.convolution] * 7,
        num_conv_pos_embeddings=size.position_kernel,
        # The defaults suit long trainings of large models; minutes on a small one need none.
        hidden_dropout=0.0,
        activation_dropout=0.0,
        attention_dropout=0.0,
        final_dropout=0.0,
        layerdrop=0.0,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = HubertModel(config)
        if size.spectral_input:
            add_spectral_input(model, SAMPLE_RATE)
        return cast(nn.Module, model)
