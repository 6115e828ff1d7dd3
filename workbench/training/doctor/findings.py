"""What the doctor says: what a check saw of one training, and what it found wrong."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Severity = Literal["fault", "warning"]
"""``fault``: the result is not worth having. ``warning``: it suffers, or soon will."""


@dataclass(frozen=True)
class Complaint:
    """One thing that a check finds wrong at one moment.

    ``subject`` tells complaints of one check apart (a level, an optimiser, a loss). ``what`` says
    in a sentence what was measured and why it is wrong, ``advice`` what to do.
    """

    subject: str
    what: str
    advice: str
    severity: Severity = "fault"


@dataclass(frozen=True)
class Look:
    """What one check sees at one moment: the figures that it went by, and its complaints."""

    figures: str
    complaints: tuple[Complaint, ...] = ()


@dataclass(frozen=True)
class Finding:
    """A complaint over time: first and last step at which it was made. ``what`` is the latest."""

    check: str
    phase: str
    first_step: int
    last_step: int
    complaint: Complaint

    @property
    def steps(self) -> str:
        """The steps concerned, in words."""
        if self.first_step == self.last_step:
            return f"step {self.first_step:,}"
        return f"steps {self.first_step:,} to {self.last_step:,}"

    @property
    def sentence(self) -> str:
        """All of it on one line."""
        phase = "" if self.phase == "main" else f"phase {self.phase}, "
        complaint = self.complaint
        return f"{self.check} ({phase}{self.steps}): {complaint.what} {complaint.advice}"
