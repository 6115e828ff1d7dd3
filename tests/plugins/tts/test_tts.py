"""Text to speech: what is read, heard and learnt, what is asked, and when it ends."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from tests.lm.test_training import train
from workbench import (
    Context,
    Example,
    LMConfig,
    LMSizes,
    Request,
    SamplingSettings,
    TextFrontEnd,
    TokenizedExample,
    Wish,
    WorkbenchError,
)
from workbench.lm.drawing import SequenceDrawer
from workbench.lm.generators import generator_for
from workbench.lm.storage import build_model
from workbench.lm.training import sequence_batches
from workbench.testing import SUITES, Subject, judge
from workbench.testing.tasks import CodecNumbers

CODEC = CodecNumbers()
SIZES = LMSizes(width=48, depth=2, heads=2, context=600)
LM = LMConfig.of(SIZES, CODEC.num_codebooks, CODEC.codebook_size)
WORDS = ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"]
FRONT = TextFrontEnd("characters")

CONTINUATION = {"prompt": "continuation", "prompt_seconds": 0.2}
TOLD = {"prompt": "cross-utterance", "prompt_seconds": 0.6}
UNTOLD = {"prompt": "cross-utterance", "prompt_seconds": 0.2, "prompt_text": False}
NONE = {"prompt": "none"}
PROMPTS = pytest.mark.parametrize("prompt", [CONTINUATION, TOLD, UNTOLD, NONE], ids=str)


@pytest.fixture
def build(catalog):
    """A task by its options."""

    def built(**options):
        context = Context(catalog, "cpu", seed=0)
        return context.build("task", "tts", {"front_end": "characters", **options})

    return built


def utterance(name, frames, seed=0, speaker="a", **known):
    generator = torch.Generator().manual_seed(seed)
    codes = torch.randint(CODEC.codebook_size, (CODEC.num_codebooks, frames), generator=generator)
    facts = {"text": "one two", "language": "en", **known}
    return TokenizedExample(Example(name, "test", speaker=speaker, **facts), codes, 50.0)


def corpus(count=20, longest=30):
    rng = np.random.default_rng(0)
    return [
        utterance(
            f"u{n}",
            int(rng.integers(15, longest)),
            n,
            "ab"[n % 2],
            text=" ".join(rng.choice(WORDS, 4)),
        )
        for n in range(count)
    ]


@PROMPTS
@pytest.mark.parametrize("model", ["ar+nar", "delay", "parallel"])
def test_it_keeps_the_contract_in_all_its_forms(catalog, model, prompt):
    seconds = {} if prompt is NONE else {"prompt_seconds": 13.0 if prompt is TOLD else 1.0}
    options = {"front_end": "characters", "model": model, **prompt, **seconds}
    subject = Subject(catalog, "task", "tts", options)
    checks = [
        check for check in SUITES["task"] if check.name != "registering imports nothing heavy"
    ]
    outcomes = [judge(check, subject) for check in checks]
    assert [o.message for o in outcomes if o.verdict == "broken"] == []


def test_two_models_share_the_codebooks_and_one_takes_them_all(build):
    models = build(condition_dropout=0.1).language_models(CODEC, LM)
    assert (models["ar"].num_codebooks, models["ar"].end_symbol) == (1, True)
    assert (models["nar"].num_codebooks, models["nar"].given_codebooks) == (2, 1)
    assert {m.prefix_symbols for m in models.values()} == {FRONT.size}
    assert {m.condition_dropout for m in models.values()} == {0.1}
    (delay,) = build(model="delay").language_models(CODEC, LM).values()
    assert (delay.num_codebooks, delay.pattern, delay.end_symbol) == (2, "delay", True)
    single = LMConfig.of(SIZES, 1, 16)
    assert set(build().language_models(CODEC, single)) == {"ar"}


def draw(task, role, items, index=0, seed=0):
    return SequenceDrawer(task, role, items).of(index, np.random.default_rng(seed))


def test_a_continuation_is_learnt_whole_and_filled_in_after_a_beginning(build):
    task, items = build(**CONTINUATION), [utterance("x", 40)]
    ar = draw(task, "ar", items)
    assert torch.equal(ar.codes, items[0].codes[:1])
    assert ar.loss_from == 0
    assert ar.condition.prefix.tolist() == FRONT.encode("one two", "en")
    beginnings = {draw(task, "nar", items, seed=s).loss_from for s in range(200)}
    assert beginnings == set(range(1, 21))  # 10 frames on average
    assert draw(task, "nar", [utterance("x", 3)]).loss_from in (1, 2)
    assert draw(task, "ar", [utterance("x", 1)]) is None


def test_a_told_prompt_is_another_utterance_with_its_words_before_the_text(build):
    task = build(**TOLD)
    items = [utterance("x", 20), utterance("y", 30, 1, text="five"), utterance("z", 31, 2)]
    for role, learnt in (("ar", 0), ("nar", 30)):
        drawn = [draw(task, role, items, seed=s) for s in range(20)]
        (whole,) = {tuple(d.codes.flatten().tolist()): d for d in drawn if d is not None}.values()
        joined = torch.cat([items[1].codes, items[0].codes], dim=-1)
        assert torch.equal(whole.codes, joined[: len(whole.codes)])
        assert whole.loss_from == learnt
        assert None in drawn  # z is longer than a prompt may be
    read = FRONT.encode("five", "en") + FRONT.encode("one two", "en")
    assert whole.condition.prefix.tolist() == read


def test_an_untold_prompt_is_a_piece_of_another_utterance_and_is_not_learnt(build):
    task, items = build(**UNTOLD), [utterance("x", 20), utterance("y", 12, 1), utterance("z", 9, 2)]
    starts = set()
    for seed in range(40):
        drawn = draw(task, "ar", items, seed=seed)
        if drawn is None:
            continue  # z is shorter than a prompt
        assert drawn.loss_from == 10
        assert torch.equal(drawn.codes[:, 10:], items[0].codes[:1])
        assert drawn.condition.prefix.tolist() == FRONT.encode("one two", "en")
        (start,) = [
            s for s in range(3) if torch.equal(items[1].codes[:1, s : s + 10], drawn.codes[:, :10])
        ]
        starts.add(start)
    assert starts == {0, 1, 2}


def test_recordings_without_text_without_a_partner_or_too_long_are_of_no_use(build):
    assert draw(build(**CONTINUATION), "ar", [utterance("x", 40, text=None)]) is None
    assert draw(build(**UNTOLD), "ar", [utterance("x", 40)]) is None
    assert draw(build(longest_seconds=0.5, **NONE), "ar", [utterance("x", 26)]) is None
    assert draw(build(longest_seconds=0.5, **NONE), "ar", [utterance("x", 25)]) is not None


def test_a_continuation_is_asked_from_the_first_seconds_on(build):
    items = [utterance("x", 40), utterance("short", 10), utterance("silent", 40, text=None)]
    (request,) = build(**CONTINUATION, seconds_per_symbol=0.1).requests(items, CODEC)
    assert torch.equal(request.prompt, items[0].codes[:, :10])
    assert torch.equal(request.reference, items[0].codes[:, 10:])
    assert request.continues
    symbols = len(FRONT.encode("one two", "en"))
    assert request.frames == 50 + 5 * symbols - 10


@pytest.mark.parametrize("prompt", [TOLD, UNTOLD], ids=str)
def test_prompts_go_around_among_a_speakers_utterances(build, prompt):
    items = [
        utterance("a0", 20), utterance("b0", 20, 1, "b"), utterance("a1", 25, 2, text="five"),
        utterance("a2", 22, 3), utterance("c0", 20, 4, "c"), utterance("nobody", 20, 5, None),
    ]  # fmt: skip
    requests = {r.id: r for r in build(**prompt).requests(items, CODEC)}
    assert {key: r.prompt_from for key, r in requests.items()} == {
        "a0": "a1", "a1": "a2", "a2": "a0"
    }  # fmt: skip
    first = requests["a0"]
    assert not first.continues
    assert torch.equal(first.reference, items[0].codes)
    assert torch.equal(first.prompt, items[2].codes[:, : first.prompt.shape[-1]])
    assert first.prompt.shape[-1] == (25 if prompt is TOLD else 10)
    told = FRONT.encode("five", "en") if prompt is TOLD else []
    assert first.condition.prefix.tolist() == told + FRONT.encode("one two", "en")


def test_a_corpus_that_does_not_know_enough_is_refused(build):
    with pytest.raises(WorkbenchError, match="has a transcript, which text-to-speech needs"):
        build().requests([utterance("x", 40, text=None)], CODEC)
    with pytest.raises(WorkbenchError, match="has a speaker, which cross-utterance prompts need"):
        build(**TOLD).requests([utterance("x", 40, speaker=None)], CODEC)
    unknown = [utterance("x", 40, language=None)]
    with pytest.raises(WorkbenchError, match="its language is not known; say it with --lang"):
        build(**NONE).requests(unknown, CODEC)
    (request,) = build(language="es", **NONE).requests(unknown, CODEC)
    assert request.condition.prefix.tolist() == FRONT.encode("one two", "es")


VOICE = torch.arange(16).expand(2, -1)


@pytest.mark.parametrize(
    ("prompt", "wish", "message"),
    [
        (NONE, Wish(language="en"), "needs a text: give --text"),
        (NONE, Wish(prompt=VOICE, text="two", language="en"), "leave --prompt out"),
        (NONE, Wish(text="two"), "say it with --lang"),
        (CONTINUATION, Wish(text="two", language="en"), "give --prompt FILE"),
        (CONTINUATION, Wish(prompt=VOICE, text="two", language="en"), "give --prompt-text"),
        (TOLD, Wish(prompt=VOICE, text="two", language="en"), "give --prompt-text"),
        (UNTOLD, Wish(prompt=VOICE[:, :9], text="two", language="en"), "lasts 0.18 s.*hears 0.2 s"),
    ],
)
def test_what_a_wish_lacks_is_said(build, prompt, wish, message):
    with pytest.raises(WorkbenchError, match=message):
        build(**prompt).request(wish, CODEC)


def test_wishes_are_spoken_in_the_given_voice(build):
    wish = Wish(VOICE, "two", "en", prompt_text="one")
    two, one = FRONT.encode("two", "en"), FRONT.encode("one", "en")
    for prompt, heard, read in (
        (CONTINUATION, 16, one + two), (TOLD, 16, one + two), (UNTOLD, 10, two)
    ):  # fmt: skip
        request = build(seconds_per_symbol=0.1, **prompt).request(wish, CODEC)
        assert torch.equal(request.prompt, VOICE[:, :heard])
        assert request.condition.prefix.tolist() == read
        assert request.frames == 50 + 5 * len(two)
        assert not request.continues  # the result does not begin with what the prompt says
    short = build(**UNTOLD).request(Wish(VOICE, "two", "en", seconds=0.3), CODEC)
    assert short.frames == 15


def test_options_that_make_no_sense_are_refused(build):
    with pytest.raises(WorkbenchError, match="prompt_text = False: must be true unless"):
        build(prompt_text=False)
    for name in ("prompt_seconds", "seconds_per_symbol", "longest_seconds"):
        with pytest.raises(WorkbenchError, match=f"{name} = 0.0: must be above 0"):
            build(**{name: 0.0})
    with pytest.raises(WorkbenchError, match=r"condition_dropout = 1.0: must be in \[0, 1\)"):
        build(condition_dropout=1.0)


class Steps:
    """The batches of a training as a list without end."""

    def __init__(self, batches):
        self.batches = batches

    def __len__(self):
        return 10**6

    def __getitem__(self, step):
        return self.batches(step)


@pytest.mark.parametrize("model", ["ar+nar", "delay"])
def test_twenty_sentences_are_learnt_by_heart_their_ends_included(build, model):
    """Spoken again, each stops where it did, and in a batch with others of other lengths."""
    task, items = build(model=model, **NONE), corpus()
    generators, losses = {}, {}
    for role, config in task.language_models(CODEC, LM).items():
        model = build_model(config, seed=0)
        batches = sequence_batches(task, role, items, model, batch_size=20, seed=0)
        losses[role] = float(train(model, Steps(batches), steps=80)["loss"])
        generators[role] = generator_for(model.eval(), SamplingSettings(temperature=0))
    requests = task.requests(items, CODEC)
    spoken = task.generate(generators, requests, seed=0)
    assert max(losses.values()) < 0.01
    assert all(torch.equal(s, r.reference) for s, r in zip(spoken, requests, strict=True))
    assert len({s.shape[-1] for s in spoken}) > 5


def test_speech_is_never_empty_and_never_longer_than_its_limit(build):
    task = build(**NONE)
    models = task.language_models(CODEC, LM)
    generators = {
        role: generator_for(build_model(config, 0).eval(), SamplingSettings())
        for role, config in models.items()
    }
    base = task.requests([utterance("x", 20)], CODEC)[0]
    limits = [1, 3, 40] * 10
    requests = [
        Request(str(n), base.example, base.prompt, limit, base.condition)
        for n, limit in enumerate(limits)
    ]
    lengths = [int(s.shape[-1]) for s in task.generate(generators, requests, seed=0)]
    assert all(1 <= length <= limit for length, limit in zip(lengths, limits, strict=True))
