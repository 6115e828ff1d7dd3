"""What this plugin registers."""

from __future__ import annotations

from dataclasses import dataclass

from workbench import BuildContext, Component, SemanticEncoder, hookimpl

WORKBENCH_API = 1


@dataclass
class MfccOptions:
    """Options of the encoder `mfcc`."""

    count: int = 13
    """Cepstral coefficients; with their differences the features are three times as wide."""

    def __post_init__(self) -> None:
        if not 1 <= self.count <= 40:
            raise ValueError(f"count = {self.count}: must lie in 1 to 40")


def build(options: MfccOptions, context: BuildContext) -> SemanticEncoder:
    """The encoder."""
    from workbench_mfcc_teacher.encoder import MfccEncoder

    return MfccEncoder(options.count).eval().to(context.device)


@hookimpl
def workbench_semantic_encoders() -> list[Component]:
    """One encoder."""
    return [Component("mfcc", "Mel cepstra and their differences", MfccOptions, build)]
