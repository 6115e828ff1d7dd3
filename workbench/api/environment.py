"""What a component needs that can't live among the workbench's own libraries."""

from __future__ import annotations

import re
from dataclasses import dataclass

_NAME = re.compile(r"[a-z0-9][a-z0-9_.-]*")


@dataclass(frozen=True)
class Environment:
    """A Python environment of its own, made by ``venv`` and pip when it is first needed.

    ``requirements`` are pip's; pin them, so that scores are the same next year:
    ``Environment("warpq", ("warpq==1.5.1", "setuptools<81"))``. NumPy is always there.
    """

    name: str
    requirements: tuple[str, ...]

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise ValueError(
                f"name = {self.name!r}: small letters, digits, '_', '.' and '-' can name an "
                "environment"
            )
        if not self.requirements:
            raise ValueError("requirements = (): must name what is to be installed")
