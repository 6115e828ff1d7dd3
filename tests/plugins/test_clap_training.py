"""CLAP's training: tokens, pairs, the objective, exact resumption, recall."""

from __future__ import annotations

import math
import string
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from workbench_clap.encoder import ClapEncoder, build_encoder
from workbench_clap.pairs import CaptionedClips, Pairs
from workbench_clap.plugin import ClapOptions, ClapPretraining, ClapSize
from workbench_clap.pretraining import ContrastiveTraining, contrastive_loss, measure_input
from workbench_clap.quality import distinct_pairs, recall
from workbench_clap.text import MAX_TOKENS, tokenizer_or_own
from workbench_clap.vocabulary import build_tokenizer, read_words, tokens

from tests.plugins.encoder_checks import check_resumed_training, session
from workbench import (
    Audio,
    AudioDataset,
    Example,
    RecipeError,
    Split,
    TrainingSettings,
    WorkbenchError,
)
from workbench.audio.dataset import prepare

TINY = ClapSize(
    sample_rate=8_000,
    window_seconds=1,
    hop=160,
    mels=32,
    patch_width=8,
    depths=[1, 1],
    heads=[1, 2],
    text_width=32,
    text_layers=1,
    embedding=16,
)
RATE = 4_000
"""Of the prepared data; the encoder resamples."""
TOKENIZER = build_tokenizer()


def make(seed: int = 0, **options: Any) -> ClapEncoder:
    return build_encoder(ClapOptions(**{"weights": "random", "size": TINY, **options}), seed)


def data(folder: Path, pieces: int = 8, seconds: float = 1.0, **details: Any) -> AudioDataset:
    """Tones a fifth apart, told by their number; the last two in the validation split."""
    time = torch.arange(round(seconds * RATE)) / RATE

    def recordings() -> Iterable[tuple[Example, Audio]]:
        for index in range(pieces):
            wav = 0.3 * torch.sin(2 * math.pi * 100 * 1.5**index * time)
            split: Split = "train" if index < pieces - 2 else "validation"
            caption = f"tone number {index} rings"
            yield (
                Example(f"{index}", split, caption=caption, details=details),
                Audio(wav[None], RATE),
            )

    return prepare(folder, recordings(), RATE, 1, "tones")


def ids(text: str) -> list[int]:
    found: list[int] = TOKENIZER([text])["input_ids"][0]
    return found


def test_tokens_are_numbered_as_clap_wants() -> None:
    assert tokens()[:4] == ["<s>", "<pad>", "</s>", "<unk>"]
    assert len(set(tokens())) == len(tokens()) == len(TOKENIZER) == len(tokenizer_or_own(""))
    first, *_, last = ids("a bell")
    assert (first, last) == (0, 2)


def test_every_word_of_the_list_is_a_stem_and_at_most_an_ending() -> None:
    for word in read_words():
        assert len(TOKENIZER.tokenize(word)) <= 2, word


@pytest.mark.parametrize(
    ("stem", "forms"),
    [
        ("ring", ["ring", "rings", "ringing", "ringer"]),
        ("bubbl", ["bubble", "bubbles", "bubbling", "bubbled", "bubbly"]),
        ("nois", ["noise", "noises", "noisy", "noisily"]),
        ("clap", ["claps", "clapping", "clapped"]),
    ],
)
def test_forms_of_a_word_share_its_stem(stem: str, forms: list[str]) -> None:
    assert [TOKENIZER.tokenize(form)[0] for form in forms] == [stem] * len(forms)
    assert len({tuple(ids(form)) for form in forms}) == len(forms)


@given(st.text(string.printable))
def test_english_is_never_unknown(text: str) -> None:
    assert 3 not in ids(text)


@given(st.text())
def test_any_text_has_tokens(text: str) -> None:
    found, mask = tokenizer_or_own("")([text, "a bell"], len(TOKENIZER))
    assert found.shape == mask.shape
    assert found.shape[1] <= MAX_TOKENS
    assert int(found.max()) < len(TOKENIZER)


def test_case_and_accents_are_left_out() -> None:
    assert ids("A Café") == ids("a cafe")


