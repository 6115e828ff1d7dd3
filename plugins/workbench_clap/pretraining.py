"""Trains a CLAP on captioned recordings, contrastively (arXiv 2211.06687).

In each batch, a recording's vector is to lie nearer to its own caption's than to the others', and a
caption's nearer to its own recording's: symmetric cross-entropy over scaled cosines, with a learned
scale for each direction.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim import Optimizer

from workbench import (
    AudioDataset,
    RecipeError,
    TrainingSession,
    TrainingSettings,
    adamw,
    resample_in_graph,
    vary_by,
)
from workbench_clap.pairs import CaptionedClips, Pairs
from workbench_clap.quality import distinct_pairs, recall

if TYPE_CHECKING:
    from workbench_clap.encoder import ClapEncoder
    from workbench_clap.plugin import ClapPretraining

LARGEST_SCALE = 100.0
"""Cosines are scaled by at most this, CLIP's limit."""
STATISTICS_CLIPS = 256
"""Recordings that mean and variance of the mel bands are measured on."""
VALIDATION_PAIRS = 100
"""Held-out pairs that the model is scored on while it trains."""


def pretrain(
    encoder: ClapEncoder, data: AudioDataset, session: TrainingSession, options: ClapPretraining
) -> None:
    """Train ``encoder`` in place for the session's steps, and leave it in eval mode."""
    clips = CaptionedClips(data, "train", _segment(encoder, data.sample_rate, session.settings))
    encoder.to(session.device).requires_grad_(True)
    measure_input(encoder, clips)
    trainee = ContrastiveTraining(encoder, session, data.sample_rate, options.variety)

    def batch(index: int) -> Pairs:
        part = (session.rank, session.world)
        return clips.batch(session.round_batch_size, session.seed, index, part)

    held_out = distinct_pairs(data, "validation", VALIDATION_PAIRS)

    def validate() -> Mapping[str, float]:
        encoder.eval()
        figures = recall(encoder, data, held_out)
        trainee.set_train_mode()
        return {figure.name.replace("-", "_"): figure.value for figure in figures}

    trainee.set_train_mode()
    session.fit(trainee, batch, validate=validate if len(held_out) > 1 else None)
    encoder.eval()


class ContrastiveTraining:
    """A ``Trainee`` of the session: one AdamW over both towers."""

    def __init__(
        self, encoder: ClapEncoder, session: TrainingSession, sample_rate: int, variety: float = 0.0
    ) -> None:
        self.encoder = encoder
        self.session = session
        self.sample_rate = sample_rate
        self.vary = vary_by(variety, encoder.sample_rate)
        self.optimizer = adamw(_groups(encoder.model), session.settings)

    def modules(self) -> dict[str, nn.Module]:
        """The model with both towers and both scales."""
        return {"model": self.encoder.model}

    def optimizers(self) -> dict[str, Optimizer]:
        """One for all."""
        return {"model": self.optimizer}

    def set_train_mode(self) -> None:
        """All but the input's normalisation, which keeps to the corpus' mean and variance."""
        self.encoder.train()
        _input_norm(self.encoder).eval()

    def step(
        self, batch: Pairs, step: int, optimise: Callable[[Tensor, str], Tensor]
    ) -> Mapping[str, float | Tensor]:
        """One step; logs the loss and the share of recordings whose own caption is nearest."""
        del step  # the objective is the same throughout
        rate = self.encoder.sample_rate
        wav = resample_in_graph(batch.wav.to(self.session.device), self.sample_rate, rate)
        heard = wav if self.vary is None else self.vary(wav)
        audio = self._gather(self.encoder.embed_audio(heard, rate))
        text = self._gather(self.encoder.embed_text(batch.captions))
        cosines = audio.float() @ text.float().T
        strangers = _strangers(batch.all_captions).to(cosines.device)
        for_audio, for_text = self._scales()
        loss = contrastive_loss(cosines * for_audio, cosines * for_text, strangers)
        found = (cosines.masked_fill(~strangers, -2.0).amax(dim=1) < cosines.diagonal()).float()
        optimise(loss * self.session.world, "model")
        with torch.no_grad():
            for scale in self._logarithms():
                scale.clamp_(0.0, math.log(LARGEST_SCALE))
        return {"loss": loss.detach(), "found": found.mean(), "scale": for_audio.detach()}

    def _logarithms(self) -> tuple[nn.Parameter, nn.Parameter]:
        model: Any = self.encoder.model
        return model.logit_scale_a, model.logit_scale_t

    def _scales(self) -> Sequence[Tensor]:
        """What cosines are multiplied by, for recordings among captions and the other way round.

        Each process has all of the scales' gradient, but only its own recordings' and captions'
        share of the towers'. The step multiplies the loss by the number of processes, so that the
        loop's mean over them sums the shares; the scales' gradient is divided by it beforehand.
        """
        world = self.session.world
        return [
            log.exp() / world + (log.exp() * (1 - 1 / world)).detach() for log in self._logarithms()
        ]

    def _gather(self, vectors: Tensor) -> Tensor:
        """All processes' vectors ``[N, E]``; the gradient goes to this one's."""
        if self.session.world == 1:
            return vectors
        everyone = self.session.accelerator.gather(vectors.detach())
        first = self.session.rank * len(vectors)
        return torch.cat([everyone[:first], vectors, everyone[first + len(vectors) :]])


