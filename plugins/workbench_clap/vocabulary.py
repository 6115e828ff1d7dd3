"""The tiny text tower's tokenizer: pieces of words, made from a list of words and of endings.

Nothing is trained and nothing fetched: ``words.txt`` holds what captions of sounds are made of. A
longer form is put together from a stem and an ending that other words have too (``ring ##ing``,
``bark ##s``), so that a text tower trained on one form knows something of the others. Words that
are not on the list are spelt; a word with a letter of another script becomes ``<unk>``.
"""

from __future__ import annotations

import string
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from transformers import PreTrainedTokenizerFast

WORDS = Path(__file__).parent / "words.txt"
SPECIAL = ("<s>", "<pad>", "</s>", "<unk>")
"""Numbered 0 to 3, as RoBERTa's and hence CLAP's are."""
ENDINGS = (
    "s es ed d er ers est ing ings ly y ies ier ily ness e en less ful ish al ic ical ation ment "
    "able ity ous ist"
)
_PUNCTUATION = string.punctuation + "’‘“”–—…°"
_SHORTEST_STEM = 3
"""Letters that must be left of a word for a final e or y to be taken for an ending."""


def build_tokenizer() -> Any:
    """The tokenizer, as transformers' fast one; lower case, accents left out."""
    vocabulary = {token: number for number, token in enumerate(tokens())}
    tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token="<unk>"))
    tokenizer.normalizer = normalizers.BertNormalizer(strip_accents=True, lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", special_tokens=[("<s>", 0), ("</s>", 2)]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token="<s>",
        eos_token="</s>",
        pad_token="<pad>",
        unk_token="<unk>",
    )


def tokens() -> list[str]:
    """All tokens in the order of their numbers."""
    letters = string.ascii_lowercase + string.digits
    found = [
        *SPECIAL,
        *letters,
        *_PUNCTUATION,
        *(f"##{letter}" for letter in letters),
        *(f"##{ending}" for ending in ENDINGS.split()),
        *map(_stem, read_words()),
    ]
    return list(dict.fromkeys(found))


def read_words() -> list[str]:
    """The words of ``words.txt``."""
    lines = WORDS.read_text().splitlines()
    return [word for line in lines if not line.startswith("#") for word in line.split()]


def _stem(word: str) -> str:
    """``bubbl`` of ``bubble``, so that ``bubbling`` has it too, and ``nois`` of ``noise``."""
    return word[:-1] if word.endswith(("e", "y")) and len(word) > _SHORTEST_STEM else word
