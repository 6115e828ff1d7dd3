"""Fill in codebooks that an autoregressive model leaves open (the second stage of VALL-E).

Given the first codebooks of all frames, and all codebooks of the prompt, the model predicts one
codebook of all new frames at once, then, with that one, the next (arXiv 2301.02111, section 4.2.2).
Attention goes both ways. Which codebook it is about is told by an embedding at every position.
Shape letters: K codebooks, G given ones, P prompt frames, F new frames, T positions.
"""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Sequence as Items

import torch
from torch import Tensor
from torch.nn import functional as F

from workbench.api.errors import PluginError
from workbench.api.settings import SamplingSettings
from workbench.api.types import Condition, Sequence
from workbench.lm.collate import LaidOut, LMBatch, assemble, check_codebooks, lead_rows
from workbench.lm.config import LMConfig
from workbench.lm.generate import Progress, check_guidance
from workbench.lm.sampling import guided, item_uniforms, sample
from workbench.lm.transformer import TransformerLM
from workbench.lm.vocabulary import Vocabulary


def collate_stage(
    config: LMConfig, sequences: Iterable[Sequence], bare: Tensor, stage: int
) -> LMBatch:
    """A batch that asks for codebook ``stage`` of the frames from each one's ``loss_from`` on.

    Frames before are the prompt, with all codebooks; ``bare`` items go without condition.
    """
    items = list(sequences)
    laid_out = [
        _lay_out(config, item, stage, dropped)
        for item, dropped in zip(items, bare.tolist(), strict=True)
    ]
    return assemble(config, laid_out, [item.condition for item in items], bare)


def _lay_out(config: LMConfig, item: Sequence, stage: int, bare: bool) -> LaidOut:
    """Prefix, start, then a position a frame, which predicts its own frame's codebook."""
    check_codebooks(config, item.codes, "a training sequence")
    vocabulary = Vocabulary.of(config)
    books, frames = item.codes.shape
    offsets = torch.tensor([vocabulary.code_row(k) for k in range(books)])
    rows = (item.codes + offsets[:, None]).t().clone()
    rows[item.loss_from :, stage:] = vocabulary.nothing
    rows = torch.cat((lead_rows(vocabulary, books, item.condition, not bare), rows))
    told = torch.full((len(rows), 1), vocabulary.stage_row(stage))
    asked = torch.arange(item.loss_from, frames)
    empty = torch.zeros(0, dtype=torch.long)
    positions, targets = [empty] * books, [empty] * books
    positions[stage] = asked + len(rows) - frames
    targets[stage] = item.codes[stage, asked]
    return LaidOut(torch.cat((rows, told), dim=1), positions, targets)


class Refiner:
    """Completes continuations whose first codebooks are known.

    As with :class:`~workbench.lm.generate.Generator`, an item's result does not depend on its
    batch. VALL-E takes the likeliest code here: temperature 0 (``refine_temperature`` in recipes).
    """

    def __init__(
        self, model: TransformerLM, sampling: SamplingSettings, max_batch: int = 16
    ) -> None:
        if not model.config.given_codebooks:
            raise ValueError("an autoregressive model fills in nothing: use Generator")
        check_guidance(model.config, sampling)
        self.model = model.eval()
        self.config = model.config
        self.sampling = sampling
        self.max_batch = max_batch

    @torch.inference_mode()
    def __call__(
        self,
        prompts: Items[Tensor],
        given: Items[Tensor],
        conditions: Items[Condition] | None = None,
        seed: int = 0,
        progress: Progress | None = None,
    ) -> list[Tensor]:
        """Codes int64 ``[K, F]`` for each prompt ``[K, P]`` and given codebooks ``[G, F]``."""
        asked = [Condition()] * len(prompts) if conditions is None else list(conditions)
        items = [
            self._item(prompt, known, condition)
            for prompt, known, condition in zip(prompts, given, asked, strict=True)
        ]
        order = sorted(range(len(items)), key=lambda i: items[i].codes.shape[1])
        batches = [order[i : i + self.max_batch] for i in range(0, len(order), self.max_batch)]
        stages = range(self.config.given_codebooks, self.config.num_codebooks)
        for number, batch in enumerate(batches):
            for stage in stages:
                self._fill([items[i] for i in batch], batch, stage, seed)
                if progress is not None:
                    done = number * len(stages) + stage - self.config.given_codebooks + 1
                    progress(done, len(batches) * len(stages))
        return [item.codes[:, item.loss_from :] for item in items]

    def _item(self, prompt: Tensor, known: Tensor, condition: Condition) -> Sequence:
        """Prompt and new frames, the open codebooks zero for now."""
        config = self.config
        check_codebooks(config, prompt, "a prompt")
        if known.dim() != 2 or len(known) != config.given_codebooks:
            raise PluginError(
                f"given codes must be [{config.given_codebooks}, frames], got {list(known.shape)}"
            )
        rest = config.num_codebooks - config.given_codebooks
        new = F.pad(known.cpu(), (0, 0, 0, rest))
        return Sequence(torch.cat((prompt.cpu(), new), dim=1), condition, prompt.shape[1])

    def _fill(self, items: list[Sequence], numbers: list[int], stage: int, seed: int) -> None:
        """Write codebook ``stage`` of the items' new frames."""
        sampling = self.sampling
        hidden = self._hidden(items, stage, bare=False)
        if sampling.guidance_scale != 1:
            bare = self._hidden(items, stage, bare=True)
            hidden = guided(hidden, bare, sampling.guidance_scale)
        counts = [item.codes.shape[1] - item.loss_from for item in items]
        books = self.config.num_codebooks
        uniforms = torch.cat(
            [
                item_uniforms(seed, number, books * count)[stage * count : (stage + 1) * count]
                for number, count in zip(numbers, counts, strict=True)
            ]
        )
        tokens = sample(self.model.logits(hidden, stage), sampling, uniforms.to(hidden.device))
        for item, part in zip(items, torch.split(tokens.cpu(), counts), strict=True):
            item.codes[stage, item.loss_from :] = part

    def _hidden(self, items: list[Sequence], stage: int, bare: bool) -> Tensor:
        """Hidden states ``[N, D]`` of all items' new frames, one after the other."""
        marks = torch.full((len(items),), bare)
        batch = collate_stage(self.config, items, marks, stage).to(self.model.heads.device)
        memory = None
        if batch.memory is not None:
            memory = self.model.without_memory(batch.memory, batch.bare)
        hidden: Tensor = self.model(batch.rows, memory, batch.allowed, batch.visible)
        return hidden.flatten(0, 1)[batch.positions[stage]]
