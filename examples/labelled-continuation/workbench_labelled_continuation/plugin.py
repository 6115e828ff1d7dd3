"""What this plugin registers."""

from __future__ import annotations

from dataclasses import dataclass

from workbench import BuildContext, Component, Task, hookimpl

WORKBENCH_API = 1


@dataclass
class LabelledOptions:
    """Options of the task `labelled-continuation`."""

    label: str = "caption"
    """What names the sound: `caption`, `speaker`, `language`, or an entry of the details."""
    symbols: int = 64
    """Symbols that labels are hashed to."""
    prompt_seconds: float = 2.0
    """Length of what is heard, in seconds."""
    continuation_seconds: float = 2.0
    """Length of what is to be generated, in seconds."""

    def __post_init__(self) -> None:
        if not self.label:
            raise ValueError("label = '': must name what the sounds are told apart by")
        if self.symbols < 1:
            raise ValueError(f"symbols = {self.symbols}: must be at least 1")
        for name in ("prompt_seconds", "continuation_seconds"):
            if getattr(self, name) <= 0:
                raise ValueError(f"{name} = {getattr(self, name)}: must be above 0")


def build(options: LabelledOptions, _context: BuildContext) -> Task:
    """The task."""
    from workbench_labelled_continuation.task import LabelledContinuation

    return LabelledContinuation(options)


@hookimpl
def workbench_tasks() -> list[Component]:
    """One task."""
    summary = "Go on with a sound of a given label"
    return [Component("labelled-continuation", summary, LabelledOptions, build)]