@torch.no_grad()
def test_own_tokenizer_is_saved_with_the_weights(tmp_path: Path) -> None:
    encoder = make()
    encoder.save(tmp_path)
    texts = ["A bell rings — twice!", "zzxq"]
    assert torch.equal(make(weights=str(tmp_path)).embed_text(texts), encoder.embed_text(texts))


def test_a_round_of_batches_holds_each_recording_once(tmp_path: Path) -> None:
    clips = CaptionedClips(data(tmp_path), "train", RATE)
    for turn in range(3):
        found = [clips.batch(2, 5, 3 * turn + i).captions for i in range(3)]
        assert sorted(sum(found, ())) == sorted(clip.example.caption or "" for clip in clips.clips)
    assert clips.batch(6, 5, 0).captions != clips.batch(6, 5, 1).captions
    assert clips.batch(6, 5, 0).captions != clips.batch(6, 6, 0).captions


def test_a_batch_is_a_function_of_its_number_and_parts_make_up_the_whole(tmp_path: Path) -> None:
    corpus = data(tmp_path, seconds=1.5)
    clips = CaptionedClips(corpus, "train", RATE)
    whole, again = clips.batch(4, 0, 7), CaptionedClips(corpus, "train", RATE).batch(4, 0, 7)
    assert whole.captions == again.captions == whole.all_captions
    assert torch.equal(whole.wav, again.wav)
    parts = [clips.batch(4, 0, 7, (rank, 2)) for rank in range(2)]
    assert torch.equal(torch.cat([part.wav for part in parts]), whole.wav)
    assert parts[0].captions + parts[1].captions == whole.captions
    assert all(part.all_captions == whole.captions for part in parts)


def test_recordings_are_cut_or_repeated_to_one_length(tmp_path: Path) -> None:
    long = CaptionedClips(data(tmp_path / "long", seconds=2.0), "train", RATE)
    clip = long.clips[0]
    assert torch.equal(long.read(clip, 100), long.data.read(clip)[:, 100 : 100 + RATE])
    starts = {float(long.batch(1, 0, 6 * i).wav.abs().sum()) for i in range(4)}
    assert len(starts) > 1
    short = CaptionedClips(data(tmp_path / "short", seconds=0.5), "train", RATE)
    wav = short.data.read(short.clips[0])
    assert torch.equal(short.read(short.clips[0]), torch.cat([wav, wav], dim=1))


def test_all_captions_of_a_recording_are_drawn(tmp_path: Path) -> None:
    clips = CaptionedClips(data(tmp_path, captions=["one", "two", "three"]), "train", RATE)
    drawn = {caption for index in range(8) for caption in clips.batch(3, 0, index).captions}
    assert drawn == {"one", "two", "three"}


def test_recordings_without_captions_are_named_and_left_out(tmp_path: Path) -> None:
    def recordings(captions: list[str | None]) -> Iterable[tuple[Example, Audio]]:
        for index, caption in enumerate(captions):
            yield Example(f"{index}", "train", caption=caption), Audio(torch.ones(1, RATE), RATE)

    some = prepare(tmp_path / "some", recordings(["a", None, "b"]), RATE, 1, "some")
    assert [clip.example.id for clip in CaptionedClips(some, "train", RATE).clips] == ["0", "2"]
    few = prepare(tmp_path / "few", recordings(["a", None, "a"]), RATE, 1, "few")
    with pytest.raises(WorkbenchError, match=r"of the corpus' 3 train recordings 2 have one"):
        make().pretrain(few, session(tmp_path / "run", 1))


def test_loss_is_cross_entropy_both_ways() -> None:
    strangers = ~torch.eye(2, dtype=torch.bool)
    logits = torch.tensor([[2.0, 0.0], [1.0, 3.0]])
    rows = (math.log1p(math.exp(-2)) + math.log1p(math.exp(-2))) / 2
    columns = (math.log1p(math.exp(-1)) + math.log1p(math.exp(-3))) / 2
    loss = float(contrastive_loss(logits, logits, strangers))
    assert loss == pytest.approx((rows + columns) / 2)
    assert float(contrastive_loss(logits, 0 * logits, strangers)) == pytest.approx(
        (rows + math.log(2)) / 2
    )


