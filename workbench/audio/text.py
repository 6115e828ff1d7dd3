"""Text as symbols for models: phonemes or raw characters, in one table over all languages."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from typing import Literal

from workbench.api.errors import WorkbenchError
from workbench.audio.espeak import Espeak
from workbench.audio.phonemes import LANGUAGES, MARKS, language_code, phonemise

TABLE_VERSION = 1
"""Raised whenever ``SYMBOLS`` changes: a model knows its symbols by their numbers."""

OTHER_LANGUAGE = "und"
"""Code of any language without phonemes; its text can be given as characters."""

_LETTERS = (
    "abcdefhijklmnopqrstuvwxyzæðøħŋœɐɑɒɓɔɕɖɗəɘɚɛɜɝɞɟɠɡɢɣɤɥɦɧɨɪɫɬɭɮɯɰɱɲɳɴɵɶɸɹɺɻɽɾʀʁʂʃʄʈʉʊʋʌʍʎʏʐʑʒʔʕ"
    "ʘʙʛʜʝʟʡʢʰʲʷʼˀˈˌːˑ˞ˠˤ˥˦˧˨˩βθχᵊᵻⱱ"
)
"""IPA's letters, marks of stress and length, and Chao's tone letters."""
_COMBINING = "".join(
    chr(code)
    for code in (0x303, 0x306, 0x308, 0x30A, 0x30B, 0x30F, 0x311, 0x318, 0x319, 0x31A, 0x31C, 0x31D,
                 0x31E, 0x31F, 0x320, 0x324, 0x325, 0x327, 0x329, 0x32A, 0x32C, 0x32F, 0x330, 0x334,
                 0x339, 0x33A, 0x33B, 0x33C, 0x33D, 0x361)
)  # fmt: skip
"""IPA's diacritics as combining characters, as NFD leaves them."""

SYMBOLS: tuple[str, ...] = (
    "<pad>",
    *(f"<{code}>" for code in (*LANGUAGES, OTHER_LANGUAGE)),
    " ",
    *MARKS,
    *_LETTERS,
    *_COMBINING,
    *(f"<0x{byte:02x}>" for byte in range(256)),
)
"""The table: padding, languages, the gap between words, marks, IPA, bytes. A symbol's number is its
place. It depends on no corpus, so models trained on different ones agree on it."""

_NUMBERS = {symbol: number for number, symbol in enumerate(SYMBOLS)}
_FIRST_BYTE = _NUMBERS["<0x00>"]


class TextFrontEnd:
    """Text to symbol numbers and back: what a language model is given to speak.

    ``kind="phonemes"`` reads the text by espeak-ng's rules for its language: IPA, each letter,
    diacritic, stress or tone mark a symbol of its own, punctuation kept, words parted by a symbol.
    ``kind="characters"`` gives the text's UTF-8 bytes, for languages without such rules.

    Example: ``front = TextFrontEnd("phonemes"); front.encode("Hello!", "en")`` gives the numbers of
    ``<en> h ə l ˈ o ʊ !``, and ``front.decode`` of them ``"həlˈoʊ!"``.
    """

    def __init__(
        self, kind: Literal["phonemes", "characters"] = "phonemes", espeak: Espeak | None = None
    ) -> None:
        self.kind = kind
        self.symbols = SYMBOLS
        self._espeak = espeak or Espeak()
        self._known: dict[tuple[str, str], tuple[int, ...]] = {}

    @property
    def size(self) -> int:
        """Number of symbols; all numbers lie below it, and 0 is padding."""
        return len(self.symbols)

    def encode(self, text: str, language: str) -> list[int]:
        """Numbers of the language's symbol and of the text's, kept for the next time.

        Raises ``WorkbenchError`` for a language without phonemes and for text that can't be read.
        """
        if (text, language) not in self._known:
            self.prepare([text], language)
        return list(self._known[text, language])

    def prepare(self, texts: Iterable[str], language: str) -> None:
        """Encode many texts of one language at once, which is quicker than one by one."""
        new = [text for text in dict.fromkeys(texts) if (text, language) not in self._known]
        if not new:
            return
        symbols = self._phonemes if self.kind == "phonemes" else self._characters
        for text, numbers in zip(new, symbols(new, language), strict=True):
            self._known[text, language] = tuple(numbers)

    def decode(self, numbers: Iterable[int]) -> str:
        """The phonemes or the text of symbol numbers; padding and languages are left out."""
        encoded = bytearray()
        for number in numbers:
            if not 0 <= number < self.size:
                raise WorkbenchError(f"symbol {number}: must be from 0 to {self.size - 1}")
            if number >= _FIRST_BYTE:
                encoded.append(number - _FIRST_BYTE)
            elif len(self.symbols[number]) == 1:
                encoded += self.symbols[number].encode()
        return encoded.decode(errors="replace")

    def _phonemes(self, texts: Sequence[str], language: str) -> list[list[int]]:
        first = _NUMBERS[f"<{language_code(language)}>"]
        lines = phonemise(texts, language, self._espeak)
        return [
            [first, *(_number(symbol, line, text) for symbol in line)]
            for text, line in zip(texts, lines, strict=True)
        ]

    def _characters(self, texts: Sequence[str], language: str) -> list[list[int]]:
        try:
            code = language_code(language)
        except WorkbenchError:
            code = OTHER_LANGUAGE
        first = _NUMBERS[f"<{code}>"]
        numbers = []
        for text in texts:
            plain = " ".join(unicodedata.normalize("NFC", text).split())
            if not plain:
                raise WorkbenchError(f"text = {text!r}: there is nothing in it")
            numbers.append([first, *(_FIRST_BYTE + byte for byte in plain.encode())])
        return numbers


def _number(symbol: str, line: str, text: str) -> int:
    if symbol not in _NUMBERS:
        raise WorkbenchError(
            f"text = {text!r}: its phonemes {line!r} hold {symbol!r} ({unicodedata.name(symbol)}), "
            f"which is not in the table of symbols (version {TABLE_VERSION}); give the text as "
            "characters"
        )
    return _NUMBERS[symbol]
