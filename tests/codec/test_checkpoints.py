"""Parity with transformers' XcodecModel: codes exactly, audio within 1e-5."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from torch import Tensor

from tests.codec.codec_parts import FakeTeacher, small_codec
from workbench import WeightsError, XCodec, load_codec
from workbench.codec.checkpoints import from_transformers, transformers_bandwidth
from workbench.codec.config import QuantizerConfig, XCodecConfig
from workbench.codec.original import from_original, original_teacher, rename_original
from workbench.codec.pretrained import trained_codec

TEACHERS = {"hubert": transformers.HubertConfig, "wavlm": transformers.WavLMConfig}
COUNTS = (1, 2, 3, 4, 8)


def tiny_teacher(kind: str) -> Any:
    return TEACHERS[kind](
        hidden_size=24, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32,
        conv_dim=[8] * 7, num_conv_pos_embeddings=16, num_conv_pos_embedding_groups=4,
        hidden_dropout=0.3, layerdrop=0.5, mask_time_prob=0.3,
    )  # fmt: skip


def reference(
    kind: str = "hubert",
    down: tuple[int, ...] = (8, 5, 4, 2),
    up: tuple[int, ...] | None = None,
    widths: tuple[int, int, int] = (4, 32, 12),
    size: int = 32,
    **semantic: Any,
) -> Any:
    """A small, randomly initialised XcodecModel with codebooks that are not all zero."""
    torch.manual_seed(0)
    encoder, decoder, hidden = widths
    acoustic = transformers.DacConfig(
        encoder_hidden_size=encoder, decoder_hidden_size=decoder, hidden_size=hidden,
        downsampling_ratios=list(down), upsampling_ratios=list(up or down),
    )  # fmt: skip
    each = math.ceil(16000 / math.prod(down)) * math.ceil(math.log2(size)) / 1000
    config = transformers.XcodecConfig(
        acoustic_model_config=acoustic, semantic_model_config=tiny_teacher(kind),
        codebook_size=size, target_bandwidths=[count * each for count in COUNTS], **semantic,
    )  # fmt: skip
    model = transformers.XcodecModel(config).eval()
    with torch.no_grad():
        for parameter in model.parameters():  # transformers' initial values hardly differ
            parameter.add_(0.05 * torch.randn_like(parameter))
    for level in model.quantizer.quantizers:
        level.codebook.embed.normal_(0, 0.3)
    return model


CASES: dict[str, dict[str, Any]] = {
    "hubert": {},
    "wavlm": {"kind": "wavlm"},
    "mirrored strides": {"down": (2, 4, 5, 8), "up": (8, 5, 4, 2)},
    "other strides and sizes": {"down": (4, 4, 5, 4), "up": (10, 8, 4), "size": 100},
    "three strides": {"down": (8, 8, 5), "widths": (6, 24, 10)},
    "dilated semantic units": {"block_dilations": [1, 2, 3], "kernel_size": 5},
}
"""Strides of 320 samples in all, as the teachers' own."""

LENGTHS = (80, 320, 321, 399, 400, 1600, 1679, 1680, 5000)


def random_audio(batch: int, samples: int) -> Tensor:
    return 0.3 * torch.randn(batch, 1, samples, generator=torch.Generator().manual_seed(samples))


@pytest.fixture(params=CASES)
def pair(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Any, XCodec]:
    model = reference(**CASES[request.param])
    model.save_pretrained(tmp_path)
    return model, load_codec(tmp_path)


@torch.no_grad()
def test_codes_and_audio_equal_the_reference(pair: tuple[Any, XCodec]) -> None:
    model, codec = pair
    for samples in LENGTHS:
        wav = random_audio(2, samples)
        for bandwidth, count in zip(model.config.target_bandwidths, COUNTS, strict=True):
            expected = model.encode(wav, bandwidth=bandwidth).audio_codes
            codes = codec.encode(wav, codebooks=count)
            assert codec.codebooks_for(bandwidth) == count
            assert torch.equal(codes.values, expected), (samples, bandwidth)
            audio = model.decode(expected).audio_values
            assert torch.allclose(codec.decode(codes), audio, atol=1e-5), (samples, bandwidth)


@pytest.mark.parametrize("kind", TEACHERS)
@torch.no_grad()
def test_half_a_minute_equals_the_reference(kind: str, tmp_path: Path) -> None:
    model = reference(kind)
    model.save_pretrained(tmp_path)
    codec = load_codec(tmp_path)
    for samples in (480_000, 480_200):
        wav = random_audio(1, samples)
        expected = model.encode(wav).audio_codes
        codes = codec.encode(wav)
        assert torch.equal(codes.values, expected)
        assert torch.allclose(codec.decode(codes), model.decode(expected).audio_values, atol=1e-5)