def test_pairs_with_the_same_words_are_neither_right_nor_wrong() -> None:
    logits = torch.tensor([[1.0, 9.0, 0.0], [9.0, 1.0, 0.0], [0.0, 0.0, 1.0]])
    same = torch.tensor([[True, True, False], [True, True, False], [False, False, True]])
    expected = (2 * math.log1p(math.exp(-1)) + math.log1p(2 * math.exp(-1))) / 3
    assert float(contrastive_loss(logits, logits, ~same)) == pytest.approx(expected)


def batch_of(rows: slice) -> Pairs:
    captions: tuple[str, ...] = ("a dog barks", "it rains", "a dog barks", "a bell")
    wav = torch.randn(4, RATE, generator=torch.Generator().manual_seed(0)) * 0.1
    return Pairs(wav[rows], captions[rows], captions)


def step_gradients(rows: slice, others: SimpleNamespace) -> dict[str, Tensor]:
    """Gradients of one step of the process that is given ``rows`` of the batch."""
    encoder = make()
    trainee = ContrastiveTraining(encoder, others, RATE)  # type: ignore[arg-type]
    trainee.set_train_mode()

    def optimise(loss: Tensor, _name: str) -> Tensor:
        torch.autograd.backward(loss)
        return loss

    trainee.step(batch_of(rows), 0, optimise)
    return {n: p.grad for n, p in encoder.model.named_parameters() if p.grad is not None}


def process(rank: int, world: int, gathered: list[Tensor]) -> SimpleNamespace:
    """As a session of one of several processes, which gathers what is listed."""
    queue = list(gathered)
    return SimpleNamespace(
        rank=rank,
        world=world,
        device=torch.device("cpu"),
        settings=TrainingSettings(),
        accelerator=SimpleNamespace(gather=lambda _vectors: queue.pop(0)),
    )


def test_two_processes_take_the_step_that_one_takes() -> None:
    whole = step_gradients(slice(0, 4), process(0, 1, []))
    encoder = make()
    with torch.no_grad():
        pairs = batch_of(slice(0, 4))
        vectors = [encoder.embed_audio(pairs.wav, RATE), encoder.embed_text(pairs.captions)]
    parts = [
        step_gradients(slice(2 * rank, 2 * rank + 2), process(rank, 2, vectors))
        for rank in range(2)
    ]
    assert parts[0].keys() == parts[1].keys() == whole.keys()
    for name, gradient in whole.items():
        mean = (parts[0][name] + parts[1][name]) / 2
        torch.testing.assert_close(mean, gradient, rtol=1e-3, atol=1e-5, msg=name)
    assert float(whole["logit_scale_a"].abs()) > 1e-3


def test_fresh_models_take_their_normalisation_from_the_corpus(tmp_path: Path) -> None:
    encoder = make()
    clips = CaptionedClips(data(tmp_path), "train", RATE)
    measure_input(encoder, clips)
    norm: Any = encoder.model.audio_model.audio_encoder.batch_norm  # type: ignore[union-attr]
    spectra = torch.cat(
        [encoder.mel(clips.read(clip).repeat_interleave(2, 1)) for clip in clips.clips]
    )
    assert norm.running_mean.shape == spectra.shape[-1:]
    mean, variance = norm.running_mean.clone(), norm.running_var.clone()
    assert float(mean.abs().min()) > 1
    measure_input(encoder, CaptionedClips(data(tmp_path / "other", pieces=4), "train", RATE))
    assert torch.equal(norm.running_mean, mean)
    assert torch.equal(norm.running_var, variance)


def test_training_resumes_exactly(tmp_path: Path) -> None:
    build = partial(make, pretraining=ClapPretraining(variety=0.5))
    check_resumed_training(build, tmp_path, [("main", 1)], steps=4)


