"""The pytest plugin: which plugins are loaded, and on which device components are tested.

Installing the workbench registers it; it imports nothing heavy.
"""

from __future__ import annotations

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add ``--workbench-device``."""
    group = parser.getgroup("workbench", "components of the audio workbench")
    group.addoption(
        "--workbench-device",
        default="cpu",
        metavar="DEVICE",
        help="torch device that contract tests build components for (default: cpu)",
    )


def pytest_report_header(config: pytest.Config) -> str:
    """The contract's version and the device, above the tests."""
    from workbench.api.version import API_VERSION, __version__

    device = config.getoption("--workbench-device")
    return f"workbench {__version__}, plugin contract {API_VERSION}, device {device}"


@pytest.fixture(scope="session")
def workbench_device(request: pytest.FixtureRequest) -> str:
    """The torch device that components are to be tested on."""
    device: str = request.config.getoption("--workbench-device")
    return device
