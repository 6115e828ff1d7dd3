"""Fixtures of the encoders' tests."""

from __future__ import annotations

import pytest


@pytest.fixture
def short_clustering(monkeypatch: pytest.MonkeyPatch) -> None:
    """Teachers are fitted on seconds of audio, not minutes."""
    monkeypatch.setattr("workbench.training.pretraining.CLUSTER_SECONDS", 8.0)