def test_training_lets_captions_find_their_recordings(tmp_path: Path) -> None:
    corpus, logged = data(tmp_path / "data"), dict[str, float]()
    run = session(tmp_path / "run", 60, batch_size=6)
    run.listeners = (lambda _phase, _step, scalars: logged.update(scalars),)
    encoder = make()
    pairs = distinct_pairs(corpus, "train", 6)
    before = {figure.name: figure.value for figure in recall(encoder, corpus, pairs)}
    encoder.pretrain(corpus, run)
    after = {figure.name: figure.value for figure in recall(encoder, corpus, pairs)}
    assert before["text-to-audio-recall-1"] < 0.5
    assert after["text-to-audio-recall-1"] == after["audio-to-text-recall-1"] == 1.0
    assert logged["found"] == 1.0
    assert 0 <= logged["validation_text_to_audio_recall_1"] <= 1


def weights_after(folder: Path, corpus: AudioDataset, **settings: Any) -> Tensor:
    run = session(folder, 3)
    run.settings = TrainingSettings(**{**vars(run.settings), **settings.pop("training", {})})
    encoder = make(**settings)
    encoder.pretrain(corpus, run)
    return torch.cat([p.detach().flatten() for p in encoder.parameters()])


def test_validation_changes_nothing_and_variety_does(tmp_path: Path) -> None:
    corpus = data(tmp_path / "data")
    plain = weights_after(tmp_path / "plain", corpus, training={"validate_every": 0})
    looked = weights_after(tmp_path / "looked", corpus, training={"validate_every": 1})
    assert torch.equal(plain, looked)
    varied = weights_after(tmp_path / "varied", corpus, pretraining=ClapPretraining(variety=1.0))
    assert not torch.equal(plain, varied)


def test_wrong_training_options_are_named_before_any_step(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"variety = -1: must be at least 0"):
        ClapPretraining(variety=-1)
    run = session(tmp_path / "run", 1)
    run.settings.segment_seconds = 1.5
    with pytest.raises(RecipeError, match=r"segment_seconds = 1\.5: CLAP sees 1 s at a time"):
        make().pretrain(data(tmp_path / "data"), run)
    assert not (tmp_path / "run").exists()


class Told:
    """An encoder that is told where each recording and caption lies."""

    embedding_dim = 3

    def __init__(self, audio: Tensor, text: Tensor) -> None:
        self.audio = iter(audio.unbind())
        self.text = text

    def embed_audio(self, wav: Tensor, sample_rate: int) -> Tensor:
        assert (wav.shape, sample_rate) == ((1, RATE), RATE)
        return next(self.audio).unsqueeze(0)

    def embed_text(self, texts: list[str]) -> Tensor:
        assert texts == [f"tone number {index} rings" for index in range(len(texts))]
        return self.text


def test_recall_counts_those_among_the_nearest(tmp_path: Path) -> None:
    corpus = data(tmp_path, pieces=16)
    pairs = distinct_pairs(corpus, "train", 12)
    assert len(pairs) == 12
    turned = torch.eye(12).roll(1, dims=0)  # each recording lies where the next caption does
    right = {f.name: f for f in recall(Told(torch.eye(12), torch.eye(12)), corpus, pairs)}
    wrong = {f.name: f.value for f in recall(Told(turned, torch.eye(12)), corpus, pairs)}
    alike = {
        f.name: f.value
        for f in recall(Told(torch.ones(12, 3), torch.eye(12)[:, :3]), corpus, pairs)
    }
    assert {figure.value for figure in right.values()} == {1.0}
    assert {figure.n for figure in right.values()} == {12}
    assert set(wrong.values()) == {0.0}  # all others are as near as the right one
    assert alike["text-to-audio-recall-1"] == alike["text-to-audio-recall-10"] == 0.0


def test_each_caption_stands_once_among_pairs(tmp_path: Path) -> None:
    def recordings() -> Iterable[tuple[Example, Audio]]:
        for index, caption in enumerate(["a", "b", "a", None, "c"]):
            yield Example(f"{index}", "test", caption=caption), Audio(torch.ones(1, RATE), RATE)

    corpus = prepare(tmp_path, recordings(), RATE, 1, "repeated")
    assert [clip.example.id for clip in distinct_pairs(corpus, "test", 9)] == ["0", "1", "4"]
    assert [clip.example.id for clip in distinct_pairs(corpus, "test", 2)] == ["0", "1"]
