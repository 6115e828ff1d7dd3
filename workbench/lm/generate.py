"""Continue prompts of codes with a language model, many at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from collections.abc import Sequence as Items
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from workbench.api.errors import RecipeError, WorkbenchError
from workbench.api.settings import SamplingSettings
from workbench.api.types import Condition
from workbench.lm.collate import check_codebooks, collate_memory, lead_rows, token_rows
from workbench.lm.config import LMConfig
from workbench.lm.decode import Decoder, InferenceModel
from workbench.lm.matrices import Precision
from workbench.lm.sampling import guided, item_uniforms, sample, sample_aware
from workbench.lm.transformer import TransformerLM

Progress = Callable[[int, int], None]
"""``progress(done, total)`` in model steps, over all batches of a call."""

UNKNOWN = -1
"""A token that is yet to be generated."""


@dataclass(frozen=True)
class _Item:
    """One thing to generate.

    ``rows`` and ``bare_rows`` ``[T, W]``: input before the first step with anything to generate,
    with and without the condition. ``past`` ``[.., W]``: the prompt's tokens in there. ``grid``
    ``[R, W]``: the tokens from that step on, unknown but for the delayed tail of the prompt.
    ``uniforms`` ``[R, W, draws]``: the item's random numbers.
    """

    rows: Tensor
    bare_rows: Tensor
    past: Tensor
    grid: Tensor
    uniforms: Tensor
    frames: int
    condition: Condition


def check_guidance(config: LMConfig, sampling: SamplingSettings) -> None:
    """Guidance needs a model that has learnt to do without its condition."""
    if sampling.guidance_scale != 1 and not config.condition_dropout:
        raise RecipeError(
            [
                f"guidance_scale = {sampling.guidance_scale}: must be 1 for a model trained "
                "without condition_dropout"
            ],
            "sampling",
        )


class Generator:
    """Draws continuations from a language model.

    An item's result depends on the model, its prompt, its condition, the seed and its place in the
    list, not on how items are batched: each has random numbers of its own, and shorter items are
    padded where attention doesn't look. (Batches of other sizes may round differently in the last
    bits, which changes a draw that lies within that rounding of a boundary.) ``precision`` is that
    of the weights: ``fp16`` and ``int8`` are quicker on large models, ``int8`` item by item.
    """

    def __init__(
        self,
        model: TransformerLM,
        sampling: SamplingSettings,
        max_batch: int = 16,
        precision: Precision = "fp32",
    ) -> None:
        check_guidance(model.config, sampling)
        self.model = InferenceModel(model, precision)
        self.sampling = sampling
        self.max_batch = 1 if precision == "int8" else max_batch

    @torch.inference_mode()
    def __call__(
        self,
        prompts: Items[Tensor],
        frames: int | Items[int],
        conditions: Items[Condition] | None = None,
        seed: int = 0,
        progress: Progress | None = None,
        at_least: int | Items[int] = 0,
    ) -> list[Tensor]:
        """Codes int64 ``[K, <= frames]`` that go on from each prompt ``[K, P]``, prompt excluded.

        Fewer frames come back only from a model with an end symbol, which counts as impossible for
        the first ``at_least`` frames. Either may be one number for all. A prompt may be empty
        (``[K, 0]``).
        """
        counts = [frames] * len(prompts) if isinstance(frames, int) else list(frames)
        given = [Condition()] * len(prompts) if conditions is None else list(conditions)
        least = [at_least] * len(prompts) if isinstance(at_least, int) else list(at_least)
        items = [
            self._item(number, prompt, count, condition, seed)
            for number, (prompt, count, condition) in enumerate(
                zip(prompts, counts, given, strict=True)
            )
        ]
        # Neighbours in length share a batch, so that little of it is padding.
        order = sorted(range(len(items)), key=lambda i: (len(items[i].rows), len(items[i].grid)))
        batches = [order[i : i + self.max_batch] for i in range(0, len(order), self.max_batch)]
        total = sum(max(len(items[i].grid) for i in batch) for batch in batches)
        results: dict[int, Tensor] = {}
        done = 0
        for batch in batches:
            run = _BatchRun(
                self.model, self.sampling, [items[i] for i in batch], [least[i] for i in batch]
            )
            for _ in run.steps():
                done += 1
                if progress is not None:
                    progress(done, total)
            results.update(zip(batch, run.codes(), strict=True))
        return [results[i] for i in range(len(items))]

    def _item(
        self, number: int, prompt: Tensor, frames: int, condition: Condition, seed: int
    ) -> _Item:
        model, pattern = self.model, self.model.pattern
        check_codebooks(model.config, prompt, "a prompt")
        prompt = prompt.cpu()
        tokens = pattern.arrange(F.pad(prompt, (0, frames), value=UNKNOWN)[None], model.absent)[0]
        first = pattern.first_step(prompt.shape[1])
        known = token_rows(model.vocabulary, pattern, tokens[:first])
        leads = [
            lead_rows(model.vocabulary, pattern.width, condition, conditional=conditional)
            for conditional in (True, False)
        ]
        grid = tokens[first : first + pattern.steps(frames)]
        before = model.config.positions_before(condition)
        if before + len(tokens) > model.config.context:
            raise WorkbenchError(
                f"item {number}: {before} positions of condition, {prompt.shape[1]} prompt and "
                f"{frames} new frames take {before + len(tokens)} positions; "
                f"the model's context is {model.config.context}"
            )
        draws = 2 if self.sampling.repetition_window else 1
        uniforms = item_uniforms(seed, number, grid.numel() * draws)
        return _Item(
            rows=torch.cat((leads[0], known)),
            bare_rows=torch.cat((leads[1], known)),
            past=tokens[:first],
            grid=grid,
            uniforms=uniforms.view(*grid.shape, draws),
            frames=frames,
            condition=condition,
        )


class _BatchRun:
    """Generates one batch of items side by side; ``j`` counts model steps from its start.

    B items, R steps, W tokens a step; ``grid`` ``[B, R, W]`` fills up with the result.
    """

    def __init__(
        self,
        model: InferenceModel,
        sampling: SamplingSettings,
        items: list[_Item],
        at_least: list[int],
    ) -> None:
        self.model = model
        self.sampling = sampling
        self.items = items
        self.guide = sampling.guidance_scale != 1
        self.length = max(len(item.grid) for item in items)
        pattern, device = model.pattern, model.device
        frames = torch.arange(max(item.frames for item in items))
        slots = pattern.arrange(frames.expand(1, pattern.num_codebooks, -1), fill=-1)[0]
        self.slot_frames = slots.to(device)
        self.offsets = token_rows(model.vocabulary, pattern, torch.zeros_like(slots)).to(device)
        firsts = slots[:, 0] if model.config.end_symbol else slots.new_full((len(slots),), -1)
        endless = (firsts[:, None] >= 0) & (firsts[:, None] < torch.tensor(at_least))
        self.endless = endless.to(device)
        self.any_endless: list[bool] = endless.any(dim=1).tolist()
        self.ends = torch.tensor([item.frames for item in items], device=device)
        grid = _stack([item.grid for item in items], self.length, UNKNOWN)
        self.forced: list[bool] = (grid != UNKNOWN).flatten(2).any(dim=2).any(dim=0).tolist()
        self.uniforms = _stack([item.uniforms for item in items], self.length, 0).to(device)
        self.back = sampling.repetition_window * model.period
        past = [item.past[max(0, len(item.past) - self.back) :] for item in items]
        if self.back:
            grid = torch.cat((_stack(past, self.back, UNKNOWN, left=True), grid), dim=1)
        self.grid = grid.to(device)

    def steps(self) -> Iterator[int]:
        """Generate, step by step; yields each step's number after it is done."""
        if not self.length:
            return
        decoder, hidden = self._prefill()
        for j in range(self.length):
            if self.guide:
                conditional, bare = hidden.chunk(2)
                hidden = guided(conditional, bare, self.sampling.guidance_scale)
            tokens = self._draw(self.model.logits(hidden, j), j)
            self.grid[:, self.back + j] = tokens
            yield j
            if j + 1 == self.length or self._all_ended(tokens, j):
                return
            rows = tokens + self.offsets[j]
            hidden = decoder.step(torch.cat((rows, rows)) if self.guide else rows)

    def _prefill(self) -> tuple[Decoder, Tensor]:
        """Read the prompts; with guidance, the items follow a second time without condition."""
        rows = [item.rows for item in self.items]
        conditions = [item.condition for item in self.items]
        if self.guide:
            rows += [item.bare_rows for item in self.items]
            conditions *= 2
        longest = max(len(each) for each in rows)
        padding = torch.tensor([longest - len(each) for each in rows])
        batch = _stack(rows, longest, self.model.vocabulary.nothing, left=True)
        device = self.model.device
        ragged = padding.to(device) if bool(padding.any()) else None
        memory, allowed = collate_memory(self.model.config, conditions)
        before = memory.shape[1] if memory is not None and self.model.before is not None else 0
        decoder = Decoder(self.model, len(rows), before + longest + self.length - 1)
        if memory is not None and allowed is not None and self.model.no_memory is not None:
            memory = memory.to(device)
            memory[len(self.items) :] = self.model.no_memory
            decoder.attend_to(memory, allowed.to(device))
        return decoder, decoder.prefill(batch.to(device), ragged)

    def _draw(self, logits: Tensor, j: int) -> Tensor:
        """Tokens ``[B, W]`` of step ``j``, from logits ``[B, W, classes]``."""
        if self.any_endless[j]:
            ends = logits[:, 0, self.model.absent]
            logits[:, 0, self.model.absent] = ends.masked_fill(self.endless[j], -torch.inf)
        flat = logits.flatten(0, 1)
        uniforms = self.uniforms[:, j].flatten(0, 1)
        if self.back:
            recent = self.grid[:, j : j + self.back : self.model.period].transpose(1, 2)
            tokens = sample_aware(flat, self.sampling, uniforms, recent.flatten(0, 1))
        else:
            tokens = sample(flat, self.sampling, uniforms[:, 0])
        tokens = tokens.view(logits.shape[:2])
        if self.forced[j]:
            known = self.grid[:, self.back + j]
            tokens = torch.where(known == UNKNOWN, tokens, known)
        if self.model.config.end_symbol:
            ended = self.slot_frames[j] >= self.ends[:, None]
            tokens = torch.where(ended, self.model.absent, tokens)
        return tokens

    def _all_ended(self, tokens: Tensor, j: int) -> bool:
        """Note which items end at step ``j``; whether no item has anything left to generate."""
        if not self.model.config.end_symbol:
            return False
        frame = self.slot_frames[j, 0]
        first_codebook = j % self.model.period == 0
        if first_codebook:
            over = (tokens[:, 0] == self.model.absent) & (frame >= 0)
            self.ends = torch.where(over, torch.minimum(self.ends, frame), self.ends)
        needed = self.model.pattern.steps(int(self.ends.max()))
        return j + 1 >= needed

    def codes(self) -> list[Tensor]:
        """The result of each item, ``[K, frames]``, without what lies behind its end."""
        grid = self.grid[:, self.back :].cpu()
        pattern = self.model.pattern
        ends = self.ends.tolist()
        return [pattern.restore(grid[b : b + 1], end)[0] for b, end in enumerate(ends)]


def _stack(parts: list[Tensor], length: int, fill: int, left: bool = False) -> Tensor:
    """Tensors ``[n, ...]`` padded to ``length`` (on the left, if so) and stacked."""
    shape = (len(parts), length, *parts[0].shape[1:])
    whole = torch.full(shape, fill, dtype=parts[0].dtype)
    for b, part in enumerate(parts):
        whole[b, slice(length - len(part), None) if left else slice(len(part))] = part
    return whole
