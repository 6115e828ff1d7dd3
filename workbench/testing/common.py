"""What every component must keep, of whatever kind."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from functools import lru_cache
from typing import Any, get_type_hints

from workbench.api.errors import WorkbenchError
from workbench.host.describe import describe_options
from workbench.host.discovery import LIMIT_VARIABLE
from workbench.host.fields import plain, public_fields
from workbench.testing.subject import NotApplicable, Subject, require

HEAVY = (
    "torch", "torchaudio", "transformers", "accelerate", "mlflow", "numpy", "scipy", "sklearn",
    "matplotlib", "datasets",
)  # fmt: skip
"""Modules that may be imported when a component is built, and not before."""
MISSING_WEIGHTS = "there-are-no-such-weights"


def registering_imports_nothing_heavy(subject: Subject) -> None:
    """Loading the plugin and listing its components imports no heavy library."""
    loaded = _loaded_by(subject.provider.entry_point, tuple(sys.path))
    require(
        not loaded,
        f"registering it imports {', '.join(loaded)}: import heavy modules inside build, since "
        "the plugin is loaded whenever `workbench` starts",
    )


def options_are_documented(subject: Subject) -> None:
    """The component has a summary, and each option a type and a docstring under it."""
    config = subject.component.config
    require(bool(subject.component.summary.strip()), "it has no summary")
    hints = get_type_hints(config)
    for option in describe_options(config):
        require(bool(option.help), f"option {option.name!r} has no docstring under its field")
        untyped = hints[option.name] in (Any, object)
        require(not untyped, f"option {option.name!r} may hold anything; give it a type")


def options_are_checked(subject: Subject) -> None:
    """Options read back as they were given; a refused value is a ValueError naming its option."""
    settings = subject.catalog.options(subject.kind, subject.name, subject.options)
    again = subject.catalog.options(subject.kind, subject.name, plain(settings))
    require(again == settings, f"options {plain(settings)} read back as {plain(again)}")
    names = [field.name for field in public_fields(type(settings))]
    for name, value in _odd_values(settings):
        try:
            dataclasses.replace(settings, **{name: value})
        except (ValueError, WorkbenchError) as error:
            told = str(error).startswith(tuple(names))
            require(
                told,
                f"option {name} = {value!r} is refused with {str(error)!r}; begin with the "
                f"option's name, as in '{name} = {value!r}: must be ...', so that recipes can "
                "show where it stands",
            )
        except Exception as error:
            require(
                False,
                f"option {name} = {value!r} raises {type(error).__name__} ({error}); check it in "
                "__post_init__ and raise ValueError",
            )


def can_be_built(subject: Subject) -> None:
    """``build`` gives an object with the members of its protocol."""
    require(subject.built is not None, "build returned None")


def missing_weights_are_named(subject: Subject) -> None:
    """Weights that are not there are a ``WorkbenchError`` naming them."""
    hints = get_type_hints(subject.component.config)
    if hints.get("weights") is not str:
        raise NotApplicable("it has no option 'weights' of type str")
    try:
        subject.build(options={"weights": f"./{MISSING_WEIGHTS}"})
    except WorkbenchError as error:
        require(
            MISSING_WEIGHTS in str(error),
            f"with weights './{MISSING_WEIGHTS}' its error does not name them: {error}",
        )
    except Exception as error:
        require(
            False,
            f"with weights './{MISSING_WEIGHTS}' it raises {type(error).__name__} ({error}); "
            "raise a WeightsError that names them",
        )
    else:
        require(False, f"with weights './{MISSING_WEIGHTS}' it is built all the same")


CHECKS = (
    registering_imports_nothing_heavy,
    options_are_documented,
    options_are_checked,
    can_be_built,
    missing_weights_are_named,
)


def _odd_values(settings: Any) -> Iterator[tuple[str, Any]]:
    """Values of the right type that a rule is likely to refuse."""
    for field in public_fields(type(settings)):
        value = getattr(settings, field.name)
        if isinstance(value, bool):
            continue
        if isinstance(value, (int, float)):
            yield from ((field.name, type(value)(odd)) for odd in (-1, 0))
        elif isinstance(value, str) and not field.metadata.get("kind"):
            yield field.name, ""
        elif isinstance(value, list):
            yield field.name, []


@lru_cache(maxsize=32)
def _loaded_by(entry_point: str, path: tuple[str, ...]) -> list[str]:
    """Heavy modules in memory after a fresh interpreter has loaded one plugin."""
    code = (
        "import json, sys; from workbench import load_catalog; load_catalog();"
        f"print(json.dumps([name for name in {HEAVY!r} if name in sys.modules]))"
    )
    environment = {**os.environ, LIMIT_VARIABLE: entry_point}
    environment["PYTHONPATH"] = os.pathsep.join(entry for entry in path if entry)
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    loaded: list[str] = json.loads(done.stdout)
    return loaded
