"""What metrics that ask a model have in common: it is frozen, told by a hash, and shared.

Metrics remember what a judge said of a clip by :func:`audio_hash`, since the truth is the same for
every system of a table, and share a judge among them by :func:`judge_key`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from workbench.api.protocols import BuildContext
from workbench.api.types import Audio


def freeze_judge(judge: object) -> str:
    """Put the judge into eval mode, without gradients, and return a hash of its weights."""
    digest = hashlib.sha256()
    if isinstance(judge, nn.Module):
        judge.eval().requires_grad_(False)
        for name, tensor in judge.state_dict().items():
            raw = tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8)
            digest.update(name.encode() + raw.numpy().tobytes())
    return digest.hexdigest()[:16]


def audio_hash(audio: Audio) -> str:
    """Equal for equal samples at an equal rate."""
    samples = audio.samples.detach().cpu().contiguous()
    header = f"{audio.sample_rate} {list(samples.shape)}".encode()
    return hashlib.sha256(header + samples.numpy().tobytes()).hexdigest()


def judge_key(name: str, options: Mapping[str, Any], context: BuildContext) -> str:
    """Equal for judges that are built alike."""
    return json.dumps([name, dict(options), context.device, context.seed], sort_keys=True)
