"""A codec for inference computes what the codec that it was made from does."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from tests.codec.codec_parts import FakeTeacher, small_codec, tones
from tests.codec.test_checkpoints import CASES, LENGTHS, random_audio, reference
from workbench import WeightsError, WorkbenchError, XCodec, load_codec
from workbench.codec.acoustic import add_weight_norm
from workbench.codec.inference import dac, snake, waveform
from workbench.codec.inference.build import for_inference
from workbench.codec.streaming import Chunking, decode_chunks, encode_long

EXACT = 90.0
"""Least ratio of signal to error in dB where nothing but the order of sums differs."""
REDUCED = {"bf16": 25.0, "int8": 15.0}
"""Least ratio of signal to error in dB; about 10 dB below what these small codecs show."""


def ratio(exact: Tensor, other: Tensor) -> float:
    """Energy of ``exact``, its mean taken out, over that of the difference, in dB."""
    signal = (exact - exact.mean()).square().sum()
    return float(10 * torch.log10(signal / (exact - other).square().sum()).detach())


def wide_codec(kind: str = "dac", teachers: tuple[FakeTeacher, ...] = ()) -> XCodec:
    """Wide enough that reduced precision is used; weights that let the signal through."""
    codec = small_codec(kind, teachers)
    config = codec.config
    config.encoder.width, config.decoder.width, config.decoder.fine_width = 16, 128, 16
    torch.manual_seed(1)
    codec = XCodec(config, teachers)
    with torch.no_grad():
        for part in codec.modules():
            if isinstance(part, nn.Conv1d | nn.ConvTranspose1d):
                part.weight.normal_(0, 0.5 * float(part.weight[0].numel()) ** -0.5)
    for codebook in codec.quantizer.codebooks:
        codebook.embed.normal_(0, 0.3)
    return codec.eval()


@pytest.fixture(params=["whole", "tiled"])
def tiles(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """All of time at once, or tiles of a few frames."""
    if request.param == "tiled":
        monkeypatch.setattr(dac, "TILE", 4096)
        monkeypatch.setattr(waveform, "TILE", 4096)
    mode: str = request.param
    return mode


@pytest.mark.usefixtures("tiles")
@pytest.mark.parametrize("case", CASES)
@torch.no_grad()
def test_codes_and_audio_are_the_reference_models(case: str, tmp_path: Path) -> None:
    model = reference(**CASES[case])
    model.save_pretrained(tmp_path)
    codec = load_codec(tmp_path).for_inference()
    for samples in LENGTHS[::2]:
        wav = random_audio(2, samples)
        expected = model.encode(wav).audio_codes
        codes = codec.encode(wav)
        assert torch.equal(codes.values, expected), samples
        audio = model.decode(expected).audio_values
        assert torch.allclose(codec.decode(codes), audio, atol=1e-5), samples


@pytest.mark.usefixtures("tiles")
@pytest.mark.parametrize("kind", ["dac", "spectral"])
def test_latents_and_audio_are_the_codecs_own(kind: str) -> None:
    codec = wide_codec(kind, (FakeTeacher(), FakeTeacher(4, 16000, 320)))
    fast = codec.for_inference()
    wav = tones(3, 9700)
    assert ratio(codec.latents(wav), fast.latents(wav)) > EXACT
    codes = codec.encode(wav)
    assert ratio(codec.decode(codes), fast.decode(codes)) > EXACT


@pytest.mark.parametrize("precision", REDUCED)
@pytest.mark.parametrize("kind", ["dac", "spectral"])
def test_reduced_precision_stays_close(kind: str, precision: Any) -> None:
    codec = wide_codec(kind, (FakeTeacher(),))
    fast = codec.for_inference(precision)
    wav = tones(2, 9600)
    assert fast.encode(wav).values.shape == codec.encode(wav).values.shape
    exact, reduced = codec.latents(wav), fast.latents(wav)
    assert REDUCED[precision] < ratio(exact, reduced) < EXACT
    codes = codec.encode(wav)
    exact, reduced = codec.decode(codes), fast.decode(codes)
    assert reduced.dtype == torch.float32
    assert REDUCED[precision] < ratio(exact, reduced) < EXACT


def test_weight_norm_is_folded() -> None:
    codec = wide_codec()
    wav = tones(1, 4800)
    latents = codec.latents(wav)
    for part in (codec.acoustic_encoder, codec.acoustic_decoder):
        add_weight_norm(part)
    assert ratio(latents, codec.for_inference().latents(wav)) > EXACT


def test_the_codec_itself_stays_as_it_is() -> None:
    codec = wide_codec(teachers=(FakeTeacher(),))
    wav, names = tones(1, 4800), {name: type(part) for name, part in codec.named_modules()}
    before = codec.latents(wav)
    codec.for_inference("int8")
    assert {name: type(part) for name, part in codec.named_modules()} == names
    assert torch.equal(codec.latents(wav), before)
    assert codec.train().state_dict()


def test_weights_that_are_not_rearranged_are_shared() -> None:
    codec = wide_codec(teachers=(FakeTeacher(),))
    fast = codec.for_inference()
    assert fast.quantizer.codebooks[0].embed is codec.quantizer.codebooks[0].embed


def test_it_can_be_neither_trained_nor_moved_nor_saved(tmp_path: Path) -> None:
    fast = wide_codec(teachers=(FakeTeacher(),)).for_inference()
    with pytest.raises(WeightsError, match="can't be trained"):
        fast.train()
    with pytest.raises(WeightsError, match="can't be saved"):
        fast.save(tmp_path / "codec")
    with pytest.raises(WeightsError, match="can't be moved"):
        fast.to("meta")
    with pytest.raises(WeightsError, match="can't be moved"):
        fast.half()
    assert fast.to("cpu").eval() is fast


def test_chunks_of_long_audio_are_the_whole() -> None:
    codec = wide_codec(teachers=(FakeTeacher(),)).for_inference()
    wav = tones(1, 24_001)
    codes = codec.encode(wav)
    chunking = Chunking(seconds=0.5, look_ahead=0.2)
    parts = encode_long(codec, lambda: wav.split(1000, dim=-1), wav.shape[-1], chunking)
    assert torch.equal(torch.cat(list(parts), dim=-1), codes.values)
    audio = torch.cat(list(decode_chunks(codec, codes.values.split(7, dim=-1), 20)), dim=-1)
    assert ratio(codec.decode(codes), audio) > EXACT


@torch.no_grad()
def test_teachers_hear_windows_as_parts_of_the_recording(tmp_path: Path) -> None:
    reference().save_pretrained(tmp_path)
    codec = load_codec(tmp_path)
    wav = random_audio(1, 48_000) * torch.linspace(0, 3, 48_000) ** 4
    chunking = Chunking(seconds=0.2, look_ahead=0.1)
    codes = [
        torch.cat(list(encode_long(each, lambda: [wav], 48_000, chunking)), dim=-1)
        for each in (codec, codec.for_inference())
    ]
    assert torch.equal(*codes)
    alone = Chunking(seconds=0.2, look_ahead=0.1, survey=False)
    parts = encode_long(codec, lambda: [wav], 48_000, alone)
    assert not torch.equal(torch.cat(list(parts), dim=-1), codes[0])


def test_a_codec_without_its_teachers_decodes(tmp_path: Path) -> None:
    codec = wide_codec(teachers=(FakeTeacher(),))
    codec.save(tmp_path)
    codes = codec.encode(tones(1, 1600))
    alone = load_codec(tmp_path).for_inference()
    assert ratio(codec.decode(codes), alone.decode(codes)) > EXACT


def test_what_a_cpu_cannot_compute_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    codec = wide_codec()
    monkeypatch.setattr(torch.cpu, "_is_vnni_supported", lambda: False)
    with pytest.raises(WorkbenchError, match=r"precision 'int8': this device"):
        codec.for_inference("int8")
    with pytest.raises(ValueError, match=r"fp32, bf16, int8; got 'fp8'"):
        codec.for_inference("fp8")  # type: ignore[arg-type]


def test_without_a_compiler_it_says_so_and_runs(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: Any, **__: Any) -> Any:
        def fail(*_: Any) -> Any:
            raise RuntimeError("no C++ compiler found")

        return fail

    snake.compiled_snake.cache_clear()
    monkeypatch.setattr(torch, "compile", broken)
    codec = wide_codec()
    with caplog.at_level(logging.WARNING):
        fast = for_inference(codec, compiled=True)
    assert "uncompiled and slower: no C++ compiler found" in caplog.text
    snake.compiled_snake.cache_clear()
    wav = tones(1, 1600)
    assert ratio(codec.latents(wav), fast.latents(wav)) > EXACT


@pytest.fixture
def elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a device, or with a torch, that has no oneDNN."""
    monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: False)


