"""CLAP: equal to transformers' and LAION's own, frames in their place, audio of any length."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import ClapFeatureExtractor, ClapModel, PreTrainedTokenizerFast
from workbench_clap.encoder import ClapEncoder, build_encoder
from workbench_clap.plugin import ClapOptions, ClapSize

from tests.plugins.encoder_checks import check_encoder, noise
from tests.plugins.laion import made
from workbench import RecipeError, TextAudioEncoder, WeightsError, resample_in_graph

TINY = ClapSize(
    sample_rate=48_000,
    window_seconds=10,
    hop=480,
    patch_width=8,
    depths=[1, 2, 1, 1],
    heads=[1, 2, 2, 4],
    text_width=32,
    text_layers=1,
    embedding=16,
)
"""LAION's spectra and frames in a small model."""
WINDOW = 480_000
REFERENCE = json.loads((Path(made.__file__).parent / "reference.json").read_text())


def make(seed: int = 0, **options: Any) -> ClapEncoder:
    return build_encoder(ClapOptions(**{"size": TINY, **options}), seed)


def tokenizer_folder(folder: Path, vocabulary: int = made.VOCABULARY) -> Path:
    """A tokenizer that turns ``w57`` into 57 and frames a text as RoBERTa's does."""
    words = {"<s>": 0, "<pad>": 1, "</s>": 2, "<unk>": 3}
    words |= {f"w{number}": number for number in range(4, vocabulary)}
    tokenizer = Tokenizer(models.WordLevel(words, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", special_tokens=[("<s>", 0), ("</s>", 2)]
    )
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token="<s>",
        eos_token="</s>",
        pad_token="<pad>",
        unk_token="<unk>",
    )
    fast.save_pretrained(folder)
    return folder


def captions() -> list[str]:
    return [" ".join(f"w{number}" for number in numbers) for numbers in made.CAPTIONS.values()]


def with_fusion(folder: Path) -> Path:
    """A checkpoint of transformers' ``ClapModel`` with fusion, its statistics not the initial."""
    config: Any = make(weights="random").model.config
    config.audio_config.enable_fusion = True
    torch.manual_seed(0)
    model = ClapModel(config)
    for name, buffer in model.named_buffers():
        if "running" in name:
            buffer.uniform_(0.5, 1.5)
    model.save_pretrained(folder)
    ClapFeatureExtractor(truncation="fusion", frequency_min=50).save_pretrained(folder)
    return folder


def test_contract() -> None:
    encoder = make(weights="random")
    assert isinstance(encoder, TextAudioEncoder)
    assert (encoder.sample_rate, encoder.frame_rate, encoder.dim) == (48_000, 3.2, 64)
    lengths = [1, 399, 15_000, 15_001, WINDOW, WINDOW + 1]
    check_encoder(encoder, lambda samples: math.ceil(samples / 15_000), lengths)


@pytest.mark.parametrize(
    ("size", "rate", "dim"),
    [
        (ClapSize(), 1.6, 224),  # the embedded ones
        (ClapSize(depths=[1, 1, 1], heads=[1, 1, 1]), 3.2, 112),
        (ClapSize(window_seconds=2, mels=32, patch_width=4), 2.0, 32),
        (ClapSize(sample_rate=8_000, window_seconds=3, hop=100, depths=[1], heads=[1]), 64 / 3, 28),
    ],
    ids=["embedded", "three stages", "small spectrum", "one stage"],
)
def test_other_sizes_keep_the_contract(size: ClapSize, rate: float, dim: int) -> None:
    encoder = make(weights="random", size=size)
    assert (encoder.sample_rate, encoder.dim) == (size.sample_rate, dim)
    assert encoder.frame_rate == pytest.approx(rate)
    hop, window = encoder.sample_rate / rate, size.window_seconds * size.sample_rate
    check_encoder(encoder, lambda samples: math.ceil(samples / hop), [1, 4001, window + 1])
    assert encoder.embed_audio(noise(2, 4001), 16_000).shape == (2, encoder.embedding_dim)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"heads": [2, 4]}, r"heads = \[2, 4\]: must be one number for each of depths"),
        ({"depths": [], "heads": []}, r"heads = \[\]: must be one number for each of depths"),
        ({"heads": [2, 4, 8, 9]}, r"heads = \[2, 4, 8, 9\]: 9 must divide 224 channels"),
        ({"mels": 48}, "mels = 48: must be a multiple of 32"),
        ({"text_heads": 3}, "text_heads = 3: must divide text_width = 128"),
        ({"hop": 0}, "hop = 0: must be at least 1"),
    ],
)
def test_sizes_that_make_no_model_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ClapSize(**options)


