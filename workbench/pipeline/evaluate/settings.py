"""What is measured: the section `evaluation` of a recipe, from a file, options or defaults."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from workbench.api.errors import RecipeError
from workbench.api.settings import Slot
from workbench.host.catalog import Catalog
from workbench.host.options import read
from workbench.pipeline.codecs import parse_component
from workbench.recipe.schema import EvaluationSection

DEFAULT_METRICS: tuple[Mapping[str, Any], ...] = (
    {"name": "mel-distance"},
    {"name": "frechet", "options": {"kinds": ["item", "set"]}},
    {"name": "error-rates"},
    {"name": "speaker-similarity"},
    {"name": "clap-score"},
)
"""Taken where nobody says which, as far as they are installed. Those that want a text, a prompt or
a caption are left out by name where items have none."""


@dataclass(frozen=True)
class Chosen:
    """The section, and how many items it says; None where nobody said so."""

    section: EvaluationSection
    limit: int | None


def read_section(
    config: Path | None, given: Mapping[str, Any], metrics: Sequence[str], catalog: Catalog
) -> Chosen:
    """The section in the YAML file ``config``, with ``given`` keys and ``metrics`` laid over it.

    Metrics are written ``name`` or ``name:option=value``, several names with commas between them.
    An empty list of metrics stays empty. Raises ``RecipeError`` with every problem.
    """
    tree = dict(_file(config) if config is not None else {})
    tree |= {key: value for key, value in given.items() if value is not None}
    if metrics:
        tree["metrics"] = [_slot(text) for texts in metrics for text in _split(texts)]
    reading = read(EvaluationSection, tree, "", catalog.find)
    if reading.problems:
        faults = catalog.faults() if reading.unknown_component else []
        raise RecipeError(reading.problems + faults, str(config or "evaluate"))
    section: EvaluationSection = reading.value
    return Chosen(section, section.items if "items" in tree else None)


def default_metrics(catalog: Catalog) -> list[Slot]:
    """The default metrics that are installed."""
    known = {component.name for component in catalog.components("metric")}
    tree = {"metrics": [metric for metric in DEFAULT_METRICS if metric["name"] in known]}
    section: EvaluationSection = read(EvaluationSection, tree, "", catalog.find).value
    return section.metrics


def file_safe(name: str) -> str:
    """``name`` as a part of a folder's name."""
    return re.sub(r"[^\w.-]+", "-", name).strip("-.") or "evaluation"


def _file(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise RecipeError([f"--config {path}: there is no such file"], "evaluate")
    try:
        tree = OmegaConf.to_container(OmegaConf.load(path), resolve=True)
    except (yaml.YAMLError, UnicodeDecodeError, OSError, OmegaConfBaseException) as error:
        reason = " ".join(str(error).split())
        raise RecipeError([f"--config {path}: not readable as YAML: {reason}"]) from error
    if not isinstance(tree, dict):
        raise RecipeError([f"--config {path}: expected a mapping such as 'metrics: [...]'"])
    return {str(key): value for key, value in tree.items()}


def _split(texts: str) -> list[str]:
    """Names between commas; what has options stands alone."""
    return [texts] if ":" in texts else [text.strip() for text in texts.split(",") if text.strip()]


def _slot(text: str) -> dict[str, Any]:
    name, options = parse_component(text)
    return {"name": name, "options": options}
