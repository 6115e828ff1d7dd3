"""The roles of a piece: each module writes the notes of one, in beats from the first beat."""

from workbench_corpora.parts.note import BEATS_PER_BAR, Note

__all__ = ["BEATS_PER_BAR", "Note"]
