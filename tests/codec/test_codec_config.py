from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace

import pytest

from workbench.codec.config import (
    DecoderConfig,
    EncoderConfig,
    LossConfig,
    QuantizerConfig,
    SemanticConfig,
    TeacherConfig,
    XCodecConfig,
    config_from_dict,
    config_to_dict,
)


def test_the_defaults_are_the_published_model() -> None:
    config = XCodecConfig(teachers=[TeacherConfig(dim=768)])
    assert (config.hop, config.frame_rate) == (320, 50.0)
    assert config.fused_dim == config.quantized_dim == 1024
    assert XCodecConfig().fused_dim == 256


def test_a_configuration_survives_json() -> None:
    config = XCodecConfig(
        sample_rate=44100,
        channels=2,
        strides=[8, 8, 4, 2],
        encoder=EncoderConfig(kind="spectral", n_fft=1024, frames_per_hop=2),
        quantizer=QuantizerConfig(dim=64, dropout_choices=[1, 8]),
        teachers=[TeacherConfig(name="hubert", dim=4, options={"layers": [1, 2]})],
    )
    assert config_from_dict(json.loads(json.dumps(config_to_dict(config)))) == config


def test_an_unknown_key_is_named() -> None:
    values = config_to_dict(XCodecConfig())
    values["encoder"]["depth"] = 3
    with pytest.raises(ValueError, match=r"EncoderConfig has no depth"):
        config_from_dict(values)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: XCodecConfig(strides=[]), "strides"),
        (lambda: XCodecConfig(strides=[0, 4]), "strides must be at least 1"),
        (lambda: XCodecConfig(decoder_strides=[8, 5, 4]), "same product"),
        (lambda: XCodecConfig(channels=0), "channels"),
        (lambda: EncoderConfig(width=0), "width"),
        (lambda: DecoderConfig(blocks=-1), "blocks"),
        (lambda: QuantizerConfig(codebooks=2, dropout_choices=[3]), "dropout_choices"),
        (lambda: QuantizerConfig(ema_decay=1.0), "ema_decay"),
        (lambda: QuantizerConfig(dropout=1.5), "dropout"),
        (lambda: SemanticConfig(strides=[1]), "equally many"),
        (lambda: SemanticConfig(kernel=4), "kernel must be odd"),
        (lambda: LossConfig(mel=-1), "mel must be at least 0"),
        (lambda: LossConfig(mel_windows=[512]), "mel_windows"),
        (
            lambda: XCodecConfig(encoder=EncoderConfig(kind="spectral", frames_per_hop=3)),
            "encoder.frames_per_hop must divide the hop 320",
        ),
        (
            lambda: XCodecConfig(decoder=DecoderConfig(kind="istft", n_fft=600)),
            "decoder.n_fft must be even and a multiple",
        ),
    ],
)
def test_a_broken_rule_names_its_field(make: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()  # type: ignore[operator]


def test_configurations_import_no_torch() -> None:
    code = "import sys, workbench.codec.config; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_branch_widths_follow_the_teachers() -> None:
    config = XCodecConfig(teachers=[TeacherConfig(dim=10), TeacherConfig(dim=20)])
    assert config.semantic_widths == [10, 20]
    narrow = replace(config, semantic=SemanticConfig(width=6, channel_ratios=[1, 2]))
    assert narrow.semantic_widths == [12, 12]
