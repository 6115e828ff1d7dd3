"""The systems of a run: what was generated, and the yardsticks that it is measured against.

From the ceiling to the floors: the ground truth; its codec round trip (what a perfect language
model would reach); what the models generated; another item's true audio in its place; and the
items' own codes shuffled over all items and frames, which keeps how often each code occurs and
nothing else. Round trip and result may be heard from their first codebooks alone as well.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from workbench.api.errors import WorkbenchError
from workbench.api.protocols import Codec
from workbench.api.types import Audio, Codes, Request
from workbench.audio.dataset import AudioDataset
from workbench.evaluation.table import Role

PROMPT = "prompt"
GROUND_TRUTH = "ground truth"
ROUND_TRIP = "codec round trip"
GENERATED = "generated"
ANOTHER_ITEM = "another item"
SHUFFLED = "shuffled codes"


def at_depth(system: str, codebooks: int) -> str:
    """The name of a system that is decoded from its first ``codebooks`` codebooks alone."""
    return f"{system}, {codebooks} codebook{'' if codebooks == 1 else 's'}"


def system_roles(depths: Sequence[int] = ()) -> dict[str, Role]:
    """What each system is for in a table, in order; ``depths`` adds those of fewer codebooks."""
    return {
        GROUND_TRUTH: "truth",
        ROUND_TRIP: "ceiling",
        **{at_depth(ROUND_TRIP, depth): "ceiling" for depth in depths},
        GENERATED: "result",
        **{at_depth(GENERATED, depth): "result" for depth in depths},
        ANOTHER_ITEM: "floor",
        SHUFFLED: "floor",
    }


def reference(request: Request) -> Tensor:
    """The true codes of a held-out request."""
    if request.reference is None:
        raise WorkbenchError(f"request {request.id!r} holds no reference codes to measure against")
    return request.reference


def shuffle_codes(codes: Sequence[Tensor], seed: int) -> list[Tensor]:
    """Each codebook's codes permuted over all frames of all items; shapes ``[K, F]`` are kept."""
    generator = torch.Generator().manual_seed(seed)
    pooled = torch.cat(list(codes), dim=-1)
    rows = [row[torch.randperm(row.numel(), generator=generator)] for row in pooled]
    lengths = [int(c.shape[-1]) for c in codes]
    return list(torch.split(torch.stack(rows), lengths, dim=-1))


class SystemAudio:
    """Makes every system's audio of a run's requests, float32 ``[C, T]`` each."""

    def __init__(
        self, requests: Sequence[Request], data: AudioDataset, codec: Codec, device: str, seed: int
    ) -> None:
        self.requests = requests
        self.data = data
        self.clips = {clip.example.id: clip for clip in data.clips("test")}
        self.codec = codec
        self.device = device
        self.hop = codec.sample_rate / codec.frame_rate
        self.shuffled = shuffle_codes([reference(request) for request in requests], seed)

    def of(self, number: int, generated: Tensor, depths: Sequence[int]) -> Mapping[str, Tensor]:
        """The systems of request ``number`` by name, the prompt among them where there is one."""
        request = self.requests[number]
        true = reference(request)
        systems = {
            GROUND_TRUTH: self.truth(request),
            ROUND_TRIP: self.decode(request, true),
            GENERATED: self.decode(request, generated),
            ANOTHER_ITEM: self.truth(self.requests[(number + 1) % len(self.requests)]),
            SHUFFLED: self.decode(request, self.shuffled[number]),
        }
        for depth in depths:
            systems[at_depth(ROUND_TRIP, depth)] = self.decode(request, true[:depth])
            systems[at_depth(GENERATED, depth)] = self.decode(request, generated[:depth])
        if request.prompt.shape[-1]:
            systems[PROMPT] = self.prompt(request)
        return systems

    def prompt(self, request: Request) -> Tensor:
        """The recording that the prompt's codes were made of."""
        clip = self.clips[request.prompt_from or request.id]
        return self.data.read(clip, 0, self._samples(request.prompt))

    def truth(self, request: Request) -> Tensor:
        """The recording that the reference's codes were made of."""
        start = self._samples(request.prompt) if request.continues else 0
        return self.data.read(self.clips[request.id], start, self._samples(reference(request)))

    @torch.inference_mode()
    def decode(self, request: Request, codes: Tensor) -> Tensor:
        """Audio of ``codes [k, F]`` with any number of codebooks.

        What goes on from its prompt is decoded after it, so that the joint sounds as it would in
        use; a prompt from elsewhere must not be heard in it.
        """
        before = request.prompt[: len(codes)] if request.continues else codes[:, :0]
        values = torch.cat([before, codes], dim=-1)[None].to(self.device)
        wav = self.codec.decode(Codes(values, self.codec.codebook_size, self.codec.frame_rate))
        return wav[0, :, self._samples(before) :].float().cpu()

    def decoded(self, request: Request, codes: Tensor) -> Audio:
        """As :meth:`decode`, with its rate."""
        return Audio(self.decode(request, codes), self.codec.sample_rate)

    def _samples(self, codes: Tensor) -> int:
        """Samples that ``codes [k, F]`` stand for."""
        return round(codes.shape[-1] * self.hop)
