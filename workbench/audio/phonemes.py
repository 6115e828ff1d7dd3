"""Text to phonemes: IPA for many languages, with stress, tones and punctuation kept."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from workbench.api.errors import WorkbenchError
from workbench.audio.espeak import Espeak, Phonemes


@dataclass(frozen=True)
class Language:
    """How a language is pronounced: espeak-ng's voice, and the scripts that it reads."""

    voice: str
    scripts: tuple[str, ...] = ("LATIN",)
    """First words of the Unicode names of the letters that can be read."""
    tonal: bool = False
    """Whether its tones are to be taken from espeak-ng's mnemonics, since IPA loses some."""


LANGUAGES: Mapping[str, Language] = {
    "en": Language("en-us"),
    "es": Language("es"),
    "cmn": Language("cmn", ("CJK", "LATIN"), tonal=True),
    "de": Language("de"),
    "fr": Language("fr"),
    "it": Language("it"),
    "pt": Language("pt-br"),
    "nl": Language("nl"),
    "pl": Language("pl"),
    "ca": Language("ca"),
    "cs": Language("cs"),
    "el": Language("el", ("GREEK", "LATIN")),
    "fi": Language("fi"),
    "hu": Language("hu"),
    "ro": Language("ro"),
    "ru": Language("ru", ("CYRILLIC", "LATIN")),
    "sv": Language("sv"),
    "tr": Language("tr"),
    "uk": Language("uk", ("CYRILLIC", "LATIN")),
}
"""Languages by their codes: ISO 639-1 where there is one, else 639-3."""

_ALIASES = {"zh": "cmn"}

MARKS = tuple('.,;:!?…—"()¿¡')
"""Punctuation that is kept. Other scripts' marks become these; the rest is read out or dropped."""

_REWRITTEN: dict[str, str | int | None] = {
    "。": ". ", "，": ", ", "、": ", ", "；": "; ", "：": ": ", "！": "! ", "？": "? ",
    "（": " (", "）": ") ", "“": '"', "”": '"', "„": '"', "«": '"', "»": '"', "「": ' "',
    "」": '" ', "《": ' "', "》": '" ', "–": "—", "‘": "'", "’": "'", "·": " ",
    # Soft hyphens, joiners and the like have neither shape nor sound.
    **dict.fromkeys("\u00ad\u200b\u200c\u200d\u2060\ufeff"),
}  # fmt: skip
# A mark within a word or a number belongs to it: 3.5, 10:30, e.g.
_SPLIT = re.compile(r'([…—"()¿¡]|[.,;:!?](?=[\s.,;:!?…—"()]|$))')
_FOREIGN = re.compile(r"(\([a-z-]+\).*?\([a-z-]+\))")
"""A stretch that is read as another language: ``(en)_w_ˈɪ_s_k_i_(fr)``."""

# What espeak-ng 1.52 writes for Mandarin in mnemonics instead of IPA, longest first.
_MANDARIN = {
    "ts.h": "tʂʰ", "ts.": "tʂ", "tsh": "tsʰ", "tɕh": "tɕʰ", "ph": "pʰ", "th": "tʰ", "kh": "kʰ",
    "s.": "ʂ", "i.": "ɻ̩", "i̪": "ɹ̩", "o-": "ɤ", "ŋ-": "ŋ", "χ": "x",
}  # fmt: skip
_CHAO = dict(zip("12345", "˩˨˧˦˥", strict=True))
"""Chao's tone letters by the pitch that they mean, 1 low to 5 high."""
# Its Mandarin lacks syllables in -iong, which it reads out as if their spelling were English.
_UNREAD = {"k_ʃ_ə_ŋ": "ɕioŋ", "dʒ_ɪ__ə_ŋ": "tɕioŋ", "k_ɪ__ə_ŋ": "tɕʰioŋ", "r": "ər"}
_UNREAD_TONES = {
    "w_ˈɒ_n": "˥˥", "t_ˈuː": "˧˥", "θ_ɹ_ˈiː": "˨˩˦", "f_ˈɔː": "˥˩", "f_ˈaɪ_v": "˩˩",
}  # fmt: skip


def language_code(name: str) -> str:
    """The code in ``LANGUAGES`` of a tag such as ``en``, ``zh-CN`` or ``es-419``."""
    primary = name.strip().lower().replace("_", "-").split("-")[0]
    code = _ALIASES.get(primary, primary)
    if code not in LANGUAGES:
        raise WorkbenchError(
            f"language = {name!r}: there are phonemes for {', '.join(LANGUAGES)}; "
            "text of other languages can be given as characters"
        )
    return code


