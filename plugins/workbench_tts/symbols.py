"""Texts as what a language model reads before it speaks: symbols of one table."""

from __future__ import annotations

from collections.abc import Sequence
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


class SymbolTable:
    """The languages, a mark between two texts, and the symbols of the front end, in this order.

    Encoded texts are kept: each is read many times while a model is trained.
    """

    def __init__(self, front_end: TextFrontEnd, languages: Sequence[str]) -> None:
        self.front_end = front_end
        self.languages = list(languages)
        self.boundary = len(self.languages)
        self.size = len(self.languages) + 1 + front_end.size
        self._known: dict[Text, Tensor] = {}

    def prefix(self, *texts: Text) -> Tensor:
        """Symbols int64 ``[P]``: the last text's language, then the texts, with marks between."""
        parts = [torch.tensor([self.languages.index(self.language(texts[-1]))])]
        for number, text in enumerate(texts):
            parts += [torch.tensor([self.boundary])] if number else []
            parts.append(self.symbols(text))
        return torch.cat(parts)

    def symbols(self, text: Text) -> Tensor:
        """Symbols int64 of one text."""
        if text not in self._known:
            encoded = self.front_end.encode(text.text, self.language(text))
            self._known[text] = torch.tensor(encoded, dtype=torch.long) + self.boundary + 1
        return self._known[text]

    def language(self, text: Text) -> str:
        """The text's language, one of the table's; the only one where the text states none."""
        known = ", ".join(self.languages)
        if text.language is None and len(self.languages) == 1:
            return self.languages[0]
        if text.language is None:
            raise WorkbenchError(
                f"text {text.text!r}: its language must be said, one of {known} (--lang)"
            )
        if text.language not in self.languages:
            raise WorkbenchError(
                f"text {text.text!r} is in language {text.language!r}; the task knows {known} "
                "(task.options.languages)"
            )
        return text.language
