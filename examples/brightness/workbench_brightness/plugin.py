"""What this plugin registers."""

from __future__ import annotations

from dataclasses import dataclass

from workbench import BuildContext, Component, Metric, hookimpl

WORKBENCH_API = 1


@dataclass
class BrightnessOptions:
    """Options of the metric `brightness`."""

    n_fft: int = 1024
    """Window of the spectrum in samples; its hop is a quarter."""

    def __post_init__(self) -> None:
        if self.n_fft < 64:
            raise ValueError(f"n_fft = {self.n_fft}: must be at least 64")


def build(options: BrightnessOptions, _context: BuildContext) -> Metric:
    """The metric."""
    from workbench_brightness.metric import Brightness

    return Brightness(options.n_fft)


@hookimpl
def workbench_metrics() -> list[Component]:
    """One metric."""
    summary = "Difference of the spectral centroid from the truth's, in semitones"
    return [Component("brightness", summary, BrightnessOptions, build)]
