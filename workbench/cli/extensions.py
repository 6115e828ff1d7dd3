"""Commands that plugins add to the command line."""

from __future__ import annotations

import typer
from typer.main import get_command_name, solve_typer_info_defaults

from workbench.api.errors import PluginError
from workbench.host.catalog import Catalog
from workbench.host.discovery import LIMIT_VARIABLE, BrokenPlugin


def add_plugin_commands(app: typer.Typer, catalog: Catalog) -> list[BrokenPlugin]:
    """Let each plugin add its commands; returns those that failed to.

    Raises ``PluginError`` where a command of that name exists already.
    """
    failed: list[BrokenPlugin] = []
    taken = dict.fromkeys(_names(app), "the workbench")
    for provider, add in catalog.command_hooks():
        own = typer.Typer()
        try:
            add(own)
        except Exception as error:  # a stranger's code
            reason = f"workbench_commands failed: {type(error).__name__}: {error}"
            failed.append(BrokenPlugin(provider, reason))
            continue
        for name in _names(own):
            if name in taken:
                raise PluginError(
                    f"{provider} adds the command {name!r}, which {taken[name]} has already; "
                    f"uninstall it or limit what is loaded with {LIMIT_VARIABLE}"
                )
            taken[name] = str(provider)
        app.registered_commands += own.registered_commands
        app.registered_groups += own.registered_groups
    return failed


def _names(app: typer.Typer) -> list[str]:
    """Names of an application's commands and groups."""
    commands = [
        command.name or get_command_name(command.callback.__name__)
        for command in app.registered_commands
        if command.callback is not None
    ]
    groups = [solve_typer_info_defaults(group).name for group in app.registered_groups]
    return commands + [name for name in groups if name]
