"""``workbench profile``, as typed."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from tests.codec.codec_parts import small_codec
from workbench.cli.main import build_app


@pytest.fixture
def call(catalog):
    def invoke(*words):
        result = CliRunner().invoke(build_app(catalog), [str(word) for word in words])
        if result.exception and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    return invoke


def test_options_reach_the_profile(call, tmp_path, monkeypatch):
    for name in ("a", "b"):
        small_codec("spectral").save(tmp_path / name)
    tracked = []
    monkeypatch.setattr(
        "workbench.pipeline.profile_page.track_profile",
        lambda outcome, files, results, uri: tracked.append((results, uri)),
    )
    result = call(
        "profile", tmp_path / "a", tmp_path / "b", "--name", "first", "--name", "second",
        "--corpus", "synthetic-music:train=4,validation=0,test=5,seconds=2",
        "--depth", "single", "--tokens", "one-hot", "--yardstick", "chance", "--codebooks", "1",
        "--information", "chord", "--information", "perplexity", "--information", "tempo",
        "--label", "tempo",
        "--recordings", "5", "--seconds", "1.5", "--seed", "3", "--abx-context", "within",
        "--abx-phones", "7", "--out", tmp_path / "out", "--results", tmp_path / "results",
        "--tracking", "sqlite:///nowhere.db", "--threads", "1", "--device", "cpu",
    )  # fmt: skip
    assert "chord ↑" in result.output
    held = json.loads((tmp_path / "out" / "profile.json").read_text())
    assert held["plan"] == {
        "kind": "single",
        "tokens": "one-hot",
        "information": ["chord", "perplexity", "tempo"],
        "codebooks": 1,
        "context": "within",
        "phones": 7,
        "seed": 3,
    }
    assert (held["recordings"], held["seconds"]) == (5, 1.5)
    rows = [(row["system"], row["depth"]) for row in held["readings"]["synthetic-music"]]
    assert rows == [("chance", 0), ("first", 1), ("second", 1)]
    assert tracked == [(tmp_path / "results", "sqlite:///nowhere.db")]