def contrastive_loss(audio_logits: Tensor, text_logits: Tensor, strangers: Tensor) -> Tensor:
    """Mean of both directions' cross-entropy, of logits ``[N, N]`` (recordings by captions).

    ``strangers`` (bool ``[N, N]``) says which captions are wrong for which recordings: a pair with
    the same words is neither right nor wrong, and left out.
    """
    right = torch.eye(len(strangers), dtype=torch.bool, device=strangers.device)
    left_out = ~(strangers | right)
    target = torch.arange(len(strangers), device=strangers.device)
    losses = [
        F.cross_entropy(logits.masked_fill(left_out, -math.inf), target)
        for logits in (audio_logits, text_logits.T)
    ]
    return (losses[0] + losses[1]) / 2


def measure_input(encoder: ClapEncoder, clips: CaptionedClips) -> None:
    """Give a fresh model the corpus' mean and variance of each mel band; a trained one has its own.

    A batch's own statistics, which the reference trains with, would be others than those that the
    model is used with, and others in each process.
    """
    norm = _input_norm(encoder)
    if bool(norm.running_mean.any()):
        return
    chosen = clips.clips[:: -(-len(clips.clips) // STATISTICS_CLIPS)]
    device = norm.running_mean.device
    with torch.no_grad():
        spectra = [
            encoder.mel(
                resample_in_graph(
                    clips.read(clip).to(device), clips.data.sample_rate, encoder.sample_rate
                )
            )
            for clip in chosen
        ]
        bands = torch.cat(spectra).flatten(0, 1)
        norm.running_mean.copy_(bands.mean(dim=0))
        norm.running_var.copy_(bands.var(dim=0))


def _input_norm(encoder: ClapEncoder) -> Any:
    model: Any = encoder.model
    return model.audio_model.audio_encoder.batch_norm


def _strangers(captions: Sequence[str]) -> Tensor:
    """Bool ``[N, N]``: whether two captions have different words."""
    number = {caption: i for i, caption in enumerate(dict.fromkeys(captions))}
    ids = torch.tensor([number[caption] for caption in captions])
    return ids[:, None] != ids[None]


def _groups(model: nn.Module) -> list[dict[str, Any]]:
    """Parameters with weight decay (matrices) and without (biases, norms, scales)."""
    matrices = [p for p in model.parameters() if p.dim() > 1]
    rest = [p for p in model.parameters() if p.dim() <= 1]
    return [{"params": matrices}, {"params": rest, "weight_decay": 0.0}]


def _segment(encoder: ClapEncoder, rate: int, settings: TrainingSettings) -> int:
    """Samples of a crop at the data's rate."""
    window = encoder.mel.settings.window / encoder.sample_rate
    if settings.segment_seconds > window:
        problem = (
            f"segment_seconds = {settings.segment_seconds:g}: CLAP sees {window:g} s at a time"
        )
        raise RecipeError([problem], "encoder training")
    return round(settings.segment_seconds * rate)
