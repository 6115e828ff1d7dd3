"""The component that this plugin registers. Nothing here imports torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from workbench import BuildContext, Component, hookimpl

if TYPE_CHECKING:
    from workbench_spectra.encoder import LogMelEncoder


@dataclass
class LogMelOptions:
    """Options of the encoder `log-mel`; the defaults have the embedded HuBERT's rates and width."""

    sample_rate: int = 16_000
    """Rate in Hz at which audio is heard; bands reach up to half of it."""
    hop: int = 320
    """Samples from one frame to the next: 50 frames a second."""
    window: int = 512
    """Samples that a frame's spectrum sees; at least `hop`."""
    bands: int = 64
    """Mel bands of a frame."""
    neighbours: int = 1
    """Frames on each side whose bands are put beside a frame's own; the features' width is
    `bands` times (2 `neighbours` + 1), 192 by default. HuBERT base's 768 are 256 bands of a window
    of 2048."""

    def __post_init__(self) -> None:
        for name in ("sample_rate", "hop", "bands"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} = {getattr(self, name)!r}: must be at least 1")
        if self.window < self.hop:
            raise ValueError(f"window = {self.window!r}: must be at least hop = {self.hop}")
        if self.bands > self.window // 2:
            raise ValueError(
                f"bands = {self.bands!r}: must be at most {self.window // 2}, half the window"
            )
        if self.neighbours < 0:
            raise ValueError(f"neighbours = {self.neighbours!r}: must be at least 0")


def build(options: LogMelOptions, context: BuildContext) -> LogMelEncoder:
    """The encoder on the context's device."""
    from workbench_spectra.encoder import LogMelEncoder

    return LogMelEncoder(options).to(context.device)


@hookimpl
def workbench_semantic_encoders() -> list[Component]:
    """Log-mel spectra."""
    summary = "Log-mel spectra, a control: what a semantic encoder teaches that a spectrum doesn't"
    return [Component("log-mel", summary, LogMelOptions, build)]