@torch.no_grad()
def test_layers_are_stacked_at_the_finest_rate() -> None:
    wav = noise(1, 30_000)
    first, third, both = (make(weights="random", layers=layers) for layers in ([0], [2], [0, 2]))
    assert (first.dim, first.frame_rate) == (8, 25.6)
    assert (third.dim, third.frame_rate) == (32, 6.4)
    assert (both.dim, both.frame_rate) == (40, 25.6)
    expected = torch.cat([first(wav), third(wav).repeat_interleave(4, -1)], dim=1)
    assert torch.equal(both(wav), expected)
    with pytest.raises(RecipeError, match=r"no hidden states \[7\]; give .* from -5 to 4"):
        make(weights="random", layers=[7])
    with pytest.raises(ValueError, match="layers = 'mean': must be 'last'"):
        ClapOptions(layers="mean")


@pytest.mark.parametrize("layers", ["last", [1]])
@torch.no_grad()
def test_frames_lie_where_the_sound_is(layers: Any) -> None:
    encoder = make(weights="random", layers=layers)
    quiet = noise(1, WINDOW) * 0.01
    loud = quiet.clone()
    loud[:, 6 * 48_000 : 7 * 48_000] += noise(1, 48_000, seed=1)
    change = (encoder(loud) - encoder(quiet)).square().sum(dim=1)[0]
    middle = float((change * torch.arange(len(change))).sum() / change.sum() + 0.5)
    assert middle / encoder.frame_rate == pytest.approx(6.5, abs=0.5)


@pytest.mark.parametrize("fusion", [False, True], ids=["unfused", "fused"])
@torch.no_grad()
def test_agrees_with_transformers(fusion: bool, tmp_path: Path) -> None:
    if fusion:
        with_fusion(tmp_path)
    else:
        make(weights="random").save(tmp_path)
    encoder = make(weights=str(tmp_path))
    assert encoder.fusion == fusion
    theirs = ClapModel.from_pretrained(tmp_path).eval()
    extractor = ClapFeatureExtractor.from_pretrained(tmp_path)
    wav = noise(2, 40_000)
    views = extractor(list(wav.numpy()), sampling_rate=48_000, return_tensors="pt")
    features = views["input_features"]
    longer = torch.zeros(2, 1, dtype=torch.bool)  # the extractor calls a random one longer
    output = theirs.audio_model(features, is_longer=longer)
    expected = output.last_hidden_state.mean(2)[..., :3]
    torch.testing.assert_close(encoder(wav), expected, rtol=1e-4, atol=1e-5)
    vector = theirs.get_audio_features(features, is_longer=longer).pooler_output
    torch.testing.assert_close(encoder.embed_audio(wav, 48_000), vector, rtol=1e-4, atol=1e-5)


