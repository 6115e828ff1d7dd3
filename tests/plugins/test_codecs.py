"""The codec components, each through the catalog as a recipe would build it."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from workbench_codecs.xcodec2_codec import Xcodec2Codec, spread_codes

from tests.codec.codec_parts import FakeTeacher, small_codec
from workbench import (
    Catalog,
    Codec,
    Context,
    RecipeError,
    VectorCodec,
    WeightsError,
    XCodec,
    decode_stream,
    encode_long,
)
from workbench.codec import long

SMALL_XCODEC = {
    "weights": "scratch",
    "strides": [8, 5, 4],
    "latent_dim": 8,
    "encoder": {"width": 4},
    "decoder": {"kind": "istft", "width": 16, "blocks": 1, "fine_width": 8, "n_fft": 80},
    "quantizer": {"codebooks": 2, "size": 8},
}


def build(catalog: Catalog, name: str, options: dict[str, Any], encoders: Any = ()) -> Any:
    return Context(catalog, "cpu", 0, encoders).build("codec", name, options)


def tiny_dac(folder: Path) -> dict[str, Any]:
    config = transformers.DacConfig(
        encoder_hidden_size=4, decoder_hidden_size=32, downsampling_ratios=[2, 4, 5, 8],
        n_codebooks=3, codebook_size=16, hidden_size=16,
    )  # fmt: skip
    transformers.DacModel(config).save_pretrained(folder)
    return {"weights": str(folder)}


def tiny_mimi(folder: Path) -> dict[str, Any]:
    config = transformers.MimiConfig(
        hidden_size=16, num_filters=2, num_hidden_layers=1, num_attention_heads=2,
        num_key_value_heads=2, intermediate_size=16, codebook_size=16, codebook_dim=8,
        vector_quantization_hidden_dimension=8, num_quantizers=4, upsampling_ratios=[8, 6, 5, 4],
        head_dim=8, upsample_groups=16,
    )  # fmt: skip
    model = transformers.MimiModel(config)
    for name, buffer in model.named_buffers():
        if name.endswith("embed_sum"):
            buffer.normal_()
    model.save_pretrained(folder)
    return {"weights": str(folder), "codebooks": 3}


def tiny_hf_xcodec(folder: Path) -> dict[str, Any]:
    teacher = transformers.HubertConfig(
        hidden_size=24, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32,
        conv_dim=[8] * 7, num_conv_pos_embeddings=16, num_conv_pos_embedding_groups=4,
    )  # fmt: skip
    acoustic = transformers.DacConfig(
        encoder_hidden_size=4, decoder_hidden_size=32, downsampling_ratios=[8, 5, 4, 2],
        hidden_size=12,
    )  # fmt: skip
    config = transformers.XcodecConfig(
        acoustic_model_config=acoustic, semantic_model_config=teacher, codebook_size=16,
        target_bandwidths=[0.25, 0.65],
    )  # fmt: skip
    model = transformers.XcodecModel(config)
    for level in model.quantizer.quantizers:
        level.codebook.embed.normal_()
    model.save_pretrained(folder)
    return {"weights": str(folder)}


def tiny_xcodec2(folder: Path) -> dict[str, Any]:
    teacher = transformers.Wav2Vec2BertConfig(
        hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16
    )
    config = transformers.Xcodec2Config(
        hidden_size=32, intermediate_size=32, num_hidden_layers=1, num_attention_heads=2,
        num_key_value_heads=2, head_dim=16, encoder_hidden_size=4, semantic_model_config=teacher,
        quantization_dim=48, quantization_levels=[4] * 4,
    )  # fmt: skip
    torch.manual_seed(0)
    model = transformers.Xcodec2Model(config)
    spread_codes(Xcodec2Codec(model))
    model.save_pretrained(folder)
    return {"weights": str(folder)}


CODECS: dict[str, Any] = {
    "xcodec": lambda _: SMALL_XCODEC,
    "encodec": lambda _: {"weights": "random"},
    "encodec 48k": lambda _: {"weights": "random", "sample_rate": 48000},
    "dac": tiny_dac,
    "mimi": tiny_mimi,
    "hf_xcodec": tiny_hf_xcodec,
    "xcodec2": tiny_xcodec2,
}


@pytest.fixture(scope="module", params=CODECS)
def codec(request: pytest.FixtureRequest, tmp_path_factory: Any) -> Any:
    from workbench import load_catalog

    options = CODECS[request.param](tmp_path_factory.mktemp("codec"))
    built = build(load_catalog("audio-workbench"), request.param.split()[0], options)
    if isinstance(built, XCodec):
        for codebook in built.quantizer.codebooks:  # untrained ones are zero
            codebook.embed.normal_(0, 0.3)
    return built


def noise(codec: Any, batch: int, samples: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(samples)
    return 0.1 * torch.randn(batch, codec.channels, samples, generator=generator)


def test_round_trip_by_the_protocol(codec: Any) -> None:
    assert isinstance(codec, Codec)
    samples = int(0.3 * codec.sample_rate) + 7
    codes = codec.encode(noise(codec, 2, samples))
    assert codes.values.shape[:2] == (2, codec.num_codebooks)
    assert codes.codebook_size == codec.codebook_size
    assert codes.frames == math.ceil(samples / codec.sample_rate * codec.frame_rate)
    wav = codec.decode(codes)
    hop = codec.sample_rate / codec.frame_rate
    assert wav.shape[:2] == (2, codec.channels)
    assert samples <= wav.shape[-1] <= samples + 2 * hop
    assert bool(wav.isfinite().all())
    assert wav.dtype == torch.float32


def test_any_number_of_codebooks_decodes(codec: Any) -> None:
    codes = codec.encode(noise(codec, 1, codec.sample_rate // 5))
    whole = codec.decode(codes)
    for count in range(1, codec.num_codebooks):
        fewer = codec.decode(replace(codes, values=codes.values[:, :count]))
        assert fewer.shape == whole.shape
        assert not torch.allclose(fewer, whole)


def test_vectors_are_the_codes_frame_by_frame(codec: Any) -> None:
    assert isinstance(codec, VectorCodec)
    codes = codec.encode(noise(codec, 1, codec.sample_rate // 2))
    vectors = codec.vectors(codes)
    assert vectors.dtype == torch.float32
    assert vectors.shape[::2] == (1, codes.frames)
    values = codes.values.clone()
    values[:, 0, 1] = (values[:, 0, 1] + 1) % codec.codebook_size
    changed = (codec.vectors(replace(codes, values=values)) != vectors).any(dim=1)[0]
    assert changed.nonzero().flatten().tolist() == [1]


def test_items_of_a_padded_batch_get_the_codes_they_get_alone(codec: Any) -> None:
    unit = codec.sample_rate // 10
    lengths = [3 * unit, 2 * unit + 11, 3 * unit]
    wav = noise(codec, 3, 3 * unit)
    batch = codec.encode(wav, torch.tensor(lengths))
    for row, length in enumerate(lengths):
        alone = codec.encode(wav[row : row + 1, :, :length]).values[0]
        assert int(batch.lengths[row]) == alone.shape[-1]
        assert torch.equal(batch.values[row, :, : alone.shape[-1]], alone)


def test_long_audio_in_windows_is_the_whole(codec: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nearly: teachers hear more than a window shows them. X-Codec 2 normalises over all of it."""
    monkeypatch.setattr(long, "WINDOW_SECONDS", 1.2)
    monkeypatch.setattr(long, "CONTEXT_SECONDS", 1.2)
    samples = int(4.2 * codec.sample_rate)
    wav = noise(codec, 1, samples)
    whole = codec.encode(wav)
    codes = torch.cat(list(encode_long(codec, lambda: wav.split(9999, -1), samples)), dim=-1)
    assert codes.shape == whole.values.shape
    global_codec = isinstance(codec, Xcodec2Codec)
    assert float((codes == whole.values).float().mean()) > (0.5 if global_codec else 0.9)
    audio = torch.cat(list(decode_stream(codec, whole.values.split(17, -1))), dim=-1)
    decoded = codec.decode(whole)
    assert audio.shape == decoded.shape
    if not global_codec:
        assert float((audio - decoded).abs().max()) < 1e-4 * float(decoded.abs().max())


