"""Several corpora as one."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from workbench import Audio, Corpus, Example, RecipeError, SharedCorpus, Split

_ADDED = ("source", "copy", "domain")
"""What a mixture adds to an example's details."""


@dataclass(frozen=True)
class Part:
    """One corpus of a mixture; ``label`` is its own among the parts and holds no slash."""

    label: str
    corpus: Corpus
    weight: float
    share: float | None = None

    @property
    def inner_shares(self) -> Mapping[str, float]:
        """Shares of the crops that the corpus itself states."""
        return self.corpus.crop_shares() if isinstance(self.corpus, SharedCorpus) else {}


class Mixture:
    """Examples of all parts, interleaved so that any stretch of them is mixed alike.

    An example's id is its part's label, a slash, its copy's number where there are several, and its
    own id; its details tell the part's label as ``source``, and as ``domain`` where parts have
    shares of the training crops.
    """

    def __init__(self, parts: Sequence[Part]) -> None:
        self._parts = {part.label: part for part in parts}
        for number, part in enumerate(parts):
            if part.share is None and part.inner_shares:
                raise RecipeError(
                    [
                        f"parts.{number}.share = None: must be a number, as for all parts, since "
                        "this part states shares of its own"
                    ],
                    "mixture corpus",
                )

    def fingerprint(self) -> str:
        """Hash of the parts' fingerprints, weights and shares."""
        digest = hashlib.sha256()
        for part in self._parts.values():
            numbers = f"{part.weight}\0{part.share}"
            digest.update(f"{part.label}\0{numbers}\0{part.corpus.fingerprint()}\n".encode())
        return digest.hexdigest()

    def crop_shares(self) -> Mapping[str, float]:
        """Share of the training crops by domain: a part, or a part's own domain."""
        shares: dict[str, float] = {}
        for part in self._parts.values():
            if part.share is None:
                continue
            inner = part.inner_shares
            total = sum(inner.values())
            for domain, share in inner.items():
                shares[f"{part.label}/{domain}"] = part.share * share / total
            if not inner:
                shares[part.label] = part.share
        return shares

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
    if part.share is not None:
        inner = f"/{example.details['domain']}" if part.inner_shares else ""
        details["domain"] = part.label + inner
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
