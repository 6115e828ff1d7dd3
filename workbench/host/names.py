"""Words for messages: the nearest name, and what is allowed."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


def nearest(name: str, allowed: Iterable[str]) -> str:
    """``"; did you mean 'x'?"`` for the closest of ``allowed``, or ``""`` where none is close."""
    by_lower = {candidate.lower(): candidate for candidate in allowed}
    matches = get_close_matches(name.lower(), by_lower, n=1, cutoff=0.6)
    return f"; did you mean {by_lower[matches[0]]!r}?" if matches else ""


def listing(names: Iterable[str]) -> str:
    """Sorted names for a message, or ``nothing``."""
    return ", ".join(sorted(names)) or "nothing"
