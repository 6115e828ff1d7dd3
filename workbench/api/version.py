"""Versions that plugin authors rely on."""

from __future__ import annotations

from importlib.metadata import version

API_VERSION = 1
"""Major version of the plugin contract; a plugin states the one it was written for as
``WORKBENCH_API = 1``. It changes only when a plugin written for it would stop working."""

__version__ = version("audio-workbench")
"""Version of the installed workbench."""
