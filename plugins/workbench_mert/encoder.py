"""MERT (arXiv 2306.00107) as a semantic encoder that the workbench can also train."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from torch import Tensor, nn

from workbench import (
    AudioDataset,
    Survey,
    TrainingSession,
    WaveformEncoder,
    wants_normalized,
    weights_folder,
)
from workbench_mert.checkpoint import (
    SAMPLE_RATE,
    SPECTRAL_INPUT,
    load_model,
    random_model,
)
from workbench_mert.input import has_spectral_input

if TYPE_CHECKING:
    from workbench_mert.plugin import MertOptions, MertPretraining

EMBEDDED = Path(__file__).parent / "weights" / "tiny"
"""Where the weights that are shipped with the plugin lie."""


class MertEncoder(nn.Module):
    """A :class:`WaveformEncoder` at MERT's rates, with its training and its files.

    Does not pad: see :class:`WaveformEncoder` for the number of frames.
    """

    def __init__(self, encoder: WaveformEncoder, pretraining: MertPretraining) -> None:
        super().__init__()
        self.encoder = encoder
        self.pretraining = pretraining
        self.sample_rate = encoder.sample_rate
        self.frame_rate = encoder.frame_rate
        self.dim = encoder.dim
        self.eval()

    def forward(self, wav: Tensor) -> Tensor:
        """Features float32 ``[B, D, F]`` of mono audio float32 ``[B, T]`` at ``sample_rate``."""
        features: Tensor = self.encoder(wav)
        return features

    def survey(self, blocks: Iterable[Tensor], samples: int) -> Survey:
        """What stretches of a recording, which comes in ``blocks`` ``[1, t]``, must know of it."""
        return self.encoder.survey(blocks, samples)

    def within(self, wav: Tensor, survey: Survey, start: int) -> Tensor:
        """Features ``[1, D, F]`` of the stretch ``[1, T]`` of a recording from ``start`` on."""
        return self.encoder.within(wav, survey, start)

    def pretrain(self, data: AudioDataset, session: TrainingSession) -> None:
        """Train in place by masked prediction; see ``pretraining.py``."""
        from workbench_mert.pretraining import pretrain

        pretrain(self.encoder, data, session, self.pretraining)

    def save(self, folder: Path, half: bool = False) -> None:
        """Write a folder that ``weights`` can name; ``half`` stores float16.

        A model without spectral input loads into transformers' ``HubertModel`` as well.
        """
        extra = {SPECTRAL_INPUT: has_spectral_input(self.encoder.model)}
        self.encoder.save(folder, half, extra)


def build_encoder(options: MertOptions, seed: int) -> MertEncoder:
    """The encoder that ``options`` describe, on the CPU; ``seed`` makes random weights."""
    if options.weights == "random":
        model, sample_rate, wanted = random_model(options.size, seed), SAMPLE_RATE, False
    else:
        folder = weights_folder(options.weights, EMBEDDED)
        model, sample_rate = load_model(folder, options.weights)
        wanted = wants_normalized(folder)
    normalize = {"checkpoint": wanted, "on": True, "off": False}[options.normalize]
    encoder = WaveformEncoder(model, sample_rate, options.layers, normalize)
    return MertEncoder(encoder, options.pretraining)
