"""``workbench ui``: MLflow's interface on the runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from workbench.host.catalog import Catalog


def register(app: typer.Typer, _catalog: Catalog) -> None:
    """Add the command."""

    @app.command()
    def ui(
        port: Annotated[int, typer.Option(min=1, max=65535, help="Port to listen on.")] = 5000,
        host: Annotated[
            str, typer.Option(help="Address to listen on; the default serves this machine alone.")
        ] = "127.0.0.1",
        results: Annotated[Path, typer.Option(help="The folder with the runs.")] = Path("results"),
    ) -> None:
        """Show all runs in MLflow's interface, until interrupted."""
        import subprocess

        from workbench.tracking import experiment_links, server_command, server_environment

        command = server_command(results, host, port)
        typer.echo("MLflow's interface starts; Ctrl-C ends it. In a browser, open:")
        for name, link in experiment_links(results, f"http://{host}:{port}").items():
            typer.echo(f"  {name}: {link}")
        try:
            status = subprocess.run(command, env=server_environment(), check=False).returncode
        except KeyboardInterrupt:
            status = 0
        raise typer.Exit(status)
