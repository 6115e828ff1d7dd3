"""CLAP score: how well generated audio goes with the caption that it was made for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from weakref import WeakValueDictionary

import torch
from torch import Tensor

from workbench import (
    Audio,
    BuildContext,
    EvaluationItem,
    Figure,
    ItemLacks,
    RecipeError,
    TextAudioEncoder,
    audio_hash,
    freeze_judge,
    judge_key,
    mean_figure,
    metric_settings,
)


class CaptionJudge:
    """A frozen encoder of audio and captions that remembers what it has heard and read."""

    def __init__(self, encoder: TextAudioEncoder, device: str) -> None:
        self.encoder = encoder
        self.device = device
        self.fingerprint = freeze_judge(encoder)
        self._heard: dict[str, Tensor] = {}
        self._read: dict[str, Tensor] = {}

    @torch.inference_mode()
    def agreement(self, audio: Audio, caption: str) -> float:
        """Cosine of the vectors of ``audio``, its channels averaged, and of ``caption``."""
        key = audio_hash(audio)
        if key not in self._heard:
            wav = audio.samples.mean(dim=0, keepdim=True).to(self.device)
            self._heard[key] = self.encoder.embed_audio(wav, audio.sample_rate)[0].double().cpu()
        if caption not in self._read:
            self._read[caption] = self.encoder.embed_text([caption])[0].double().cpu()
        return float(torch.cosine_similarity(self._heard[key], self._read[caption], dim=0))


class ClapScore:
    """``clap-score``: mean cosine between audio and caption, in the judge's space.

    Its size says little by itself: cosines of one judge are not another's. Compare with the truth,
    and with audio that was made for other captions.
    """

    def __init__(self, judge: CaptionJudge, name: str) -> None:
        self.judge = judge
        self.name = name
        self._scores: dict[str, float] = {}

    def update(self, item: EvaluationItem) -> None:
        """Take in one item, whose example must have a caption."""
        caption = item.example.caption
        if not caption:
            raise ItemLacks(
                f"clap-score: item {item.id!r} has no caption; use a corpus with captions, or "
                "leave this metric out"
            )
        self._scores[item.id] = self.judge.agreement(item.generated, caption)

    def compute(self) -> list[Figure]:
        """``clap-score``, higher is better."""
        settings = metric_settings(
            "cosine of audio and caption in the judge's space; mean over items",
            version=1,
            models={self.name: self.judge.fingerprint},
            resampler="the judge's own",
        )
        return [mean_figure("clap-score", self._scores, True, settings=settings)]


_shared: WeakValueDictionary[str, CaptionJudge] = WeakValueDictionary()


def shared_judge(name: str, options: Mapping[str, Any], context: BuildContext) -> CaptionJudge:
    """The judge of this encoder and options, shared by the metrics now alive that use it."""
    key = judge_key(name, options, context)
    judge = _shared.get(key)
    if judge is None:
        encoder = context.build("semantic_encoder", name, options)
        if not isinstance(encoder, TextAudioEncoder):
            raise RecipeError(
                [f"judge.name = {name!r}: must be an encoder of audio and captions, as 'clap' is"],
                "clap-score",
            )
        judge = _shared[key] = CaptionJudge(encoder, context.device)
    return judge
