"""Several corpora as one."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from workbench import Audio, Corpus, Example, Split

_ADDED = ("source", "copy")
"""What a mixture adds to an example's details."""


@dataclass(frozen=True)
class Part:
    """One corpus of a mixture; ``label`` is its own among the parts and holds no slash."""

    label: str
    corpus: Corpus
    weight: float


class Mixture:
    """Examples of all parts, interleaved so that any stretch of them is mixed alike.

    An example's id is its part's label, a slash, its copy's number where there are several, and its
    own id; its details tell the part's label as ``source``.
    """

    def __init__(self, parts: Sequence[Part]) -> None:
        self._parts = {part.label: part for part in parts}

    def fingerprint(self) -> str:
        """Hash of the parts' fingerprints and weights."""
        digest = hashlib.sha256()
        for part in self._parts.values():
            digest.update(f"{part.label}\0{part.weight}\0{part.corpus.fingerprint()}\n".encode())
        return digest.hexdigest()

    def examples(self, split: Split) -> Iterator[Example]:
        """The examples of all parts; training examples as often as the part's weight says."""
        placed: list[tuple[float, Example]] = []
        for part in self._parts.values():
            examples = [_labelled(part, example) for example in part.corpus.examples(split)]
            if split == "train":
                examples = _weighted(examples, part.weight)
            placed += [((i + 0.5) / len(examples), example) for i, example in enumerate(examples)]
        # The sort is stable: at equal places the parts keep their order.
        for _, example in sorted(placed, key=lambda entry: entry[0]):
            yield example

    def audio(self, example: Example) -> Audio:
        """The recording, from the part it belongs to."""
        label, own_id = example.id.split("/", 1)
        if "copy" in example.details:
            own_id = own_id.split("/", 1)[1]
        details = {key: value for key, value in example.details.items() if key not in _ADDED}
        part = self._parts[label]
        return part.corpus.audio(replace(example, id=own_id, details=details))


def _labelled(part: Part, example: Example) -> Example:
    details = {**example.details, "source": part.label}
    return replace(example, id=f"{part.label}/{example.id}", details=details)


def _weighted(examples: Sequence[Example], weight: float) -> list[Example]:
    """``weight`` times as many examples, spread evenly; repeated ones get ids of their own."""
    result: list[Example] = []
    copies: dict[str, int] = {}
    for i in range(round(weight * len(examples))):
        example = examples[int(i / weight)]
        copy = copies.get(example.id, 0)
        copies[example.id] = copy + 1
        if copy:
            label, own_id = example.id.split("/", 1)
            details = {**example.details, "copy": copy}
            example = replace(example, id=f"{label}/copy{copy}/{own_id}", details=details)
        result.append(example)
    return result
