"""Writes a new plugin package: complete, installable, tested, with a recipe that uses it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import yaml

from workbench.api.errors import PluginError, UnknownComponent
from workbench.api.settings import NO_COMPONENT
from workbench.api.version import API_VERSION
from workbench.host.catalog import Catalog
from workbench.host.hookspecs import KINDS

TEMPLATES = Path(__file__).parent / "templates"
SUFFIX = ".jinja"
_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")


@dataclass(frozen=True)
class PackageNames:
    """Every name in a new package, all made of one."""

    kind: str
    name: str
    """Name of the component, of the entry point and of the folder."""

    @property
    def package(self) -> str:
        """The Python package."""
        return f"workbench_{self.identifier}"

    @property
    def identifier(self) -> str:
        """The name as Python can write it."""
        return self.name.replace("-", "_")

    @property
    def distribution(self) -> str:
        """What pip calls it."""
        return f"workbench-{self.name}"

    @property
    def prefix(self) -> str:
        """What its classes' names begin with."""
        return "".join(part.capitalize() for part in self.name.split("-"))

    @property
    def hook(self) -> str:
        """The hook that registers it."""
        return KINDS[self.kind]


def create_package(catalog: Catalog, kind: str, name: str, into: Path) -> list[Path]:
    """Write the package to the folder ``into / name`` and return its files, relative to ``into``.

    Nothing that is there is overwritten; a name that is taken is refused with who has it.
    """
    names = PackageNames(kind.replace("-", "_"), name)
    _check_free(catalog, names)
    folder = into / name
    if folder.exists():
        raise PluginError(f"{folder} is there already; choose another name, or --into a folder")
    files = dict(render(names))
    for path, text in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)
    return [Path(name) / path for path in files]


def render(names: PackageNames) -> Iterator[tuple[Path, str]]:
    """The files of a package, by path within it."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(TEMPLATES), undefined=StrictUndefined, keep_trailing_newline=True
    )
    for source in ("common", names.kind):
        for template in sorted((TEMPLATES / source).glob(f"*{SUFFIX}")):
            text = environment.get_template(f"{source}/{template.name}").render(
                names=names, api_version=API_VERSION
            )
            yield _target(template.name.removesuffix(SUFFIX), names), text


def _target(name: str, names: PackageNames) -> Path:
    """Where a template's text goes: code into the package, tests beside it, the rest on top."""
    if name == "test.py":
        return Path("tests") / f"test_{names.identifier}.py"
    inside = name.endswith((".py", ".typed"))
    return Path(names.package) / name if inside else Path(name)


def _check_free(catalog: Catalog, names: PackageNames) -> None:
    """Refuse a name that can't be used or is taken."""
    if not _NAME.fullmatch(names.name) or names.name == NO_COMPONENT:
        raise PluginError(
            f"{names.name!r} can't name a plugin; allowed are small letters and digits, beginning "
            f"with a letter, and hyphens between them, but not {NO_COMPONENT!r}"
        )
    if not isinstance(yaml.safe_load(names.name), str):
        raise PluginError(f"{names.name!r} can't name a plugin: YAML reads it as no text")
    try:
        catalog.find(names.kind, names.name)
    except UnknownComponent:
        catalog.components(names.kind)  # an unknown kind is an error too
    else:
        provider = catalog.provider(names.kind, names.name)
        raise PluginError(
            f"there is a {names.kind} {names.name!r} already, of {provider}; choose another name"
        )
    if find_spec(names.package) is not None:
        raise PluginError(
            f"there is a Python package {names.package!r} already; choose another name"
        )
