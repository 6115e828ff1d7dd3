"""Plain folders of audio as systems: a reference folder, and one for each system beside it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from workbench.api.errors import AudioError, RecipeError
from workbench.api.types import Example
from workbench.audio.blocks import audio_info
from workbench.audio.io import AUDIO_SUFFIXES
from workbench.pipeline.evaluate.items import FileSystem, ItemFiles
from workbench.pipeline.systems import ANOTHER_ITEM, GENERATED, GROUND_TRUTH

NAMED = 5
"""Files that are named where many are wrong in the same way; the rest is counted."""


def folder_systems(
    reference: Path,
    generated: Mapping[str, Path],
    texts: Mapping[str, Example],
    prompts: Path | None = None,
    rate: int = 0,
    items: int | None = None,
) -> list[FileSystem]:
    """Truth, systems by name, and another item's truth as a floor, over the first ``items``.

    Files belong together where their paths within the folders are equal but for the ending. Each
    folder must hold a partner for every file of the reference, and nothing else. ``texts`` tells
    what is known of an item. Raises ``RecipeError`` with every problem.
    """
    problems: list[str] = []
    truth = audio_stems(reference, "--reference", problems)
    folders = {name: audio_stems(path, "--generated", problems) for name, path in generated.items()}
    heard = audio_stems(prompts, "--prompts", problems) if prompts is not None else {}
    if not problems:
        for name, files in folders.items():
            problems += _partners(truth, files, f"--generated {name}={generated[name]}")
        if prompts is not None:
            problems += _partners(truth, heard, f"--prompts {prompts}")
    if not problems:
        problems = _unreadable([truth, *folders.values(), heard])
    if not problems and len(truth) < 2:
        problems.append(f"--reference {reference}: holds one file; figures need at least 2")
    if problems:
        raise RecipeError(problems, "evaluate")
    chosen = sorted(truth)[:items]
    examples = {stem: texts.get(stem, Example(stem, "test")) for stem in chosen}

    def system(files: Sequence[Path]) -> list[ItemFiles]:
        return [
            ItemFiles(
                stem, examples[stem], file, truth[stem], heard.get(stem), continues=False, rate=rate
            )
            for stem, file in zip(chosen, files, strict=True)
        ]

    true = [truth[stem] for stem in chosen]
    return [
        FileSystem(GROUND_TRUTH, "truth", system(true)),
        *(
            FileSystem(name, "result", system([files[stem] for stem in chosen]))
            for name, files in folders.items()
        ),
        FileSystem(ANOTHER_ITEM, "floor", system([*true[1:], true[0]])),
    ]


def named_folders(given: Sequence[str]) -> dict[str, Path]:
    """Systems of ``NAME=DIR``; a single folder without a name is called ``generated``."""
    folders: dict[str, Path] = {}
    for text in given:
        name, equals, path = text.partition("=")
        if not equals:
            if len(given) > 1:
                raise RecipeError(
                    [f"--generated {text}: several systems need names, as in NAME={text}"],
                    "evaluate",
                )
            name, path = GENERATED, text
        if name in folders or name in (GROUND_TRUTH, ANOTHER_ITEM) or not name:
            raise RecipeError(
                [f"--generated {text}: the name {name!r} is taken; name each system once"],
                "evaluate",
            )
        folders[name] = Path(path).expanduser()
    return folders


def audio_stems(folder: Path, option: str, problems: list[str]) -> dict[str, Path]:
    """Audio files below a folder by their path in it without the ending."""
    if not folder.is_dir():
        problems.append(f"{option} {folder}: there is no such folder")
        return {}
    found: dict[str, Path] = {}
    for path in sorted(folder.rglob("*")):
        if path.suffix.lower() not in AUDIO_SUFFIXES or not path.is_file():
            continue
        stem = path.relative_to(folder).with_suffix("").as_posix()
        if found.setdefault(stem, path) != path:
            problems.append(
                f"{option} {folder}: {found[stem].name} and {path.name} are both {stem!r}; "
                "keep one of them"
            )
    if not found:
        problems.append(f"{option} {folder}: holds no audio file ({', '.join(AUDIO_SUFFIXES)})")
    return found


def _partners(truth: Mapping[str, Path], files: Mapping[str, Path], where: str) -> list[str]:
    """What is wrong with a folder beside the reference."""
    problems = []
    if missing := sorted(truth.keys() - files.keys()):
        problems.append(f"{where}: has no file for {_listed(missing)} of the reference")
    if extra := sorted(files.keys() - truth.keys()):
        problems.append(f"{where}: {_listed(extra)} have no partner in the reference")
    return problems


def _unreadable(folders: Sequence[Mapping[str, Path]]) -> list[str]:
    """Files that are no audio."""
    problems = []
    for path in (path for files in folders for path in files.values()):
        try:
            audio_info(path)
        except AudioError as error:
            problems.append(str(error))
    return problems


def _listed(names: Sequence[str]) -> str:
    """Some names, and how many more there are."""
    shown = ", ".join(repr(name) for name in names[:NAMED])
    more = len(names) - NAMED
    return f"{shown} and {more} more" if more > 0 else shown
