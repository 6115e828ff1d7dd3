"""What codes are drawn with follows from the model, and each takes its share of the settings."""

from dataclasses import replace

import pytest
import torch

from tests.lm.models import PATTERNS, TINY, codes, decisive
from workbench.api.settings import SamplingSettings
from workbench.lm.generate import Generator
from workbench.lm.generators import generator_for
from workbench.lm.refine import Refiner

REFINE = replace(TINY, given_codebooks=1)


def test_a_model_that_fills_in_gets_a_refiner_and_any_other_a_generator():
    assert isinstance(generator_for(decisive(REFINE), SamplingSettings()), Refiner)
    assert isinstance(generator_for(decisive(REFINE), SamplingSettings(), "int8"), Refiner)
    assert isinstance(generator_for(decisive(TINY), SamplingSettings()), Generator)
    assert generator_for(decisive(TINY), SamplingSettings(), "int8").max_batch == 1


def test_refining_has_a_temperature_of_its_own():
    model = decisive(REFINE)
    given = [codes(20, seed=2)[:1]]

    def filled(seed, **settings):
        refiner = generator_for(model, SamplingSettings(**settings))
        return refiner([codes(0)], given, seed=seed)[0]

    assert torch.equal(filled(1, temperature=5.0), filled(2, temperature=0.1))
    hot = {"temperature": 0.0, "refine_temperature": 5.0}
    assert not torch.equal(filled(1, **hot), filled(2, **hot))
    with pytest.raises(ValueError, match="refine_temperature = -1"):
        SamplingSettings(refine_temperature=-1)


@pytest.mark.parametrize("pattern", PATTERNS)
@torch.no_grad()
def test_no_end_is_possible_before_the_least_length(pattern):
    """A uniform model ends each frame with probability 1 / (V + 1)."""
    model = decisive(replace(TINY, pattern=pattern, end_symbol=True))
    model.norm.weight.zero_()
    generator = Generator(model, SamplingSettings())
    prompts, limits = [codes(0)] * 60 + [codes(4)] * 20, [20] * 60 + [3] * 20
    free = [len(result[0]) for result in generator(prompts, limits, seed=1)]
    held = [len(result[0]) for result in generator(prompts, limits, seed=1, at_least=5)]
    assert min(free[:60]) < 5
    assert min(held[:60]) == 5
    assert set(held[60:]) == {3}  # the limit comes first
