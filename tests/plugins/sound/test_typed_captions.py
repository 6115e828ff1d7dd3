"""The typed captions are unlike the corpus', and name events that it knows."""

from __future__ import annotations

from workbench_corpora.sounds import KINDS

from benchmarks.typed_captions import read_captions
from workbench import Context

RUN = 6
"""No stretch of so many words is shared with a caption of the corpus."""


def stretches(caption):
    words = caption.lower().replace(",", "").split()
    return {tuple(words[n : n + RUN]) for n in range(len(words) - RUN + 1)}


def test_ten_captions_name_known_events():
    captions = read_captions()
    assert len(captions) == 10
    assert all(typed.events and set(typed.events) <= set(KINDS) for typed in captions)


def test_no_caption_of_the_corpus_is_like_a_typed_one(catalog):
    options = {"train": 1500, "validation": 0, "test": 200, "test_wording": "unseen"}
    corpus = Context(catalog, "cpu", 0).build("corpus", "synthetic-sound", options)
    known = {
        stretch
        for split in ("train", "test")
        for example in corpus.examples(split)
        for caption in example.details["captions"]
        for stretch in stretches(caption)
    }
    typed = {stretch for each in read_captions() for stretch in stretches(each.caption)}
    assert len(typed) > 40
    assert not typed & known
