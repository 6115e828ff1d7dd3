"""Captions understood, and events heard, in counts that are known beforehand."""

from __future__ import annotations

import re

import pytest
import torch
from workbench_corpora.sounds import KINDS
from workbench_tags.listening import summed_up
from workbench_tags.recall import EventRecall, columns
from workbench_tags.wishes import VOCABULARY, Vocabulary, Wish, wished

from workbench import Audio, EvaluationItem, Example, ItemLacks, RecipeError, WorkbenchError
from workbench.host.context import Context

CLASSES = ("bell", "dog", "rain", "siren")
RATE = 1000


class FakeTagger:
    """Reads off the audio what is to be heard: second s holds the class of its level, -1 none."""

    sample_rate = RATE
    tag_rate = 1.0
    classes = CLASSES

    def tag(self, wav: torch.Tensor) -> torch.Tensor:
        tags = torch.full((len(wav) // RATE, len(CLASSES)), 0.01)
        for second, level in enumerate(wav[RATE // 2 :: RATE].tolist()):
            if level > -0.5:
                tags[second, round(level * 10)] = 0.95
        return tags

    def classify(self, wav: torch.Tensor) -> torch.Tensor:
        return self.tag(wav).mean(dim=0).softmax(dim=0)


def audio(*kinds: str) -> Audio:
    """One second of each."""
    levels = [CLASSES.index(kind) / 10 if kind else -1.0 for kind in kinds]
    return Audio(torch.tensor(levels).repeat_interleave(RATE)[None], RATE)


def scene(item: str, heard: tuple[str, ...], **said: object) -> EvaluationItem:
    caption = said.pop("caption", None)
    example = Example(item, "test", caption=caption, details=said)  # type: ignore[arg-type]
    return EvaluationItem(item, example, generated=audio(*heard), reference=audio("", ""))


def metric(**options: object) -> EventRecall:
    from workbench_tags.listening import Ear

    vocabulary = Vocabulary({"bell": ["bell"], "dog": ["dog", "bark"], "rain": ["rain"]})
    names = options.get("names", {})
    return EventRecall(Ear(FakeTagger()), "fake", 0.5, vocabulary, names)  # type: ignore[arg-type]


def figures(*items: EvaluationItem, **options: object) -> dict[str, float]:
    asked = metric(**options)
    for item in items:
        asked.update(item)
    return {figure.name: figure.value for figure in asked.compute()}


IN_TURN = [
    {"kind": "dog", "onset": 0.0, "duration": 1.0},
    {"kind": "bell", "onset": 2.0, "duration": 1.0},
]


def test_events_are_counted_over_the_whole_set() -> None:
    got = figures(
        scene("all", ("dog", "", "bell"), events=IN_TURN),
        scene("turned", ("bell", "", "dog"), events=IN_TURN),
        scene("one", ("dog", "rain", "siren"), events=IN_TURN),
        scene("label", ("rain",), labels=["rain"]),
    )
    assert got["event-recall"] == pytest.approx(6 / 7)
    assert got["event-false-alarms"] == pytest.approx(2 / 4)
    assert got["event-order"] == pytest.approx(1 / 3)
    assert got["event-order-heard"] == pytest.approx(1 / 2)


def test_order_is_left_out_where_there_is_none() -> None:
    got = figures(scene("a", ("dog",), labels=["dog"]), scene("b", ("",), labels=["bell"]))
    assert got == {"event-recall": 0.5, "event-false-alarms": 0.0}


def test_what_was_heard_decides_the_order_and_not_how_loud() -> None:
    tags = torch.zeros(10, 2, dtype=torch.float64)
    tags[1:3, 0], tags[8, 1] = 0.9, 0.6
    heard = summed_up(tags, 2.0)
    assert heard.presence.tolist() == pytest.approx([0.9, 0.6])
    assert heard.centre.tolist() == pytest.approx([1.0, 4.25])


def test_a_caption_counts_where_nothing_is_annotated() -> None:
    said = scene("a", ("dog", "bell"), caption="a dog barks, then a bell rings twice")
    assert figures(said) == {
        "event-recall": 1.0,
        "event-false-alarms": 0.0,
        "event-order": 1.0,
        "event-order-heard": 1.0,
    }


def test_names_join_corpus_and_judge() -> None:
    item = scene("a", ("siren", "rain"), labels=["alarm"])
    names = {"alarm": ["siren", "bell"]}
    assert figures(item, names=names) == {"event-recall": 1.0, "event-false-alarms": 0.0}
    with pytest.raises(RecipeError, match="'horn' is no class of the judge"):
        columns(CLASSES, {"alarm": ["horn"]})


def test_what_cannot_be_judged_is_named() -> None:
    with pytest.raises(ItemLacks, match="'a' names no event"):
        metric().update(scene("a", ("dog",), caption="quite something"))
    with pytest.raises(WorkbenchError, match=r"'owl'.*no class for.*'names'"):
        metric().update(scene("a", ("dog",), labels=["owl"]))


def test_an_encoder_that_cannot_tag_is_refused(catalog) -> None:
    speaker = {"name": "speaker", "options": {"weights": "random"}}
    with pytest.raises(RecipeError, match="can't name sound events; 'tagger' can"):
        Context(catalog, "cpu", 0).build("metric", "event-recall", {"judge": speaker})


@pytest.fixture(scope="module")
def vocabulary() -> Vocabulary:
    return Vocabulary.read(VOCABULARY)


def inflected(text: str, ending: int) -> str:
    text = re.sub(r"\[([^|\]]*)\|([^\]]*)\]", lambda m: f"|{m[ending + 1]}", text)
    text = re.sub(r"(?<![eo])e\|ing", "ing", text.replace("{}", ""))
    return " ".join(text.replace("|", "").split())


def test_the_vocabulary_knows_the_corpus_own_words(vocabulary: Vocabulary) -> None:
    assert set(vocabulary.kinds) == set(KINDS)
    for kind in KINDS.values():
        wording = kind.wording
        phrases = (*wording.clauses, *wording.nouns, *wording.unseen_clauses, *wording.unseen_nouns)
        for phrase in phrases:
            for ending in (0, 1):
                text = inflected(phrase, ending)
                assert vocabulary.wish(text).kinds == (kind.name,), text


@pytest.mark.parametrize("wording", ["standard", "unseen"])
def test_the_corpus_captions_are_understood(catalog, vocabulary: Vocabulary, wording: str) -> None:
    options = {"train": 0, "validation": 0, "test": 100, "seed": 7, "test_wording": wording}
    corpus = Context(catalog, "cpu", 0).build("corpus", "synthetic-sound", options)
    right = total = 0
    for example in corpus.examples("test"):
        truth = wished(example, vocabulary)
        for caption in example.details["captions"]:
            found = vocabulary.wish(caption)
            assert set(found.kinds) == set(truth.kinds), caption
            assert set(found.ordered) <= set(truth.ordered), caption
            right, total = right + (set(found.ordered) == set(truth.ordered)), total + 1
    assert right / total > 0.85  # "a and b before c" leaves open which of a and b is first


@pytest.mark.parametrize(
    ("caption", "kinds", "ordered"),
    [
        ("A puppy yelps twice before thunder rolls.", ("dog", "thunder"), [("dog", "thunder")]),
        ("it rains after the church bell tolls", ("rain", "bell"), [("bell", "rain")]),
        ("after the church bell tolls, it rains", ("bell", "rain"), [("bell", "rain")]),
        ("a phone rings while someone is typing", ("phone", "keyboard"), []),
        ("an owl, a frog and crickets", ("owl", "frog", "crickets"), []),
        (
            "a helicopter flies over, later a horn, finally someone laughs as it rains",
            ("helicopter", "horn", "laughter", "rain"),
            [("helicopter", "horn"), ("helicopter", "laughter"), ("horn", "laughter")],
        ),
        ("a dog barks, then the same dog barks again", ("dog",), []),
        ("silence", (), []),
    ],
)
def test_captions_that_a_person_types(
    vocabulary: Vocabulary,
    caption: str,
    kinds: tuple[str, ...],
    ordered: list[tuple[str, str]],
) -> None:
    wish = vocabulary.wish(caption)
    assert isinstance(wish, Wish)
    assert wish.kinds == kinds
    assert sorted(wish.ordered) == ordered


def test_a_vocabulary_of_ones_own_must_be_readable(tmp_path, catalog) -> None:
    path = tmp_path / "words.json"
    path.write_text('{"dog": ["hound"]}')
    assert Vocabulary.read(path).wish("a hound").kinds == ("dog",)
    path.write_text("[]")
    with pytest.raises(RecipeError, match="no JSON object of lists of words"):
        Vocabulary.read(path)
    with pytest.raises(RecipeError, match=r"threshold = 1\.5: must be between 0 and 1"):
        catalog.options("metric", "event-recall", {"threshold": 1.5})