@pytest.mark.usefixtures("elsewhere")
@pytest.mark.parametrize("kind", ["dac", "spectral"])
@torch.no_grad()
def test_without_packed_kernels_layers_are_cast(kind: str) -> None:
    codec = wide_codec(kind, (FakeTeacher(),))
    wav = tones(2, 4800)
    latents, codes = codec.latents(wav), codec.encode(wav)
    for part in (codec.acoustic_encoder, codec.acoustic_decoder):
        add_weight_norm(part)
    assert ratio(latents, codec.for_inference().latents(wav)) > EXACT
    fast = codec.for_inference("bf16")
    assert REDUCED["bf16"] < ratio(latents, fast.latents(wav)) < EXACT
    audio = fast.decode(codes)
    assert audio.dtype == torch.float32
    assert REDUCED["bf16"] < ratio(codec.decode(codes), audio) < EXACT
    with pytest.raises(WorkbenchError, match="precision 'int8'"):
        codec.for_inference("int8")


@pytest.mark.usefixtures("elsewhere")
@torch.no_grad()
def test_without_packed_kernels_whole_networks_are_compiled(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    codec = wide_codec(teachers=(FakeTeacher(),))
    wav = tones(1, 1600)
    with torch.compiler.set_stance("force_eager"):
        compiled = codec.for_inference(compiled=True)
        parts = (compiled.acoustic_encoder, compiled.acoustic_decoder, compiled.teachers[0].encoder)
        assert all(part._compiled_call_impl for part in parts)  # type: ignore[union-attr,attr-defined]
        assert ratio(codec.latents(wav), compiled.latents(wav)) > EXACT
    assert codec.acoustic_encoder._compiled_call_impl is None

    def broken(module: nn.Module) -> None:
        def fail(*_: Any) -> Any:
            raise RuntimeError("no compiler")

        module._compiled_call_impl = fail

    monkeypatch.setattr(nn.Module, "compile", broken)
    with caplog.at_level(logging.WARNING):
        plain = codec.for_inference(compiled=True)
    assert "uncompiled and slower: no compiler" in caplog.text
    assert ratio(codec.latents(wav), plain.latents(wav)) > EXACT
