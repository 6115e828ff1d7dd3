"""``workbench plugins check``: an installed plugin held to the contract."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from workbench.api.errors import PluginError
from workbench.host.catalog import Catalog
from workbench.host.discovery import Provider
from workbench.host.hookspecs import KINDS
from workbench.host.merge import merged
from workbench.host.names import listing, nearest

if TYPE_CHECKING:
    from rich.console import Console

    from workbench.testing import Outcome, Subject

MARKS = {"kept": "[green]kept[/]", "broken": "[bold red]BROKEN[/]", "not applicable": "[dim]-[/]"}


def register(group: typer.Typer, catalog: Catalog) -> None:
    """Add the command to ``workbench plugins``."""

    @group.command()
    def check(
        plugin: Annotated[str, typer.Argument(help="A distribution, or one of its entry points.")],
        options: Annotated[
            list[str] | None,
            typer.Argument(help="NAME.OPTION=VALUE for its components, as in: hello.bands=8"),
        ] = None,
        only: Annotated[
            list[str] | None, typer.Option(help="Only this component; may be given again.")
        ] = None,
        device: Annotated[str, typer.Option(help="Torch device to build them for.")] = "cpu",
    ) -> None:
        """Hold an installed plugin's components to the contract, promise by promise."""
        chosen = _components(catalog, plugin, only or [])
        given = _options(options or [], [name for _, name in chosen])
        from rich.console import Console

        from workbench.testing import Subject

        console = Console(highlight=False)
        verdicts: Counter[str] = Counter()
        for kind, name in chosen:
            subject = Subject(catalog, kind, name, given.get(name, {}), device)
            verdicts.update(_report(console, subject))
        broken = verdicts["broken"]
        console.print(
            f"{len(chosen)} component{'s' * (len(chosen) != 1)}: {verdicts['kept']} promises "
            f"kept, {broken} broken, {verdicts['not applicable']} not applicable"
        )
        raise typer.Exit(1 if broken else 0)


def _components(catalog: Catalog, plugin: str, only: list[str]) -> list[tuple[str, str]]:
    """Kind and name of the plugin's components; an error where there is nothing to check."""
    for fault in catalog.broken:
        if plugin in _names(fault.provider):
            raise PluginError(str(fault))
    found = [
        (kind, component.name, catalog.provider(kind, component.name))
        for kind in KINDS
        for component in catalog.components(kind)
    ]
    mine = [(kind, name) for kind, name, provider in found if plugin in _names(provider)]
    if not mine:
        known = {name for _, _, provider in found for name in _names(provider)}
        hint = nearest(plugin, known) or "."
        raise PluginError(
            f"no installed plugin {plugin!r} provides a component{hint} Allowed: {listing(known)}"
        )
    for wanted in only:
        names = [name for _, name in mine]
        if wanted not in names:
            raise PluginError(
                f"{plugin} provides no {wanted!r}{nearest(wanted, names) or '.'} "
                f"Allowed: {listing(names)}"
            )
    return [(kind, name) for kind, name in mine if not only or name in only]


def _names(provider: Provider) -> tuple[str, str]:
    return provider.distribution, provider.entry_point


def _options(given: list[str], names: list[str]) -> Mapping[str, dict[str, Any]]:
    """Options by component, of ``NAME.OPTION=VALUE``."""
    from workbench.recipe.load import override_tree

    options: dict[str, dict[str, Any]] = {}
    for text in given:
        for name, tree in override_tree(text).items():
            if name not in names or not isinstance(tree, dict):
                raise PluginError(
                    f"{text!r}: expected NAME.OPTION=VALUE, where NAME is one of {listing(names)}"
                )
            options[name] = merged(options.get(name, {}), tree)
    return options


def _report(console: Console, subject: Subject) -> list[str]:
    """Print a line a promise, and the message under a broken one; gives the verdicts."""
    from rich.markup import escape

    from workbench.testing import examine

    console.print(
        f"[bold underline]{subject.kind}[/] [bold cyan]{escape(subject.name)}[/]  "
        f"[dim]({escape(str(subject.provider))})[/]"
    )
    verdicts = []
    for outcome in examine(subject):
        verdicts.append(str(outcome.verdict))
        console.print(_line(outcome))
        if outcome.message:
            style = "red" if outcome.verdict == "broken" else "dim"
            console.print(f"    {escape(outcome.message)}", style=style)
    return verdicts


def _line(outcome: Outcome) -> str:
    return f"  {MARKS[outcome.verdict]}  {outcome.check.name}"
