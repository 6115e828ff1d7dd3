"""Published audio classifiers, by small random models in transformers' own formats."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import transformers
from workbench_tags.load import load_tagger
from workbench_tags.plugin import TaggerOptions
from workbench_tags.windows import pieces, windows

from workbench import SemanticEncoder, Tagger, WeightsError

LABELS = {0: "Speech", 1: "Bark", 2: "Rain"}
OPTIONS = {"window_seconds": 1.0, "hop_seconds": 0.5}


def save_ast(folder: Path) -> transformers.ASTForAudioClassification:
    torch.manual_seed(0)
    config = transformers.ASTConfig(
        hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16,
        max_length=64, num_mel_bins=32, id2label=LABELS, label2id={v: k for k, v in LABELS.items()},
    )  # fmt: skip
    model = transformers.ASTForAudioClassification(config).eval()
    model.save_pretrained(folder)
    transformers.ASTFeatureExtractor(max_length=64, num_mel_bins=32).save_pretrained(folder)
    return model


def save_wav2vec(folder: Path) -> None:
    torch.manual_seed(0)
    config = transformers.Wav2Vec2Config(
        hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16,
        conv_dim=[8] * 7, num_conv_pos_embeddings=16, num_conv_pos_embedding_groups=4,
        classifier_proj_size=8, id2label=LABELS, label2id={v: k for k, v in LABELS.items()},
    )  # fmt: skip
    transformers.Wav2Vec2ForSequenceClassification(config).save_pretrained(folder)
    transformers.Wav2Vec2FeatureExtractor().save_pretrained(folder)


def noise(seconds: float) -> torch.Tensor:
    return 0.1 * torch.randn(round(seconds * 16_000), generator=torch.Generator().manual_seed(1))


@torch.no_grad()
def test_an_ast_tags_windows_as_transformers_does(tmp_path: Path) -> None:
    model = save_ast(tmp_path)
    tagger = load_tagger(TaggerOptions(weights=str(tmp_path), **OPTIONS), seed=0)
    assert isinstance(tagger, Tagger)
    assert isinstance(tagger, SemanticEncoder)
    assert tagger.classes == ("Speech", "Bark", "Rain")
    wav = noise(3.0)
    tags = tagger.tag(wav)
    assert tags.shape == (6, 3)
    extractor = transformers.AutoFeatureExtractor.from_pretrained(tmp_path)
    second = wav[4_000:20_000].numpy()  # half a second around the segment from 0.5 s
    heard = extractor(second, sampling_rate=16_000, return_tensors="pt")
    torch.testing.assert_close(tags[1], model(**heard).logits[0].sigmoid(), rtol=1e-4, atol=1e-4)
    assert tagger(wav[None]).shape == (1, 16, 6)


@torch.no_grad()
def test_a_clip_is_classified_whole(tmp_path: Path) -> None:
    model = save_ast(tmp_path)
    tagger = load_tagger(TaggerOptions(weights=str(tmp_path), **OPTIONS), seed=0)
    extractor = transformers.AutoFeatureExtractor.from_pretrained(tmp_path)
    long = noise(12.0)
    halves = [part.numpy() for part in long.split(6 * 16_000)]
    logits = model(**extractor(halves, sampling_rate=16_000, return_tensors="pt")).logits
    wanted = logits.mean(dim=0).softmax(dim=0)
    torch.testing.assert_close(tagger.classify(long), wanted, rtol=1e-4, atol=1e-4)


def test_any_audio_classifier_will_do_and_says_one_thing_at_a_time(tmp_path: Path) -> None:
    save_wav2vec(tmp_path)
    options = TaggerOptions(weights=str(tmp_path), independent=False, **OPTIONS)
    tagger = load_tagger(options, seed=0)
    tags = tagger.tag(noise(1.2))
    assert tags.shape == (2, 3)
    torch.testing.assert_close(tags.sum(dim=1), torch.ones(2))
    assert tagger.tag(noise(0.01)).shape == (1, 3)


def test_a_folder_without_a_classifier_is_named(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"model_type": "t5"}')
    with pytest.raises(WeightsError, match="no audio classifier"):
        load_tagger(TaggerOptions(weights=str(tmp_path)), seed=0)


def test_windows_lie_around_their_segments() -> None:
    wav = torch.arange(1.0, 11.0)
    heard = windows(wav, 1, window_seconds=4, hop_seconds=2)
    assert heard.shape == (5, 4)
    assert heard[0].tolist() == [0, 1, 2, 3]
    assert heard[2].tolist() == [4, 5, 6, 7]
    assert heard[4].tolist() == [8, 9, 10, 0]
    assert [len(piece) for piece in pieces(wav, 1, 4)] == [4, 3, 3]