def phonemise(texts: Sequence[str], language: str, espeak: Espeak) -> list[str]:
    """Each text in IPA, as NFD: words parted by single spaces, the marks of ``MARKS`` kept.

    Example: ``phonemise(["Hello, world!"], "en", espeak)`` gives ``["həlˈoʊ, wˈɜːld!"]``.
    Raises ``WorkbenchError`` for letters that the language does not read and texts without words.
    """
    code = language_code(language)
    parted = [_parts(text, code) for text in texts]
    spoken = [part for parts in parted for part in parts if _is_spoken(part)]
    read = _mandarin if LANGUAGES[code].tonal else _plain
    said = (read(piece) for piece in espeak.phonemes(spoken, LANGUAGES[code].voice))
    lines = ["".join(_spaced(part, said) for part in parts) for parts in parted]
    for text, line in zip(texts, lines, strict=True):
        if not any(character.isalpha() for character in line):
            raise WorkbenchError(f"text = {text!r}: there are no words in it")
    return [unicodedata.normalize("NFD", " ".join(line.split())) for line in lines]


def _parts(text: str, code: str) -> list[str]:
    """What is spoken and the marks between it, in turn, with their spaces."""
    plain = text.translate(str.maketrans(_REWRITTEN))
    plain = " ".join(unicodedata.normalize("NFC", plain).split())
    plain = plain.replace("...", "…").replace(" - ", " — ")
    for character in plain:
        _check(character, text, code)
    return [part for part in _SPLIT.split(plain) if part]


def _check(character: str, text: str, code: str) -> None:
    """Complain of a letter of a script that the language does not read, and of pictures."""
    category = unicodedata.category(character)
    name = unicodedata.name(character, "UNNAMED")
    scripts = LANGUAGES[code].scripts
    if category[0] == "L" and category != "Lm" and name.split()[0] not in scripts:
        raise WorkbenchError(
            f"text = {text!r}: {character!r} ({name.lower()}) can't be read in language {code!r}, "
            f"which reads {', '.join(scripts).lower()}; give the text's own language"
        )
    if category in {"So", "Cc", "Cn", "Co", "Cs"}:
        raise WorkbenchError(
            f"text = {text!r}: {character!r} ({name.lower()}) can't be spoken; leave it out"
        )


def _is_spoken(part: str) -> bool:
    return not (_SPLIT.fullmatch(part) or part.isspace())


def _spaced(part: str, said: Iterator[str]) -> str:
    """A mark as it is, or the next spoken piece's phonemes with the piece's own spaces."""
    if not _is_spoken(part):
        return part
    before, behind = (" " if character.isspace() else "" for character in (part[0], part[-1]))
    return before + next(said) + behind


def _plain(said: Phonemes) -> str:
    """IPA without the signs for languages, sounds that may be left out (-) and variants (")."""
    return re.sub(r'\([a-z-]+\)|[_"-]', "", said.ipa)


def _mandarin(said: Phonemes) -> str:
    """IPA with tones in Chao's letters, and with stretches of English as they are."""
    stretches = zip(_FOREIGN.split(said.ipa), _FOREIGN.split(said.mnemonics), strict=True)
    return "".join(
        _from_english(ipa) if number % 2 else _with_tones(ipa, mnemonics)
        for number, (ipa, mnemonics) in enumerate(stretches)
    )


def _with_tones(ipa: str, mnemonics: str) -> str:
    """Mandarin syllables with their tones, whose digits only the mnemonics hold in full."""
    words = []
    for word, mnemonic_word in zip(ipa.split(" "), mnemonics.split(" "), strict=True):
        phones = [phone for phone in word.split("_") if phone]
        mnemonic_phones = [phone for phone in mnemonic_word.split("_") if phone not in ("", "|")]
        words.append("")
        for phone, mnemonic in zip(phones, mnemonic_phones, strict=True):
            tone = re.search(r"[1-5]+$", mnemonic)
            sound = phone[:-1] if tone else phone
            for written, meant in _MANDARIN.items():
                sound = sound.replace(written, meant)
            words[-1] += sound + "".join(_CHAO[digit] for digit in (tone.group() if tone else ""))
    return " ".join(words)


def _from_english(stretch: str) -> str:
    """A stretch of English, with the Mandarin syllables that were taken for English put right."""
    spelt = stretch[stretch.index(")") + 1 : stretch.rindex("(")]
    syllables = {
        f"{sounds}_{number}": syllable + tone
        for sounds, syllable in _UNREAD.items()
        for number, tone in _UNREAD_TONES.items()
    }
    words = (word.strip("_") for word in spelt.split(" "))
    return " ".join(syllables.get(word, word.replace("_", "")) for word in words)
