"""``workbench plugins``: what there is to choose from, and how to add to it."""

from __future__ import annotations

import json
from dataclasses import asdict
from itertools import groupby
from typing import Annotated

import typer
from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from workbench.cli import plugin_check, plugin_new
from workbench.host.catalog import Catalog
from workbench.host.describe import ComponentDescription, OptionDescription, describe
from workbench.host.hookspecs import KINDS


def register(app: typer.Typer, catalog: Catalog) -> None:
    """Add ``workbench plugins`` and its commands."""
    group = typer.Typer(no_args_is_help=True, help="Components that recipes can name.")
    app.add_typer(group, name="plugins")
    plugin_new.register(group, catalog)
    plugin_check.register(group, catalog)

    @group.command("list")
    def list_components(
        kind: Annotated[
            str | None, typer.Argument(help=f"Only this kind: {', '.join(KINDS)}.")
        ] = None,
        as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    ) -> None:
        """Every component with its options, their defaults, and where it comes from."""
        kinds = list(KINDS) if kind is None else [kind.replace("-", "_")]
        components = describe(catalog, kinds)
        if as_json:
            typer.echo(json.dumps([asdict(c) for c in components], indent=2))
            return
        console = Console(highlight=False)
        for name, members in groupby(components, key=lambda component: component.kind):
            console.print(Text(name, style="bold underline"))
            for component in members:
                _print_component(console, component)


def _print_component(console: Console, component: ComponentDescription) -> None:
    heading = Text.assemble(
        (component.name, "bold cyan"),
        f"  {component.summary}",
        (f"  ({component.distribution} {component.version})", "dim"),
    )
    console.print(Padding(heading, (0, 0, 0, 2)))
    _print_options(console, component.options, indent=4)


def _print_options(console: Console, options: tuple[OptionDescription, ...], indent: int) -> None:
    for option in options:
        default = "" if option.options else f" = {json.dumps(option.default, ensure_ascii=False)}"
        line = Text.assemble(
            (option.name, "green"), default, (f"  {option.type}", "dim"), f"  {option.help}"
        )
        console.print(Padding(line, (0, 0, 0, indent)))
        _print_options(console, option.options, indent + 2)