@torch.no_grad()
def test_text_embeddings_do_not_depend_on_the_batch(tmp_path: Path) -> None:
    encoder = make(weights="random", tokenizer=str(tokenizer_folder(tmp_path)))
    together = encoder.embed_text(captions())
    alone = torch.cat([encoder.embed_text([caption]) for caption in captions()])
    torch.testing.assert_close(together, alone, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(together.norm(dim=1), torch.ones(3))


@pytest.mark.parametrize("samples", [20_000, 700_000])
@pytest.mark.parametrize("fusion", [False, True], ids=["unfused", "fused"])
@torch.no_grad()
def test_audio_embeddings_are_a_function_of_each_recording(
    samples: int, fusion: bool, tmp_path: Path
) -> None:
    encoder = make(weights=str(with_fusion(tmp_path)) if fusion else "random")
    wav = noise(2, samples)
    vectors = encoder.embed_audio(wav, 48_000)
    assert vectors.shape == (2, 16)
    torch.testing.assert_close(vectors.norm(dim=1), torch.ones(2))
    alone = encoder.embed_audio(wav[1:], 48_000)
    torch.testing.assert_close(alone, vectors[1:], rtol=1e-4, atol=1e-5)
    assert torch.equal(encoder.embed_audio(wav, 48_000), vectors)


@torch.no_grad()
def test_audio_embeddings_hardly_depend_on_the_rate_it_comes_at() -> None:
    encoder = make(weights="random")
    time = torch.arange(16_000) / 16_000
    wav = 0.3 * torch.sin(2 * math.pi * torch.tensor([[300.0], [2000.0]]) * time)
    low = encoder.embed_audio(wav, 16_000)
    high = encoder.embed_audio(resample_in_graph(wav, 16_000, 48_000), 48_000)
    torch.testing.assert_close(low, high, rtol=0, atol=1e-5)
    assert float((low[0] - low[1]).norm()) > 10 * float((low - high).norm())


@torch.no_grad()
def test_saved_weights_give_the_same(tmp_path: Path) -> None:
    tokenizer = tokenizer_folder(tmp_path / "tokenizer")
    encoder = make(weights="random", tokenizer=str(tokenizer))
    encoder.save(tmp_path / "saved")
    again = make(weights=str(tmp_path / "saved"))
    wav = noise(1, 30_000)
    assert torch.equal(again(wav), encoder(wav))
    assert torch.equal(again.embed_text(captions()), encoder.embed_text(captions()))


def test_text_needs_the_right_tokenizer(tmp_path: Path) -> None:
    saved = str(tmp_path / "saved")
    make(weights="random", tokenizer=str(tokenizer_folder(tmp_path / "own"))).save(Path(saved))
    other = tokenizer_folder(tmp_path / "other", vocabulary=50)
    with pytest.raises(WeightsError, match=r"has 50 tokens, the text tower knows 120"):
        make(weights=saved, tokenizer=str(other)).embed_text(["a bell"])
    with pytest.raises(WeightsError, match="can't be loaded"):
        make(weights=saved, tokenizer=str(tmp_path / "none")).embed_text(["a bell"])
    (tmp_path / "saved" / "tokenizer.json").unlink()
    with pytest.raises(WeightsError, match="come without a tokenizer"):
        make(weights=saved).embed_text(["a bell"])


def laion_checkpoint(path: Path, fusion: bool) -> Path:
    """A training checkpoint as LAION publishes them: distributed names, numbers beside tensors."""
    shapes = {**REFERENCE["shapes"], **(REFERENCE["fused_shapes"] if fusion else {})}
    state = {}
    for name, shape in shapes.items():
        value = torch.from_numpy(np.asarray(made.weights(name, tuple(shape))))
        integers = name.endswith(("num_batches_tracked", "relative_position_index"))
        state[f"module.{name}"] = value.long() if integers else value
    state["module.text_branch.embeddings.position_ids"] = torch.arange(82)[None]
    torch.save({"epoch": 7, "best": np.float64(0.5), "state_dict": state}, path)
    return path


@pytest.mark.parametrize("variant", ["unfused", "fused"])
@torch.no_grad()
def test_agrees_with_laion_clap(variant: str, tmp_path: Path) -> None:
    """Against numbers that ``laion/record.py`` recorded from the laion-clap package."""
    path = laion_checkpoint(tmp_path / "laion.pt", variant == "fused")
    encoder = make(weights=str(path), tokenizer=str(tokenizer_folder(tmp_path)))
    expected = {name: torch.tensor(v) for name, v in REFERENCE["embeddings"][variant].items()}
    found = dict(zip(made.CAPTIONS, encoder.embed_text(captions()), strict=True))
    for name in made.LENGTHS.keys() & expected.keys():
        found[name] = encoder.embed_audio(torch.from_numpy(made.sound(name))[None], 48_000)[0]
    assert found.keys() == expected.keys()
    for name, vector in found.items():
        torch.testing.assert_close(vector, expected[name], rtol=0, atol=1e-4, msg=name)
    sounds = [expected[name] for name in made.LENGTHS if name in expected]
    assert float((sounds[0] - sounds[1]).abs().max()) > 0.05  # or agreement would say little


@pytest.mark.parametrize(
    ("missing", "message"),
    [
        ("audio_branch.patch_embed.proj.weight", "with an HTSAT audio tower"),
        ("text_branch.embeddings.word_embeddings.weight", "its text tower is no RoBERTa"),
        ("audio_branch.norm.bias", r"missing 1 tensors: audio_model\.audio_encoder\.norm\.bias"),
    ],
)
def test_other_checkpoints_are_refused_by_name(missing: str, message: str, tmp_path: Path) -> None:
    path = laion_checkpoint(tmp_path / "laion.pt", fusion=False)
    content = torch.load(path, weights_only=False)
    del content["state_dict"][f"module.{missing}"]
    torch.save(content, path)
    with pytest.raises(WeightsError, match=message):
        make(weights=str(path))
