"""Sentences as a person types them: does a run's speech say them?

``typed_sentences.json`` holds fifty in English, Spanish and Mandarin, in orders of words that the
embedded corpus does not draw, with punctuation and a few words from outside its vocabulary. A run
of the task `tts` speaks each as `workbench generate` does, in the voice of a held-out recording of
that language; the recogniser writes down what it hears. Beside the result: the same sentences by
the synthesiser itself (the judge's own errors), and the results told as the next sentence, which
must be bad. Rates are over all words of a language; Mandarin counts characters as words.

``--draw 50`` takes sentences of the corpus' generator instead, of those that it keeps for testing.
All their words are known then, so that a third rate reads what was heard as the nearest of them
(`closed-wer` of the metric `error-rates`; Mandarin's words are its characters, and have none).

    python benchmarks/typed_sentences.py RUN [--draw 50] [--out results/reference/x.md]
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from workbench_speech.error_rates import errors, rate_figure
from workbench_speech.lexicon import Lexicon, lexicons_of
from workbench_speech.text import characters, normalise, words

from workbench import (
    Audio,
    Context,
    Espeak,
    EspeakVoice,
    Figure,
    Recogniser,
    Wish,
    convert,
    load_catalog,
    write_audio,
)
from workbench.evaluation.table import cell
from workbench.pipeline.comparison import find_run
from workbench.pipeline.trained import TrainedRun, open_run

SENTENCES = Path(__file__).with_suffix(".json")
VOICES: Mapping[str, str] = {"en": "en-us", "es": "es", "cmn": "cmn"}
"""The synthesiser's voice of each language."""
DRAW_SEED = 7000
"""The corpus' seed of drawn sentences, to which ``--seed`` is added: no recipe has one near it."""
CLOSED = "WER, nearest known words"
Count = tuple[int, int]
"""Errors, and true units."""


@dataclass(frozen=True)
class Typed:
    """A sentence and its language's code."""

    text: str
    language: str


def read_sentences(path: Path = SENTENCES) -> list[Typed]:
    """The sentences of a file."""
    return [Typed(entry["text"], entry["language"]) for entry in json.loads(path.read_text())]


def draw_sentences(context: Context, count: int, seed: int) -> list[Typed]:
    """Sentences that the embedded corpus' generator keeps for testing, languages in turn."""
    options = {"train": 1, "validation": 0, "test": count, "seed": DRAW_SEED + seed}
    corpus = context.build("corpus", "synthetic-speech", options)
    return [Typed(example.text, example.language) for example in corpus.examples("test")]


def prompts(context: Context, languages: Sequence[str]) -> dict[str, list[Audio]]:
    """Recordings of held-out voices, by language, that say other sentences."""
    found = {}
    for language in languages:
        options = {
            "train": 1, "validation": 0, "test": 12, "seed": 31, "languages": [language],
            "accented": 0.0,
        }  # fmt: skip
        corpus = context.build("corpus", "synthetic-speech", options)
        found[language] = [corpus.audio(example) for example in corpus.examples("test")]
    return found


def speak(
    run: TrainedRun, sentences: Sequence[Typed], voices: Mapping[str, Sequence[Audio]], seed: int
) -> list[Audio]:
    """Each sentence by the run, its language's voices in turn."""
    made = []
    for number, typed in enumerate(sentences):
        own = voices[typed.language]
        wish = Wish(text=typed.text, language=typed.language)
        audio, _ = run.generate(wish, own[number % len(own)], seed + number)
        made.append(audio)
    return made


def known_words(context: Context) -> dict[str | None, Lexicon]:
    """The corpus' vocabulary in the languages that put spaces between words."""
    options = {"train": 1500, "validation": 0, "test": 0, "languages": ["en", "es"]}
    return lexicons_of(context.build("corpus", "synthetic-speech", options).examples("train"))


def rates(
    judge: Recogniser,
    told: Sequence[Typed],
    speech: Sequence[Audio],
    lexicons: Mapping[str | None, Lexicon],
) -> dict[str, dict[str, Figure]]:
    """Error rates of ``speech`` that should say ``told``, by language and over all."""
    counts: dict[str, dict[str, dict[str, Count]]] = {}

    def count(group: str, name: str, number: int, found: Count) -> None:
        counts.setdefault(group, {}).setdefault(name, {})[str(number)] = found

    for number, (typed, audio) in enumerate(zip(told, speech, strict=True)):
        heard = convert(audio, judge.sample_rate, 1).samples[0]
        said = judge.transcribe(heard, typed.language)
        true = words(typed.text, typed.language)
        for group in (typed.language, "all"):
            count(group, "WER", number, errors(true, words(said, typed.language)))
            letters = (characters(text, typed.language) for text in (typed.text, said))
            count(group, "CER", number, errors(*letters))
        if lexicon := lexicons.get(typed.language):
            nearest = lexicon.nearest(normalise(said, typed.language))
            count(typed.language, CLOSED, number, errors(true, nearest))
    return {
        group: {name: rate_figure(name, each, {}) for name, each in named.items()}
        for group, named in counts.items()
    }


def table(systems: Mapping[str, Mapping[str, Mapping[str, Figure]]]) -> str:
    """Systems and languages in rows, as Markdown."""
    names = list(dict.fromkeys(n for gs in systems.values() for g in gs.values() for n in g))
    lines = [
        f"| speech | language | sentences | {' | '.join(names)} |",
        "|---" * (3 + len(names)) + "|",
    ]
    for system, groups in systems.items():
        for group, figures in groups.items():
            cells = [cell(figures.get(name)) for name in names]
            lines.append(f"| {system} | {group} | {figures['WER'].n} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def next_of_language(sentences: Sequence[Typed]) -> list[Typed]:
    """For each sentence the following one of its language, the last one's being the first."""
    following = []
    for number, typed in enumerate(sentences):
        around = (*sentences[number + 1 :], *sentences[:number])
        following.append(next(other for other in around if other.language == typed.language))
    return following


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", help="a run of the task tts")
    parser.add_argument("--draw", type=int, default=0, help="sentences of the corpus' generator")
    parser.add_argument("--weights", default="embedded", help="the recogniser's")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--results", type=Path, default=Path("results"))
    parser.add_argument("--audio", type=Path, help="folder for the speech")
    parser.add_argument("--out", type=Path, help="Markdown file to write")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    catalog = load_catalog()
    run = open_run(find_run(arguments.run, arguments.results).folder, catalog, "cpu")
    context = Context(catalog, "cpu", arguments.seed)
    judge = context.build("semantic_encoder", "recogniser", {"weights": arguments.weights})
    sentences, lexicons = read_sentences(), {}
    if arguments.draw:
        sentences = draw_sentences(context, arguments.draw, arguments.seed)
        lexicons = known_words(context)
    made = speak(run, sentences, prompts(context, list(VOICES)), arguments.seed)
    espeak = Espeak()
    true = [espeak.speak(t.text, EspeakVoice(VOICES[t.language])).audio for t in sentences]
    systems = {
        "the synthesiser itself": rates(judge, sentences, true, lexicons),
        "generated": rates(judge, sentences, made, lexicons),
        "generated, told as the next sentence": rates(
            judge, next_of_language(sentences), made, lexicons
        ),
    }
    text = table(systems)
    print(text)
    if arguments.out:
        arguments.out.parent.mkdir(parents=True, exist_ok=True)
        arguments.out.write_text(text)
    for number, audio in enumerate(made if arguments.audio else []):
        write_audio(arguments.audio / f"{number:02d}.wav", audio)


if __name__ == "__main__":
    main()
