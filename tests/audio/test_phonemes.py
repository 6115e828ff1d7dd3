"""Phonemes: what is kept of a text, what is refused, and one alphabet for every language."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator

import pytest

from workbench import LANGUAGES, Espeak, WorkbenchError, language_code, phonemise
from workbench.audio.text import SYMBOLS

SAMPLES = {
    "en": "The quick brown fox measured thirty-three treasures; a church judge thought it through.",
    "es": "El veloz murciélago hindú comía feliz cardillo y kiwi. ¡Año, lluvia, guerra, verdad!",
    "cmn": "红色的狗找到了七个绿苹果，日本人自己吃知识和思想。",
    "de": "Zwölf Boxkämpfer jagen Viktor quer über den großen Sylter Deich; schöne Pfützen, Genie.",
    "fr": "Portez ce vieux whisky au juge blond qui fume. Un bon vin blanc, l'œuf, la montagne.",
    "it": "Pranzo d'acqua fa volti sghembi. Gli gnocchi, pizza, sbaglio, ciao, città.",
    "pt": "Luís argüia à Júlia que brações, fé, chá, óxido, pôr, zângão eram palavras. Não, muito.",
    "nl": "Pa's wijze lynx bezag vroom het fikse aquaduct. Schoon, vuur, huis, leeuw, zingen.",
    "pl": "Pchnąć w tę łódź jeża lub ośm skrzyń fig. Dźwięk, chrząszcz, dżem.",
    "ca": "Jove xef, porti whisky amb quinze glaçons d'hidrogen, coi! Platja, això, pingüí.",
    "cs": "Příliš žluťoučký kůň úpěl ďábelské ódy. Čtyři, vlk, prst, džbán, auto.",
    "el": "Ξεσκεπάζω την ψυχοφθόρα βδελυγμία. Άγγελος, τζάκι, ευχαριστώ, γιατί.",
    "fi": "Törkylempijävongahdus. Hyvää yötä, kengät, pöytä, shakki, garaasi.",
    "hu": "Árvíztűrő tükörfúrógép. Gyöngy, nyelv, zsák, cukor, dzsungel, tyúk.",
    "ro": "Muzicologă în bej vând whisky și tequila, preț fix. Înțeleg, ghiocel, lupi.",
    "ru": "Съешь же ещё этих мягких французских булок, да выпей чаю. Объект, жюри, дзюдо.",
    "sv": "Flygande bäckasiner söka hwila på mjuka tuvor. Sjuk, kärlek, stjärna, kort, först.",
    "tr": "Pijamalı hasta yağız şoföre çabucak güvendi. Kâğıt, göl, fırın.",
    "uk": "Жебракують філософи при ґанку церкви в Гадячі, ще й шатро їхнє п'яне знаємо.",
}


@pytest.fixture(scope="module")
def espeak() -> Iterator[Espeak]:
    speaker = Espeak()
    yield speaker
    speaker.close()


@pytest.mark.parametrize(
    ("language", "text", "expected"),
    [
        ("en", "Hello, world!", "həlˈoʊ, wˈɜːld!"),
        ("en", "“Yes” - (he  said)... it’s 3.5.", '"jˈɛs" — (hiː sˈɛd)… ɪts θɹˈiː pɔɪnt fˈaɪv.'),
        ("es", "¿Cuándo? ¡Sí!", "¿kwˈando? ¡sˈi!"),
        ("fr", "le whisky blond", "lə wˈɪski blˈɔ̃"),
        ("cmn", "妈麻马骂。", "mˈɑ˥˥ mˈɑ˧˥ mˈɑ˨˩˦ mˈɑ˥˩."),
        ("cmn", "知识，思想", "tʂˈɻ̩˥˥ ʂˈɻ̩˩˩, sɹ̩˥˥ɕˈiɑ˨˩˦ŋ"),
        ("cmn", "吃 WiFi", "tʂʰˈɻ̩˥˥ wˈaɪ fˌaɪ"),
    ],
)
def test_a_text_in_ipa(espeak: Espeak, language: str, text: str, expected: str) -> None:
    (line,) = phonemise([text], language, espeak)
    assert line == unicodedata.normalize("NFD", expected)


def test_mandarin_syllables_that_espeak_lacks(espeak: Espeak) -> None:
    (line,) = phonemise(["兄熊窘穷"], "cmn", espeak)
    assert line.split() == ["ɕioŋ˥˥", "ɕioŋ˧˥", "tɕioŋ˨˩˦", "tɕʰioŋ˧˥"]


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_keeps_to_the_table(espeak: Espeak, language: str) -> None:
    (line,) = phonemise([SAMPLES[language]], language, espeak)
    assert set(line) <= set(SYMBOLS)
    assert line.count(" ") >= 3
    assert line.rstrip()[-1] in ".!"


def test_many_texts_are_read_as_each_alone(espeak: Espeak) -> None:
    texts = ["the end", "an apple, the apple", "read it. I read", "3 cats!"]
    together = phonemise(texts, "en", espeak)
    assert together == [phonemise([text], "en", espeak)[0] for text in texts]


@pytest.mark.parametrize(
    ("text", "language", "message"),
    [
        ("say привет", "en", "'п' .cyrillic small letter pe.*language 'en', which reads latin"),
        ("你好", "es", "cjk unified.*'es'"),
        ("smile ☺", "en", "white smiling face.*leave it out"),
        ("a\x07b", "en", r"'\\x07'.*can't be spoken"),
        ("...", "en", "no words in it"),
        ("  ", "cmn", "no words in it"),
        ("hello", "xx", "language = 'xx': there are phonemes for en, es, cmn.*characters"),
    ],
)
def test_what_can_not_be_read_is_told(
    espeak: Espeak, text: str, language: str, message: str
) -> None:
    with pytest.raises(WorkbenchError, match=message):
        phonemise(["fine" if language != "cmn" else "好", text], language, espeak)


def test_tags_of_corpora_are_understood() -> None:
    tags = ("zh-CN", "sv-SE", "EN_us", "es-419", "cmn")
    assert [language_code(tag) for tag in tags] == ["cmn", "sv", "en", "es", "cmn"]
