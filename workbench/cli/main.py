"""The ``workbench`` command: one file a command, assembled here."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from workbench.api.errors import WorkbenchError
from workbench.cli import (
    ablate,
    board,
    compare,
    decode,
    doctor,
    encode,
    environments,
    evaluate,
    export,
    generate,
    plugins,
    profile,
    recipes,
    run,
    ui,
)
from workbench.cli.extensions import add_plugin_commands
from workbench.host.catalog import Catalog, load_catalog
from workbench.host.discovery import BrokenPlugin

Register = Callable[[typer.Typer, Catalog], None]

COMMANDS: tuple[Register, ...] = (
    run.register,
    ablate.register,
    generate.register,
    encode.register,
    decode.register,
    export.register,
    evaluate.register,
    compare.register,
    board.register,
    profile.register,
    doctor.register,
    ui.register,
    plugins.register,
    environments.register,
    recipes.register,
)
"""Each command file's ``register(app, catalog)``; heavy modules are imported inside commands."""


@dataclass
class GlobalOptions:
    """Options that stand before the command."""

    debug: bool = False
    """Show a traceback where a command fails."""


def build_app(catalog: Catalog, options: GlobalOptions | None = None) -> typer.Typer:
    """The typer application with all commands, those of plugins included.

    ``options`` is filled in while the command line is parsed.
    """
    chosen = options or GlobalOptions()
    app = typer.Typer(
        name="workbench",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )

    @app.callback()
    def workbench(
        debug: Annotated[
            bool, typer.Option("--debug", help="Show a traceback where a command fails.")
        ] = False,
        version: Annotated[  # noqa: ARG001 - its callback does the work
            bool,
            typer.Option("--version", help="Print it and leave.", is_eager=True, callback=_version),
        ] = False,
    ) -> None:
        """Semantic audio codecs, and language models on their tokens: train, generate, compare."""
        chosen.debug = debug

    for register in COMMANDS:
        register(app, catalog)
    for plugin in add_plugin_commands(app, catalog):
        _warn_of(plugin)
    return app


def main() -> None:
    """Run the command line; an error that a user can act on is one message, without a traceback."""
    options = GlobalOptions()
    try:
        catalog = load_catalog()
        for plugin in catalog.broken:
            _warn_of(plugin)
        build_app(catalog, options)()
    except WorkbenchError as error:
        if options.debug:
            raise
        _say(f"[bold red]error:[/] {escape(str(error))}")
        sys.exit(error.exit_status)


def _warn_of(plugin: BrokenPlugin) -> None:
    _say(f"[yellow]warning:[/] a plugin could not be loaded: {escape(str(plugin))}")


def _say(message: str) -> None:
    """One message to people, beside what the command prints."""
    Console(stderr=True).print(message, highlight=False, soft_wrap=True)


def _version(wanted: bool) -> None:
    if wanted:
        from workbench.api.version import API_VERSION, __version__

        typer.echo(f"workbench {__version__} (plugin contract {API_VERSION})")
        raise typer.Exit
