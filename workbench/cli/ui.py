"""``workbench ui``: MLflow's interface on the runs."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from workbench.api.errors import WorkbenchError
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

        command = server_command(results, host, port)
        typer.echo("MLflow's interface starts; Ctrl-C ends it. In a browser, open:")
        for name, link in experiment_links(results, f"http://{host}:{port}").items():
            typer.echo(f"  {name}: {link}")
        try:
            status = subprocess.run(command, env=server_environment(), check=False).returncode
        except KeyboardInterrupt:
            status = 0
        raise typer.Exit(status)


def server_command(results: Path, host: str, port: int) -> list[str]:
    """The command that serves MLflow's interface on a results folder's embedded store."""
    return [
        *(sys.executable, "-m", "mlflow", "ui"),
        *("--backend-store-uri", local_store(results)),
        *("--host", host),
        *("--port", str(port)),
        *("--workers", "1"),
        *("--uvicorn-opts", "--log-level warning"),
    ]


def local_store(results: Path) -> str:
    """The embedded store of a results folder, which must have been written."""
    from workbench.tracking import DATABASE, store_uri

    if not (results / DATABASE).exists():
        raise WorkbenchError(
            f"{results / DATABASE} does not exist: no run has been recorded in {results} yet. "
            "Run a recipe first, or name another folder with --results"
        )
    return store_uri(results)


def server_environment() -> dict[str, str]:
    """Environment variables of that command: this process' own, and what keeps MLflow small.

    No telemetry, and none of its job processes (six or so, 240 MB each), which serve its features
    for language-model agents.
    """
    quiet = {"MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    return {**os.environ, **quiet}


def experiment_links(results: Path, address: str) -> dict[str, str]:
    """Pages of the embedded store's experiments in MLflow's interface, by experiment name.

    The links say ``workflowType``: else MLflow 3 shows its view for language-model agents.
    """
    from workbench.tracking import prepare_environment, store_uri

    prepare_environment()
    from mlflow.tracking import MlflowClient

    client = MlflowClient(tracking_uri=store_uri(results))
    return {
        experiment.name: f"{address}/#/experiments/{experiment.experiment_id}/runs"
        "?workflowType=machine_learning"
        for experiment in client.search_experiments()
        if experiment.name != "Default"
    }
