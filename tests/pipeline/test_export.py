"""Trained weights out of the store."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from typer.testing import CliRunner

from workbench import Codes, WorkbenchError, load_catalog, load_codec
from workbench.cli.main import build_app
from workbench.codec.config import DecoderConfig, EncoderConfig, QuantizerConfig, XCodecConfig
from workbench.codec.xcodec import XCodec
from workbench.pipeline.trained import export_weights


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run that has trained a codec, and a corpus stage without weights."""
    torch.manual_seed(0)
    config = XCodecConfig(
        sample_rate=8000,
        strides=[8, 5],
        latent_dim=8,
        encoder=EncoderConfig(kind="spectral", width=8, blocks=1, n_fft=80, mel_bins=16),
        decoder=DecoderConfig(kind="istft", width=8, blocks=1, n_fft=80),
        quantizer=QuantizerConfig(codebooks=2, size=4, dim=6),
    )
    codec = XCodec(config)
    for codebook in codec.quantizer.codebooks:
        codebook.initialise(torch.randn(40, 6), config.quantizer)
    stages = {name: {"folder": str(tmp_path / "store" / name)} for name in ("corpus", "codec")}
    (tmp_path / "store" / "corpus").mkdir(parents=True)
    codec.save(tmp_path / "store" / "codec" / "weights")
    folder = tmp_path / "results" / "runs" / "small-1"
    folder.mkdir(parents=True)
    (folder / "run.json").write_text(json.dumps({"name": "small", "stages": stages}))
    return folder


def test_half_weights_are_smaller_and_the_same_codec(run: Path, tmp_path: Path) -> None:
    whole, half = tmp_path / "whole", tmp_path / "half"
    assert export_weights(run, "codec", half, half=True) < 0.7 * export_weights(run, "codec", whole)
    tensors = load_file(half / "model.safetensors")
    assert {t.dtype for t in tensors.values() if t.is_floating_point()} == {torch.float16}
    assert not [name for name in tensors if name.endswith("embed_avg")]
    codes = Codes(torch.randint(0, 4, (1, 2, 30)), 4, 200.0)
    torch.testing.assert_close(
        load_codec(half).decode(codes), load_codec(whole).decode(codes), atol=1e-3, rtol=1e-2
    )


def test_a_stage_without_weights_is_named_with_those_that_have_some(
    run: Path, tmp_path: Path
) -> None:
    with pytest.raises(WorkbenchError, match="trained no stage 'corpus'; it has: codec"):
        export_weights(run, "corpus", tmp_path / "out")


def test_the_command_finds_a_run_by_part_of_its_name(run: Path, tmp_path: Path) -> None:
    arguments = ["export", "small", "codec", str(tmp_path / "out"), "--results"]
    outcome = CliRunner().invoke(build_app(load_catalog()), [*arguments, str(run.parent.parent)])
    assert outcome.exit_code == 0, outcome.output
    assert (tmp_path / "out" / "model.safetensors").is_file()
    assert "MB" in outcome.output