@torch.no_grad()
def test_items_of_a_padded_batch_get_the_reference_codes_they_get_alone(
    pair: tuple[Any, XCodec],
) -> None:
    model, codec = pair
    lengths = [1600, 1679, 321, 80, 1600]
    wav = random_audio(5, 1700)
    batch = codec.encode(wav, torch.tensor(lengths))
    assert batch.lengths is not None
    for row, length in enumerate(lengths):
        expected = model.encode(wav[row : row + 1, :, :length]).audio_codes[0]
        frames = int(batch.lengths[row])
        assert torch.equal(batch.values[row, :, :frames], expected)


@torch.no_grad()
def test_what_is_written_loads_in_transformers_with_equal_results(
    pair: tuple[Any, XCodec], tmp_path: Path
) -> None:
    model, codec = pair
    codec.save_pretrained(tmp_path / "out")
    again = transformers.XcodecModel.from_pretrained(tmp_path / "out").eval()
    wav = random_audio(1, 1680)
    codes = model.encode(wav).audio_codes
    assert torch.equal(again.encode(wav).audio_codes, codes)
    assert torch.equal(again.decode(codes).audio_values, model.decode(codes).audio_values)
    assert again.config.target_bandwidths == pytest.approx(model.config.target_bandwidths)


@torch.no_grad()
def test_our_own_format_keeps_the_bundled_teacher(pair: tuple[Any, XCodec], tmp_path: Path) -> None:
    _, codec = pair
    codec.save(tmp_path / "own")
    again = load_codec(tmp_path / "own")
    wav = random_audio(1, 1680)
    assert torch.equal(again.encode(wav).values, codec.encode(wav).values)


def test_the_bundled_teacher_stays_quiet_in_train_mode(pair: tuple[Any, XCodec]) -> None:
    _, codec = pair
    wav = random_audio(1, 1600)
    codes = codec.encode(wav).values
    codec.train()
    assert torch.equal(codec.encode(wav).values, codes)


def original_names(model: Any, old_weight_norm: bool) -> dict[str, Tensor]:
    """A checkpoint of the public code with the weights of ``model``, built layer by layer."""
    names: dict[str, Tensor] = {}

    def conv(target: str, layer: Any) -> None:
        norm = layer.weight.detach().norm(dim=(1, 2), keepdim=True)
        g, v = (
            ("weight_g", "weight_v")
            if old_weight_norm
            else ("parametrizations.weight.original0", "parametrizations.weight.original1")
        )
        # A direction of any length: only its scale counts.
        names[f"{target}.{g}"], names[f"{target}.{v}"] = norm, 3 * layer.weight.detach()
        names[f"{target}.bias"] = layer.bias.detach()

    def unit(target: str, part: Any) -> None:
        names[f"{target}.block.0.alpha"] = part.snake1.alpha.detach()
        conv(f"{target}.block.1", part.conv1)
        names[f"{target}.block.2.alpha"] = part.snake2.alpha.detach()
        conv(f"{target}.block.3", part.conv2)

    encoder, decoder = model.acoustic_encoder, model.acoustic_decoder
    last = len(encoder.block)
    conv("encoder.block.0", encoder.conv1)
    conv("decoder_2.model.0", decoder.conv1)
    for i, block in enumerate(encoder.block, start=1):
        for j, part in enumerate((block.res_unit1, block.res_unit2, block.res_unit3)):
            unit(f"encoder.block.{i}.block.{j}", part)
        names[f"encoder.block.{i}.block.3.alpha"] = block.snake1.alpha.detach()
        conv(f"encoder.block.{i}.block.4", block.conv1)
    for i, block in enumerate(decoder.block, start=1):
        names[f"decoder_2.model.{i}.block.0.alpha"] = block.snake1.alpha.detach()
        conv(f"decoder_2.model.{i}.block.1", block.conv_t1)
        for j, part in enumerate((block.res_unit1, block.res_unit2, block.res_unit3), start=2):
            unit(f"decoder_2.model.{i}.block.{j}", part)
    for start, part in (("encoder.block", encoder), ("decoder_2.model", decoder)):
        names[f"{start}.{last + 1}.alpha"] = part.snake1.alpha.detach()
        conv(f"{start}.{last + 2}", part.conv2)
    for name, value in model.state_dict().items():
        first, _, rest = name.partition(".")
        if first in ("encoder_semantic", "decoder_semantic"):
            rest = re.sub(r"(^|\.)(conv|conv1)\.(weight|bias)$", r"\1\2.conv.\3", rest)
            rest = "conv2.conv.weight" if rest == "conv2.weight" else rest
            names[f"{first}.{rest}"] = value
        elif first in ("fc", "fc1", "fc2"):
            target = {"fc": "fc_prior", "fc1": "fc_post1", "fc2": "fc_post2"}[first]
            names[f"{target}.{rest}"] = value
        elif first == "quantizer":
            _, _, index, _, buffer = name.split(".")
            names[f"quantizer.vq.layers.{index}._codebook.{buffer}"] = value
        elif first == "semantic_model":
            names[name] = value
    return names


