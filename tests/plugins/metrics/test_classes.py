"""Divergence and inception score over a tagger's classes, by numbers known beforehand."""

import math

import numpy as np
import pytest
import torch
from scipy.stats import entropy
from workbench_metrics.classes import (
    ClassDivergence,
    ClassJudge,
    InceptionScore,
    inception,
    shared_class_judge,
)

from workbench import Audio, EvaluationItem, Example, RecipeError

RATE = 100


class Levels:
    """Says that the classes are as likely as the audio's first samples are large."""

    sample_rate = RATE
    tag_rate = 1.0
    classes = ("a", "b", "c", "d")

    def __init__(self):
        self.calls = 0

    def tag(self, wav):
        return self.classify(wav)[None]

    def classify(self, wav):
        self.calls += 1
        return wav[:4] / wav[:4].sum()


def audio(shares):
    return Audio(torch.tensor([*shares, *[0.0] * 96])[None], RATE)


def item(name, generated, reference):
    return EvaluationItem(name, Example(name, "test"), audio(generated), audio(reference))


UNIFORM = [0.25] * 4
SURE = [0.97, 0.01, 0.01, 0.01]


def test_divergence_is_scipys_from_the_truth_to_what_was_made():
    metric = ClassDivergence(ClassJudge(Levels()), "levels")
    metric.update(item("one", UNIFORM, SURE))
    metric.update(item("two", SURE, SURE))
    (figure,) = metric.compute()
    assert figure.per_item["one"] == pytest.approx(entropy(SURE, UNIFORM), rel=1e-5)
    assert figure.per_item["two"] == pytest.approx(0, abs=1e-9)
    assert figure.unit == "nats"
    assert not figure.higher_is_better


def test_a_class_that_is_impossible_costs_no_infinity():
    metric = ClassDivergence(ClassJudge(Levels()), "levels")
    metric.update(item("one", [0.0, 0.5, 0.5, 0.0], [1.0, 0.0, 0.0, 0.0]))
    (figure,) = metric.compute()
    assert 10 < figure.value < 20


def test_the_score_counts_the_classes_that_are_clearly_told():
    metric = InceptionScore(ClassJudge(Levels()), "levels")
    for number in range(4):
        shares = [0.0] * 4
        shares[number] = 1.0
        metric.update(item(str(number), shares, UNIFORM))
    (figure,) = metric.compute()
    assert figure.value == pytest.approx(4, rel=1e-4)
    assert figure.higher_is_better
    assert figure.low < figure.high


def test_the_score_is_the_definition_and_one_where_all_are_alike():
    shares = np.array([SURE, UNIFORM, SURE[::-1]])
    mean = shares.mean(axis=0)
    wanted = math.exp(np.mean([entropy(row, mean) for row in shares]))
    assert inception(shares, np.ones(3)) == pytest.approx(wanted)
    assert inception(shares, np.array([0.0, 3.0, 0.0])) == pytest.approx(1)


def test_the_truth_is_heard_once_for_all_systems():
    judge = ClassJudge(Levels())
    for _ in range(3):
        ClassDivergence(judge, "levels").update(item("one", SURE, UNIFORM))
    assert judge.tagger.calls == 2


def test_an_encoder_without_classes_is_refused(context):
    with pytest.raises(RecipeError, match="judge = 'power': can't name classes; 'tagger' can"):
        shared_class_judge("power", {}, context)
