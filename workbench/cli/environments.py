"""``workbench environments``: Python environments of their own that components need."""

from __future__ import annotations

from typing import Annotated

import typer

from workbench.api.environment import Environment
from workbench.api.errors import UnknownComponent, WorkbenchError
from workbench.host.catalog import Catalog
from workbench.host.hookspecs import KINDS
from workbench.host.names import listing, nearest


def register(app: typer.Typer, catalog: Catalog) -> None:
    """Add ``workbench environments`` and its commands."""
    group = typer.Typer(
        no_args_is_help=True,
        help="Environments of components whose libraries can't live beside the workbench's own.",
    )
    app.add_typer(group, name="environments")

    @group.command("list")
    def list_environments() -> None:
        """Environments that components want, and those in the cache; both say what they hold."""
        from workbench.host.environments import folder_of, installed

        found = {one.folder: one for one in installed()}
        for environment, users in wanted(catalog).items():
            made = found.pop(folder_of(environment), None)
            state = f"{made.folder}  ({made.megabytes:.0f} MB)" if made else "not made yet"
            typer.echo(f"{environment.name}  for {', '.join(users)}: {state}")
            typer.echo(f"    {' '.join(environment.requirements)}")
        for one in found.values():
            typer.echo(f"{one.name}  unused: {one.folder}  ({one.megabytes:.0f} MB)")
            typer.echo(f"    {' '.join(one.requirements)}")

    @group.command()
    def create(
        name: Annotated[str, typer.Argument(help="An environment, as `list` names it.")],
    ) -> None:
        """Make an environment now, not on first use: for machines that will have no network."""
        from workbench.cli.logs import show_logs
        from workbench.host.environments import interpreter

        show_logs()
        known = {environment.name: environment for environment in wanted(catalog)}
        if name not in known:
            hint = nearest(name, known) or "."
            raise UnknownComponent(
                f"there is no environment {name!r}{hint} Allowed: {listing(known)}"
            )
        typer.echo(interpreter(known[name]))

    @group.command()
    def remove(
        name: Annotated[str, typer.Argument(help="An environment; `unused` for all such.")],
    ) -> None:
        """Delete environments of a name from the cache; they are made again when needed."""
        from workbench.host.environments import folder_of, installed
        from workbench.host.environments import remove as delete

        used = {folder_of(environment) for environment in wanted(catalog)}
        unused = [one for one in installed() if one.folder not in used]
        chosen = unused if name == UNUSED else [one for one in installed() if one.name == name]
        if not chosen and name != UNUSED:
            names = sorted({one.name for one in installed()})
            there = f"it holds {', '.join(names)}" if names else "it is empty"
            raise WorkbenchError(f"there is no environment {name!r} in the cache; {there}")
        for one in chosen:
            delete(one)
            typer.echo(f"removed {one.folder}")


UNUSED = "unused"
"""Names the environments in the cache that no component wants, such as those of older versions."""


def wanted(catalog: Catalog) -> dict[Environment, list[str]]:
    """Every environment that components declare, with those components."""
    users: dict[Environment, list[str]] = {}
    for kind in KINDS:
        for component in catalog.components(kind):
            if component.environment is not None:
                users.setdefault(component.environment, []).append(f"{kind} {component.name}")
    return users
