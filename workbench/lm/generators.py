"""What codes are drawn with, chosen by what a language model has learnt."""

from __future__ import annotations

from dataclasses import replace

from workbench.api.settings import SamplingSettings
from workbench.lm.generate import Generator
from workbench.lm.matrices import Precision
from workbench.lm.refine import Refiner
from workbench.lm.transformer import TransformerLM


def generator_for(
    model: TransformerLM, sampling: SamplingSettings, precision: Precision = "fp32"
) -> Generator | Refiner:
    """A :class:`Refiner` for a model that fills in codebooks, a :class:`Generator` for any other.

    ``precision`` is that of a generator's weights. A refiner passes over whole sequences a few
    times, where narrow weights save nothing; it keeps 32 bits.
    """
    if model.config.given_codebooks:
        return Refiner(model, replace(sampling, temperature=sampling.refine_temperature))
    return Generator(model, sampling, precision=precision)
