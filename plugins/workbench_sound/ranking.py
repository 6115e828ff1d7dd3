"""Chooses among several results for a caption."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from workbench import Audio, BuildContext, RecipeError, TextAudioEncoder

if TYPE_CHECKING:
    from workbench_sound.plugin import TextToSoundOptions


class Ranking:
    """Nearness of sounds and captions in the space of a frozen encoder of both."""

    def __init__(self, encoder: Any, device: str) -> None:
        self.encoder = encoder.eval().requires_grad_(False)
        self.device = device

    @torch.no_grad()
    def nearness(self, audio: Audio, caption: str) -> float:
        """Cosine of the vectors of ``audio``, its channels averaged, and of ``caption``."""
        wav = audio.samples.mean(dim=0, keepdim=True).to(self.device)
        heard = self.encoder.embed_audio(wav, audio.sample_rate)[0]
        read = self.encoder.embed_text([caption])[0]
        return float(torch.cosine_similarity(heard.float(), read.float(), dim=0))


def build_ranking(options: TextToSoundOptions, context: BuildContext) -> Ranking | None:
    """What the option ``ranker`` names; None where there is nothing to choose."""
    if options.candidates == 1:
        return None
    chosen = options.ranker
    encoder = context.build("semantic_encoder", chosen.name, chosen.options)
    if not isinstance(encoder, TextAudioEncoder):
        raise RecipeError(
            [f"ranker.name = {chosen.name!r}: must be an encoder of audio and captions, as 'clap'"],
            "options of task 'text-to-sound'",
        )
    return Ranking(encoder, context.device)