def test_encodec_48k_keeps_loudness_and_the_package_s_audio(catalog: Catalog) -> None:
    codec = build(catalog, "encodec", {"weights": "random", "sample_rate": 48000})
    wav = torch.cat([noise(codec, 1, 48000), 0.01 * noise(codec, 1, 30000)], dim=-1)
    with torch.no_grad():
        expected = codec.model.decode(codec.model.encode(wav))
    made = codec.decode(codec.encode(wav))
    assert made.shape == expected.shape
    for part in (slice(0, 47000), slice(49000, 77000)):  # a loud segment and a quiet one
        error = (made - expected)[..., part].norm() / expected[..., part].norm()
        assert float(error) < 0.01


@pytest.mark.parametrize("samples", [1600, 1601, 5000])
def test_xcodec2_has_the_reference_codes(catalog: Catalog, tmp_path: Path, samples: int) -> None:
    codec = build(catalog, "xcodec2", tiny_xcodec2(tmp_path))
    wav = noise(codec, 1, samples)
    extract = transformers.Xcodec2FeatureExtractor()
    inputs = extract(audio=wav[0, 0], sampling_rate=16000, return_tensors="pt")
    with torch.no_grad():
        expected = codec.model.encode(**inputs).audio_codes
    codes = codec.encode(wav)
    frames = -(-samples // 320)
    assert codes.frames == frames
    assert expected.shape[-1] == samples // 320 + 1  # a frame of silence behind whole hops
    assert torch.equal(codes.values, expected[..., :frames].long())
    assert codes.values.unique().numel() > 2


def test_encodec_bandwidths(catalog: Catalog) -> None:
    counts = [
        build(catalog, "encodec", {"weights": "random", "bandwidth": kbps}).num_codebooks
        for kbps in (1.5, 24.0)
    ]
    assert counts == [2, 32]
    with pytest.raises(ValueError, match=r"bandwidth must be one of 1\.5, 3, 6, 12, 24"):
        build(catalog, "encodec", {"weights": "random", "bandwidth": 7.0})


def test_encodec_loads_a_file_of_weights(catalog: Catalog, tmp_path: Path) -> None:
    codec = build(catalog, "encodec", {"weights": "random"})
    torch.save(codec.model.state_dict(), tmp_path / "encodec.th")
    again = build(catalog, "encodec", {"weights": str(tmp_path / "encodec.th")})
    wav = noise(codec, 1, 2400)
    assert torch.equal(again.encode(wav).values, codec.encode(wav).values)


def test_rates_and_codebooks_are_checked(catalog: Catalog, tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="sample_rate must be one of 24000, 48000; got 16000"):
        build(catalog, "encodec", {"sample_rate": 16000})
    with pytest.raises(RecipeError, match="sample_rate must be one of 16000, 24000, 44100"):
        build(catalog, "dac", {"sample_rate": 48000})
    with pytest.raises(ValueError, match="codebooks must lie in 1 to 3; got 4"):
        build(catalog, "dac", tiny_dac(tmp_path) | {"codebooks": 4})


def test_weights_that_are_nowhere_are_named(catalog: Catalog, tmp_path: Path) -> None:
    for name in ("dac", "mimi", "hf_xcodec", "xcodec"):
        with pytest.raises(WeightsError, match="nowhere"):
            build(catalog, name, {"weights": str(tmp_path / "nowhere")})


def test_the_recipes_encoders_become_the_teachers(catalog: Catalog) -> None:
    teacher = FakeTeacher()
    codec = build(catalog, "xcodec", SMALL_XCODEC, (("fake", teacher, 2.0),))
    assert isinstance(codec, XCodec)
    assert [(t.name, t.weight, t.dim) for t in codec.config.teachers] == [("fake", 2.0, 6)]
    assert codec.encode(noise(codec, 1, 1600)).frames == 10


def test_a_trained_codec_comes_back_by_its_folder(catalog: Catalog, tmp_path: Path) -> None:
    codec = small_codec()
    codec.save(tmp_path)
    again = build(catalog, "xcodec", {"weights": str(tmp_path)})
    wav = noise(codec, 1, 1600)
    assert torch.equal(again.encode(wav).values, codec.encode(wav).values)


def test_shipped_weights_are_chosen_by_name(
    catalog: Catalog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import workbench_codecs.plugin as plugin

    build(catalog, "xcodec", SMALL_XCODEC).save(tmp_path)
    monkeypatch.setitem(plugin.EMBEDDED, "embedded-speech", tmp_path)
    speech = build(catalog, "xcodec", {"weights": "embedded-speech"})
    assert (speech.config.hop, speech.num_codebooks) == (160, 2)
    monkeypatch.setitem(plugin.EMBEDDED, "embedded-speech", tmp_path / "nothing")
    with pytest.raises(WeightsError, match=r"ships no embedded weights here \(looked in .*nothing"):
        build(catalog, "xcodec", {"weights": "embedded-speech"})
