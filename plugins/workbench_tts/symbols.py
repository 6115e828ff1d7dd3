"""Texts as what a language model reads before it speaks."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from workbench import Example, TextFrontEnd, WorkbenchError


@dataclass(frozen=True)
class Text:
    """Something to say, and its language where that is known."""

    text: str
    language: str | None = None

    @classmethod
    def of(cls, example: Example) -> Text:
        """An example's transcript, which it must have."""
        return cls(example.text or "", example.language)


class Reader:
    """Reads texts by the front end; ``language`` is that of texts that state none, if not empty."""

    def __init__(self, front_end: TextFrontEnd, language: str) -> None:
        self.front_end = front_end
        self.default = language

    @property
    def size(self) -> int:
        """Number of symbols."""
        return self.front_end.size

    def prefix(self, *texts: Text) -> Tensor:
        """Symbols int64 ``[P]`` of the texts; each begins with the symbol of its language."""
        numbers = [self.front_end.encode(text.text, self.language(text)) for text in texts]
        return torch.tensor([number for each in numbers for number in each], dtype=torch.long)

    def language(self, text: Text) -> str:
        """The text's language."""
        language = text.language or self.default
        if not language:
            raise WorkbenchError(
                f"text {text.text!r}: its language is not known; say it with --lang, give the "
                "corpus languages, or set task.options.language"
            )
        return language
