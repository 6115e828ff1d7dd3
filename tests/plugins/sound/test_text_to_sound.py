"""Text to sound: what is told, learnt and asked, how long it lasts, and which result is kept."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn
from workbench_sound.plugin import CaptionOptions, TextToSoundOptions
from workbench_sound.ranking import Ranking
from workbench_sound.reading import Pooled
from workbench_sound.task import TextToSound

from tests.lm.test_training import train
from workbench import (
    Audio,
    Context,
    Example,
    LMConfig,
    LMSizes,
    RecipeError,
    SamplingSettings,
    TextAudioEncoder,
    TextReader,
    TokenizedExample,
    Wish,
    WorkbenchError,
)
from workbench.lm.generators import generator_for
from workbench.lm.storage import build_model
from workbench.lm.training import sequence_batches
from workbench.testing.tasks import CodecNumbers

CODEC = CodecNumbers(frame_rate=10.0)
LM = LMConfig.of(
    LMSizes(width=32, depth=2, heads=2, context=64), CODEC.num_codebooks, CODEC.codebook_size
)
WORDS = ["bell", "rain", "dog", "siren"]
CLAP = {
    "weights": "random",
    "size": {"patch_width": 8, "depths": [1, 1, 1, 1], "heads": [1, 1, 1, 1], "text_layers": 1},
}


class Letters(nn.Module):
    """Reads a text as one vector a word, the same for the same word, and counts its readings."""

    text_dim = 8

    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Embedding(64, 8)
        self.readings = 0

    def read(self, texts):
        self.readings += len(texts)
        words = [text.split() or ["-"] for text in texts]
        rows = [torch.tensor([sum(map(ord, word)) % 64 for word in each]) for each in words]
        return [self.table(each).detach() for each in rows]


@pytest.fixture
def reader():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return Letters()


@pytest.fixture
def build(reader):
    """A task by its options, with ``Letters`` as its reader."""

    def built(ranking=None, **options):
        captions = CaptionOptions(**options.pop("captions", {}))
        return TextToSound(TextToSoundOptions(captions=captions, **options), reader, ranking)

    return built


def item(number, frames=20, caption=None, captions=()):
    """A recording of ``frames`` frames whose codes count up from three times ``number``."""
    details = {"captions": list(captions)} if captions else {}
    example = Example(f"item{number}", "train", caption=caption, details=details)
    codes = ((3 * number + torch.arange(frames)) % 16).expand(CODEC.num_codebooks, -1)
    return TokenizedExample(example, codes, CODEC.frame_rate)


def models_of(task, lm=LM):
    return {
        role: build_model(config, 0) for role, config in task.language_models(CODEC, lm).items()
    }


def test_models_know_what_the_reader_tells_and_how(build):
    (config,) = (
        build(captions={"told_as": "prefix", "dropout": 0.2}).language_models(CODEC, LM).values()
    )
    assert (config.memory_dim, config.memory_as, config.condition_dropout) == (8, "prefix", 0.2)
    assert config.pattern == "delay"
    assert config.end_symbol
    pair = build(model="ar+nar", seconds=2).language_models(CODEC, LM)
    assert {role: c.num_codebooks for role, c in pair.items()} == {"ar": 1, "nar": 2}
    assert pair["nar"].given_codebooks == 1
    assert not pair["ar"].end_symbol


def test_each_of_the_captions_is_learnt_and_read_once(build, reader):
    task = build()
    captioned = item(1, captions=["a bell", "one long bell"])
    drawn = [task.training_sequence("lm", captioned, np.random.default_rng(n)) for n in range(12)]
    assert {len(sequence.condition.memory) for sequence in drawn} == {2, 3}
    assert reader.readings == 2
    assert task.training_sequence("lm", item(1), np.random.default_rng(0)) is None


def test_what_was_read_before_is_not_read_again(build, reader):
    task = build()
    task.remember({"a bell": torch.ones(4, 8)})
    (told,) = task.requests([item(1, caption="a bell")], CODEC)
    assert torch.equal(told.condition.memory, torch.ones(4, 8))
    assert reader.readings == 0
    task.request(Wish(text="a bell far away"), CODEC)
    assert reader.readings == 1


def test_a_fixed_length_takes_random_pieces_and_asks_for_it_exactly(build):
    task = build(seconds=1.0)
    long = TokenizedExample(
        Example("long", "train", caption="a bell"), torch.arange(30).expand(2, 30) % 16, 10.0
    )
    starts = set()
    for seed in range(20):
        codes = task.training_sequence("lm", long, np.random.default_rng(seed)).codes
        assert codes.shape == (2, 10)
        starts.add(int(codes[0, 0]))
    assert len(starts) > 5
    (request,) = task.requests([long], CODEC)
    assert (request.frames, request.at_least, request.reference.shape[-1]) == (10, 10, 10)


def test_where_an_end_is_learnt_recordings_stay_whole_and_limits_hold(build):
    task = build(longest_seconds=3.0, shortest_seconds=0.4)
    (request,) = task.requests([item(1, caption="a bell"), item(2, 31, "a long bell")], CODEC)
    assert (request.id, request.frames, request.at_least) == ("item1", 30, 4)
    assert request.reference.shape[-1] == 20
    rng = np.random.default_rng(0)
    assert task.training_sequence("lm", item(2, 31, "a long bell"), rng) is None
    assert task.training_sequence("lm", item(1, 29, "a bell"), rng).codes.shape[-1] == 29


def test_a_persons_lengths_are_kept(build):
    task = build(longest_seconds=3.0, shortest_seconds=0.4)
    exact = task.request(Wish(text="a bell", duration=5.0), CODEC)
    assert (exact.frames, exact.at_least) == (50, 50)
    most = task.request(Wish(text="a bell", seconds=0.3), CODEC)
    assert (most.frames, most.at_least) == (3, 3)
    with pytest.raises(WorkbenchError, match="--text"):
        task.request(Wish(), CODEC)
    with pytest.raises(WorkbenchError, match="leave --prompt out"):
        task.request(Wish(text="a bell", prompt=torch.zeros(2, 3)), CODEC)
    with pytest.raises(WorkbenchError, match="no test recording has a caption"):
        task.requests([item(1)], CODEC)


@pytest.mark.parametrize("model", ["delay", "parallel", "ar+nar"])
@pytest.mark.parametrize("told_as", ["cross", "prefix"])
def test_captions_decide_the_sound_and_its_length(build, model, told_as):
    """A word stands for codes and for a length; the models learn both by heart."""
    captions = {"told_as": told_as, "dropout": 0.0}
    task = build(model=model, captions=captions, longest_seconds=3.0)
    items = [item(n, frames=6 + 2 * n, caption=word) for n, word in enumerate(WORDS)]
    models = models_of(task)
    for role, lm in models.items():
        batches = sequence_batches(task, role, items, lm, 4, seed=0)
        train(lm, [batches(step) for step in range(4)], steps=60)
    greedy = SamplingSettings(temperature=0)
    generators = {role: generator_for(lm, greedy) for role, lm in models.items()}
    requests = [task.request(Wish(text=word), CODEC) for word in WORDS]
    sounds = task.generate(generators, requests, seed=0)
    for sound, expected in zip(sounds, items, strict=True):
        assert torch.equal(sound, expected.codes)
    exact = [task.request(Wish(text=word, duration=0.9), CODEC) for word in WORDS]
    assert {s.shape[-1] for s in task.generate(generators, exact, seed=0)} == {9}


def test_pooled_captions_are_one_vector(reader):
    (vector,) = Pooled(reader).read(["a bell rings"])
    assert torch.allclose(vector[0], reader.read(["a bell rings"])[0].mean(dim=0))


def test_clap_reads_by_token_and_pooled_in_the_space_shared_with_audio(catalog):
    context = Context(catalog, "cpu", seed=0)
    clap = context.build("semantic_encoder", "clap", CLAP)
    assert isinstance(clap, TextReader)
    assert isinstance(clap, TextAudioEncoder)
    texts = ["a bell", "a very long siren in a large hall"]
    together, alone = clap.read(texts), [clap.read([text])[0] for text in texts]
    assert len(together[0]) < len(together[1])
    for one, other in zip(together, alone, strict=True):
        assert one.shape == (len(other), clap.text_dim)
        assert torch.allclose(one, other, atol=1e-5)
    assert torch.allclose(Pooled(clap).read(texts[:1])[0], clap.embed_text(texts[:1]), atol=1e-6)


def test_an_encoder_that_can_not_read_or_rank_is_refused(catalog):
    context = Context(catalog, "cpu", seed=0)
    deaf = {"name": "hubert", "options": {"weights": "random"}}
    with pytest.raises(RecipeError, match="must be an encoder that reads"):
        context.build("task", "text-to-sound", {"captions": {"encoder": deaf}})
    able = {"encoder": {"name": "clap", "options": CLAP}}
    with pytest.raises(RecipeError, match="must be an encoder of audio and captions"):
        context.build("task", "text-to-sound", {"captions": able, "candidates": 2, "ranker": deaf})


class Loud(nn.Module):
    """Finds loud sounds near to "loud", and quiet ones near to anything else."""

    embedding_dim = 2

    def embed_audio(self, wav, sample_rate):
        level = wav.abs().mean(dim=1)
        return torch.stack([level, 1 - level], dim=1)

    def embed_text(self, texts):
        return torch.tensor([[1.0, 0.0] if text == "loud" else [0.0, 1.0] for text in texts])


def test_the_ranker_prefers_what_is_nearer_to_the_caption(build):
    task = build(ranking=Ranking(Loud(), "cpu"), candidates=2)
    loud, quiet = (Audio(torch.full((1, 100), level), 16000) for level in (0.9, 0.1))
    for word, better, worse in (("loud", loud, quiet), ("quiet", quiet, loud)):
        request = task.request(Wish(text=word), CODEC)
        assert task.rate(request, better) > task.rate(request, worse)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"seconds": -1.0}, "seconds = -1.0: must be at least 0"),
        ({"longest_seconds": 0.0}, "longest_seconds = 0.0: must be above 0"),
        ({"shortest_seconds": 20.0}, "must be at most longest_seconds"),
        ({"candidates": 0}, "candidates = 0: must be at least 1"),
    ],
)
def test_options_that_make_no_sense_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        TextToSoundOptions(**options)
    with pytest.raises(ValueError, match=r"dropout = 1\.0"):
        CaptionOptions(dropout=1.0)
