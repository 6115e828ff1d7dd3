"""T5 as a reader: its states are transformers', whatever lies beside the encoder in its file."""

from __future__ import annotations

import pytest
import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import (
    PreTrainedTokenizerFast,
    T5Config,
    T5EncoderModel,
    T5ForConditionalGeneration,
)
from workbench_sound.t5 import load_t5

from workbench import Context, TextReader, WeightsError

WORDS = ["<pad>", "</s>", "<unk>", "a", "bell", "rings", "dog", "barks", "in", "the", "rain"]


def save(folder, words=WORDS):
    """A tiny T5 with its decoder, and a tokenizer of whole words."""
    config = T5Config(
        vocab_size=len(WORDS), d_model=16, d_kv=8, d_ff=16, num_layers=1, num_heads=2,
        decoder_start_token_id=0, pad_token_id=0, eos_token_id=1,
    )  # fmt: skip
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        T5ForConditionalGeneration(config).save_pretrained(folder)
    vocabulary = {word: number for number, word in enumerate(words)}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="<pad>", eos_token="</s>", unk_token="<unk>"
    )
    fast.save_pretrained(folder)
    return folder


@torch.no_grad()
def test_states_are_those_of_transformers_alone_and_side_by_side(tmp_path):
    reader = load_t5(str(save(tmp_path / "t5")))
    assert isinstance(reader, TextReader)
    texts = ["a bell rings", "a dog barks in the rain"]
    together = reader.read(texts)
    assert [tuple(states.shape) for states in together] == [(3, 16), (6, 16)]
    model = T5EncoderModel.from_pretrained(tmp_path / "t5").eval()
    for text, states in zip(texts, together, strict=True):
        ids = torch.tensor([[WORDS.index(word) for word in text.split()]])
        assert torch.allclose(states, model(ids).last_hidden_state[0], atol=1e-5)


def test_a_task_is_told_what_a_t5_reads(tmp_path, catalog):
    captions = {"t5": str(save(tmp_path / "t5")), "pooled": True}
    task = Context(catalog, "cpu", 0).build("task", "text-to-sound", {"captions": captions})
    (pooled,) = task.reader.read(["a bell rings"])
    whole = load_t5(str(tmp_path / "t5")).read(["a bell rings"])[0]
    assert torch.allclose(pooled[0], whole.mean(dim=0), atol=1e-6)


def test_a_tokenizer_that_is_not_the_models_is_refused(tmp_path):
    save(tmp_path / "t5", [*WORDS, "more", "words"])
    with pytest.raises(WeightsError, match="13 tokens, the model knows 11"):
        load_t5(str(tmp_path / "t5"))
    for path in (tmp_path / "t5").glob("tokenizer*"):
        path.unlink()
    with pytest.raises(WeightsError, match="holds no tokenizer"):
        load_t5(str(tmp_path / "t5"))
