"""One of several processes that train a quantiser together; run by test_quantizer.py."""

from __future__ import annotations

import sys

import torch
import torch.distributed as dist

from workbench.codec.config import QuantizerConfig
from workbench.codec.quantizer import ResidualVectorQuantizer


def train(rank: int, world: int, folder: str) -> None:
    """Train three steps on this process' share of the batches and write the state."""
    if world > 1:
        dist.init_process_group("gloo", f"file://{folder}/store", rank=rank, world_size=world)
    data = torch.randn(3, 4, 25, 3, generator=torch.Generator().manual_seed(7))
    rvq = ResidualVectorQuantizer(QuantizerConfig(codebooks=2, size=8, dead_threshold=2.0), 3)
    for step, batch in enumerate(data):
        torch.manual_seed(step)
        rvq(batch.chunk(world)[rank])
        rvq.update()
    torch.save(rvq.state_dict(), f"{folder}/{world}-{rank}.pt")
    if world > 1:
        dist.barrier()  # a process that leaves first may take the other's connection with it
        dist.destroy_process_group()


if __name__ == "__main__":
    train(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3])
