"""Records what LAION's own package computes, for the test of the clap plugin.

Run in an environment of its own (laion-clap 1.1.7, torch 2.11, torchvision 0.26, numpy < 2):
``python tests/plugins/laion/record.py``. It rewrites ``reference.json`` beside it. Nothing is
downloaded: the text tower is a small RoBERTa, the audio tower a small HTSAT, and weights are made.

Two things are fixed that the package leaves to chance or to its environment: crops of long audio
are the middle ones of their thirds, and the shrunk spectrum is not smoothed first, as it was not
under the torchvision of the time when LAION's weights were trained (nor is it in transformers).
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import made
import numpy as np
import torch
import torchvision
import transformers


class NoTokenizer:
    """Stands for the tokenizers that the package fetches on import."""

    @classmethod
    def from_pretrained(cls, *_args: Any, **_options: Any) -> NoTokenizer:
        return cls()


def small_roberta(*_args: Any, **_options: Any) -> Any:
    return transformers.RobertaModel(
        transformers.RobertaConfig(
            vocab_size=made.VOCABULARY,
            hidden_size=768,
            num_hidden_layers=1,
            num_attention_heads=12,
            intermediate_size=64,
            max_position_embeddings=82,
            type_vocab_size=1,
            layer_norm_eps=1e-5,
        )
    )


for kind in ("BertTokenizer", "RobertaTokenizer", "BartTokenizer"):
    setattr(transformers, kind, NoTokenizer)
transformers.RobertaModel.from_pretrained = small_roberta

import laion_clap  # noqa: E402
from clap_module import model as laion_model  # noqa: E402  (laion_clap puts it on the path)
from clap_module.htsat import HTSAT_Swin_Transformer  # noqa: E402

resize = torchvision.transforms.Resize
torchvision.transforms.Resize = lambda size: resize(size, antialias=False)
np.random.choice = lambda items: items[len(items) // 2]


def small_htsat(audio_cfg: Any, enable_fusion: bool, fusion_type: str) -> Any:
    return HTSAT_Swin_Transformer(
        embed_dim=16,
        depths=[1, 2, 1, 1],
        num_heads=[2, 4, 8, 16],
        config=audio_cfg,
        enable_fusion=enable_fusion,
        fusion_type=fusion_type,
    )


laion_model.create_htsat_model = small_htsat


def build(fusion: bool) -> Any:
    folder = Path(laion_clap.__file__).parent / "clap_module" / "model_configs"
    config = json.loads((folder / "HTSAT-tiny.json").read_text())
    clap = laion_model.CLAP(
        embed_dim=128,
        audio_cfg=config["audio_cfg"],
        text_cfg={**config["text_cfg"], "model_type": "roberta"},
        enable_fusion=fusion,
        fusion_type="aff_2d" if fusion else "None",
        joint_embed_shape=32,
    )
    state = clap.state_dict()
    for name, value in state.items():
        if value.is_floating_point() and not is_computed(name):
            value.copy_(torch.from_numpy(made.weights(name, tuple(value.shape))))
    module = laion_clap.CLAP_Module.__new__(laion_clap.CLAP_Module)
    torch.nn.Module.__init__(module)
    module.model, module.model_cfg, module.enable_fusion = clap, config, fusion
    return module.eval()


def is_computed(name: str) -> bool:
    """Constants that the package stores with its weights."""
    return "spectrogram_extractor" in name or "logmel_extractor" in name or "attn_mask" in name


@torch.no_grad()
def main() -> None:
    shapes: dict[str, dict[str, list[int]]] = {}
    embeddings: dict[str, dict[str, list[float]]] = {}
    for variant, fusion in (("unfused", False), ("fused", True)):
        module = build(fusion)
        shapes[variant] = {k: list(v.shape) for k, v in module.model.state_dict().items()}
        found = embeddings.setdefault(variant, {})
        for name in made.LENGTHS:
            if name != "long" or fusion:  # without fusion, the package crops at random
                wav = torch.from_numpy(made.sound(name))[None]
                vector = module.get_audio_embedding_from_data(wav, use_tensor=True)
                found[name] = [round(x, 7) for x in vector[0].tolist()]
        for name in made.CAPTIONS:
            ids = torch.tensor([made.tokens(name)])
            given = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
            vector = module.get_text_embedding("", lambda _: given, use_tensor=True)  # noqa: B023
            found[name] = [round(x, 7) for x in vector[0].tolist()]
    fused_only = {k: v for k, v in shapes["fused"].items() if k not in shapes["unfused"]}
    reference = {
        "versions": {"laion_clap": "1.1.7", "torch": torch.__version__.split("+")[0]},
        "shapes": shapes["unfused"],
        "fused_shapes": fused_only,
        "embeddings": embeddings,
    }
    text = json.dumps(reference, separators=(",", ":")).replace('],"', '],\n"')
    (Path(__file__).parent / "reference.json").write_text(text + "\n")


main()
