"""Registers the music continuation task."""

from __future__ import annotations

from dataclasses import dataclass

from workbench import BuildContext, Component, Task, hookimpl


@dataclass
class MusicContinuationOptions:
    """Lengths of what is heard and of what is to be composed."""

    prompt_seconds: float = 5.0
    """Length of the prompt, in seconds; the paper uses 5."""
    continuation_seconds: float = 5.0
    """Length of the continuation, in seconds; the paper uses 5."""

    def __post_init__(self) -> None:
        for name in ("prompt_seconds", "continuation_seconds"):
            value = getattr(self, name)
            if value <= 0:
                raise ValueError(f"{name} = {value!r}: must be above 0")


def build(options: MusicContinuationOptions, _context: BuildContext) -> Task:
    """The task; it imports nothing heavy, but is made like any other component."""
    from workbench_music.task import MusicContinuation

    return MusicContinuation(options.prompt_seconds, options.continuation_seconds)


@hookimpl
def workbench_tasks() -> list[Component]:
    """The tasks of this plugin."""
    return [
        Component(
            "music-continuation",
            "go on with a piece of music from its first seconds",
            MusicContinuationOptions,
            build,
        )
    ]
