"""Trains the small tagger on recordings whose events are known."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim import Optimizer

from workbench import (
    AudioDataset,
    Clip,
    TrainingSession,
    TrainingSettings,
    WorkbenchError,
    adamw,
    resample_in_graph,
    vary_by,
)
from workbench_tags.network import SAMPLE_RATE, clip_logits, frame_count
from workbench_tags.scenes import Scenes, known_classes, targets
from workbench_tags.truth import annotated

if TYPE_CHECKING:
    from workbench import Optimise
    from workbench_tags.network import SoundTagger

VALIDATION_CLIPS = 100
_DRAW = 0x7A65
"""Told apart from what else is drawn by the same seed."""


def train(model: SoundTagger, data: AudioDataset, session: TrainingSession) -> None:
    """Train ``model`` in place for the session's steps, and leave it in eval mode."""
    classes = known_classes(data)
    if not classes:
        raise WorkbenchError(
            "the corpus names no events in its training recordings (details 'events' or 'labels'), "
            "which a tagger learns from; 'synthetic-sound' does"
        )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(session.seed)
        model.set_classes(classes)
    model.to(session.device).train()
    draw = SceneDraws(data, model, session)
    held_out = [clip for clip in data.clips("validation") if annotated(clip.example)]
    held_out = held_out[:VALIDATION_CLIPS]
    validate = (lambda: held_out_scores(model, data, held_out)) if held_out else None
    session.fit(TaggerTrainee(model, session.settings), draw, validate=validate)
    model.eval()


class SceneDraws:
    """A function from a batch's number to this process' share of it; it depends on that alone."""

    def __init__(self, data: AudioDataset, model: SoundTagger, session: TrainingSession) -> None:
        self.data = data
        self.model = model
        self.session = session
        self.clips = [clip for clip in data.clips("train") if annotated(clip.example)]
        self.vary = vary_by(model.variety, SAMPLE_RATE)

    def __call__(self, index: int) -> Scenes:
        """Recordings come in random order, each once before any comes again."""
        session = self.session
        size = session.round_batch_size
        samples = round(session.settings.segment_seconds * self.data.sample_rate)
        rng = np.random.default_rng((session.seed, index, _DRAW))
        chosen = [self.clips[self._place(index * size + row)] for row in range(size)]
        starts = [int(rng.integers(max(1, clip.samples - samples + 1))) for clip in chosen]
        part = slice(
            session.rank * size // session.world, (session.rank + 1) * size // session.world
        )
        chosen, starts = chosen[part], starts[part]
        wav = torch.stack(
            [self._read(clip, start, samples) for clip, start in zip(chosen, starts, strict=True)]
        )
        wav = resample_in_graph(wav.to(session.device), self.data.sample_rate, SAMPLE_RATE)
        seconds = [start / self.data.sample_rate for start in starts]
        frames = frame_count(wav.shape[-1])
        truth = targets(chosen, seconds, frames, self.model.tag_rate, self.model.classes)
        heard = wav if self.vary is None else self.vary(wav)
        return Scenes(heard, *(tensor.to(session.device) for tensor in truth))

    def _read(self, clip: Clip, start: int, samples: int) -> Tensor:
        wav = self.data.read(clip, start, samples).mean(dim=0)
        return F.pad(wav, (0, samples - len(wav)))

    def _place(self, draw: int) -> int:
        """Which recording draw number ``draw`` of the whole training takes."""
        turn, place = divmod(draw, len(self.clips))
        order = np.random.default_rng((self.session.seed, turn, _DRAW + 1))
        return int(order.permutation(len(self.clips))[place])


class TaggerTrainee:
    """The tagger and its optimiser, as the training loop wants them."""

    def __init__(self, model: SoundTagger, settings: TrainingSettings) -> None:
        self.model = model
        self.optimizer = adamw(model.parameters(), settings)

    def modules(self) -> dict[str, nn.Module]:
        """The tagger."""
        return {"tagger": self.model}

    def optimizers(self) -> dict[str, Optimizer]:
        """One AdamW over all of it."""
        return {"tagger": self.optimizer}

    def step(self, batch: Scenes, step: int, optimise: Optimise) -> dict[str, float | Tensor]:
        """One step; logs the cross-entropies in nats, summed over classes, of frames and clips."""
        del step
        self.model.train()
        scores = self.model.logits(batch.wav, self.model.smoothing).float()
        nats = F.binary_cross_entropy_with_logits(scores, batch.frames, reduction="none")
        timed = batch.timed.sum().clamp_min(1.0)
        frames = (nats.sum(dim=2).mean(dim=1) * batch.timed).sum() / timed
        pooled = F.binary_cross_entropy_with_logits(
            clip_logits(scores), batch.clips, reduction="none"
        )
        clips = pooled.sum(dim=1).mean()
        loss = frames + clips
        optimise(loss, "tagger")
        return {"loss": loss.detach(), "frames": frames.detach(), "clips": clips.detach()}


def held_out_scores(model: SoundTagger, data: AudioDataset, clips: list[Clip]) -> dict[str, float]:
    """Recall and precision of the events of held-out recordings, at a probability of one half."""
    model.eval()
    hits = heard = true = 0
    device = model.head.weight.device
    with torch.inference_mode():
        for clip in clips:
            wav = data.read(clip).mean(dim=0, keepdim=True).to(device)
            wav = resample_in_graph(wav, data.sample_rate, SAMPLE_RATE)
            found = clip_logits(model.logits(wav))[0] > 0
            names = {name for name, yes in zip(model.classes, found.tolist(), strict=True) if yes}
            truth = {event.kind for event in annotated(clip.example)}
            hits, heard, true = hits + len(names & truth), heard + len(names), true + len(truth)
    model.train()
    return {"recall": hits / max(1, true), "precision": hits / max(1, heard)}