@pytest.mark.parametrize("old_weight_norm", [True, False])
@torch.no_grad()
def test_the_public_codes_checkpoint_gives_the_same_codec(
    old_weight_norm: bool, tmp_path: Path
) -> None:
    model = reference()
    torch.save(original_names(model, old_weight_norm), tmp_path / "xcodec.pth")
    settings = (
        "generator:\n  name: SoundStream\n  config: {n_filters: 32, D: 12, bins: 32,\n"
        f"    target_bandwidths: {list(model.config.target_bandwidths)},\n"
        "    ratios: [8, 5, 4, 2], sample_rate: 16000, semantic_techer: hubert_base}\n"
    )
    (tmp_path / "xcodec.yaml").write_text(settings)
    codec = from_original(
        tmp_path / "xcodec.pth", tmp_path / "xcodec.yaml", teacher=tiny_teacher("hubert")
    )
    wav = random_audio(1, 1679)
    expected = model.encode(wav).audio_codes
    codes = codec.encode(wav)
    assert torch.equal(codes.values, expected)
    assert torch.allclose(codec.decode(codes), model.decode(expected).audio_values, atol=1e-5)


def test_a_pth_needs_one_yaml_beside_it(tmp_path: Path) -> None:
    torch.save({}, tmp_path / "xcodec.pth")
    with pytest.raises(WeightsError, match=r"xcodec\.yaml"):
        load_codec(tmp_path / "xcodec.pth")
    (tmp_path / "config.yaml").write_text("generator: {}")
    with pytest.raises(WeightsError, match=r"config\.yaml"):
        load_codec(tmp_path / "xcodec.pth")


def test_an_unknown_semantic_model_is_named() -> None:
    with pytest.raises(WeightsError, match="whisper"):
        original_teacher({"semantic_techer": "whisper"})
    assert original_teacher({"semantic_techer": "wavlm_base_plus"}).model_type == "wavlm"


def test_names_of_any_number_of_strides_are_found() -> None:
    names = [
        "encoder.block.3.alpha",
        "encoder.block.2.block.0.block.1.bias",
        "encoder.block.4.bias",
    ]
    renamed = rename_original({name: torch.zeros(1) for name in names})
    assert set(renamed) == {
        "acoustic_encoder.snake1.alpha",
        "acoustic_encoder.block.1.res_unit1.conv1.bias",
        "acoustic_encoder.conv2.bias",
    }


def test_a_codec_that_transformers_cannot_hold_says_why(tmp_path: Path) -> None:
    codec = small_codec("spectral", (FakeTeacher(),), channels=2, normalise=True)
    with pytest.raises(WeightsError, match=r"'spectral'.*'istft'.*2 channels.*normalised"):
        codec.save_pretrained(tmp_path)


@pytest.mark.parametrize("size", [16, 100, 1024])
def test_written_bandwidths_mean_the_same_codebooks_to_transformers(size: int) -> None:
    for codebooks in range(1, 13):
        config = XCodecConfig(quantizer=QuantizerConfig(codebooks=codebooks, size=size))
        kbps = transformers_bandwidth(config, codebooks)
        theirs = transformers.XcodecConfig(target_bandwidths=[kbps], codebook_size=size)
        rvq = transformers.models.xcodec.modeling_xcodec.XcodecResidualVectorQuantization
        count = rvq.get_num_quantizers_for_bandwidth(
            type("Levels", (), {
                "get_bandwidth_per_quantizer": rvq.get_bandwidth_per_quantizer,
                "codebook_size": size, "frame_rate": 50, "num_quantizers": codebooks,
            })(), kbps,
        )  # fmt: skip
        assert theirs.num_quantizers == codebooks
        assert count == codebooks


def test_a_recipe_cannot_give_a_bundled_codec_another_teacher(
    pair: tuple[Any, XCodec], tmp_path: Path
) -> None:
    _, codec = pair
    codec.save(tmp_path / "own")
    source = str(tmp_path / "own")
    assert trained_codec(source, XCodecConfig(), (), tmp_path).teachers
    with pytest.raises(WeightsError, match="bring their own teacher"):
        trained_codec(source, XCodecConfig(), (("fake", FakeTeacher(), 1.0),), tmp_path)


def test_a_broken_configuration_is_named(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"model_type": "xcodec", "channel_ratios": "wide"}')
    with pytest.raises(WeightsError, match="configuration"):
        from_transformers(tmp_path)
