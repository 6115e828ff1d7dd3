"""Generated audio and truth, brought to one length for sample-by-sample comparison."""

from __future__ import annotations

from torch import Tensor
from torch.nn.functional import pad

from workbench import EvaluationItem, WorkbenchError


def aligned(item: EvaluationItem) -> tuple[Tensor, Tensor]:
    """Generated and reference samples ``[C, T]``; the shorter is padded with silence.

    Padding, not cutting: audio that ends early must not score better for it.
    """
    generated, reference = item.generated, item.reference
    for name, a, b in (
        ("sample rate", generated.sample_rate, reference.sample_rate),
        ("channel count", generated.channels, reference.channels),
    ):
        if a != b:
            raise WorkbenchError(
                f"item {item.id!r}: the generated audio's {name} is {a}, its truth's is {b}; "
                f"they must agree"
            )
    length = max(generated.samples.shape[-1], reference.samples.shape[-1])
    one = pad(generated.samples, (0, length - generated.samples.shape[-1]))
    two = pad(reference.samples, (0, length - reference.samples.shape[-1]))
    return one, two
