"""Metrics whose library runs elsewhere score items as others do."""

from __future__ import annotations

import gc
import sys
import textwrap

import pytest
import torch

from workbench import (
    Audio,
    Environment,
    EvaluationItem,
    Example,
    IsolatedMetric,
    PluginError,
    Score,
    WorkbenchError,
    shared_worker,
)

OWN = Environment("own", ("numpy",))
MODULE = """
import os

def score(generated, reference, sample_rate, gain=1.0):
    assert generated.dtype == reference.dtype == "float32"
    if not reference.any():
        return {"gap": None, "samples": len(generated), "process": os.getpid()}
    gap = gain * abs(generated - reference).mean()
    return {"gap": gap, "samples": len(generated), "process": os.getpid()}
"""
GAP = Score("gap", False, "mean difference", "", version=2)
SAMPLES = Score("samples", True, "length heard")


def item(name, made, truth, rate=8000):
    audio = [Audio(torch.as_tensor(part).float()[None], rate) for part in (made, truth)]
    return EvaluationItem(name, Example(name, "test"), *audio)


@pytest.fixture
def metric(tmp_path):
    def make(*scores, options=None, text=MODULE, rate=8000):
        path = tmp_path / "worker.py"
        path.write_text(textwrap.dedent(text))
        worker = shared_worker(OWN, path, sys.executable)
        return IsolatedMetric(worker, scores, rate, options)

    return make


def test_scores_are_means_over_items_with_the_options(metric):
    scored = metric(GAP, options={"gain": 10.0})
    scored.update(item("a", torch.full((80,), 0.2), torch.full((80,), 0.1)))
    scored.update(item("b", torch.full((80,), 0.4), torch.full((80,), 0.1)))
    (figure,) = scored.compute()
    assert figure.value == pytest.approx(2.0)
    assert figure.per_item == pytest.approx({"a": 1.0, "b": 3.0})
    assert not figure.higher_is_better
    assert figure.settings["version"] == 2
    assert figure.settings["libraries"].keys() == {"numpy"}


def test_audio_is_mono_at_the_rate_and_the_shorter_is_padded(metric):
    scored = metric(GAP, SAMPLES, rate=4000)
    scored.update(item("a", torch.zeros(800), torch.full((1600,), 0.5)))
    gap, samples = scored.compute()
    assert samples.value == 800
    assert gap.value == pytest.approx(0.5, abs=0.02)


def test_an_item_without_a_score_is_left_out(metric):
    scored = metric(GAP)
    scored.update(item("silent", torch.ones(80), torch.zeros(80)))
    scored.update(item("loud", torch.ones(80), torch.full((80,), 0.5)))
    (figure,) = scored.compute()
    assert figure.n == 1
    assert figure.per_item == {"loud": 0.5}


def test_metrics_now_alive_share_a_process_and_nothing_else(metric):
    process = Score("process", True, "")
    one, two = metric(process), metric(process)
    one.update(item("a", torch.ones(8), torch.ones(8)))
    two.update(item("b", torch.ones(8), torch.ones(8)))
    (first,), (second,) = one.compute(), two.compute()
    assert first.value == second.value
    assert first.per_item.keys() == {"a"}
    ended = one.worker._process
    del one, two
    gc.collect()
    assert ended.poll() == 0


def test_a_score_that_is_not_returned_is_the_authors_fault(metric):
    scored = metric(Score("other", True, ""))
    with pytest.raises(PluginError, match="score returns gap, samples, process; expected 'other'"):
        scored.update(item("a", torch.ones(8), torch.ones(8)))


def test_an_error_names_the_item(metric):
    scored = metric(GAP, options={"gain": "loud"})
    with pytest.raises(WorkbenchError, match=r"item 'a': worker.py in environment 'own'"):
        scored.update(item("a", torch.ones(8), torch.ones(8)))
