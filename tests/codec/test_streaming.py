from __future__ import annotations

import math
from collections.abc import Iterable
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from torch import Tensor, nn

from tests.codec.codec_parts import FakeTeacher, small_codec, tones
from workbench import Codes, XCodec, XCodecConfig
from workbench.codec.checkpoints import from_transformers
from workbench.codec.config import DecoderConfig, EncoderConfig, QuantizerConfig
from workbench.codec.reach import Reach, decoder_reach, encoder_reach
from workbench.codec.streaming import (
    Chunking,
    agreement,
    decode_chunks,
    decoding_latency,
    encode_chunks,
    encode_long,
)

KINDS = ("dac", "spectral")


def random_codes(codec: XCodec, frames: int, batch: int = 2) -> Codes:
    generator = torch.Generator().manual_seed(frames)
    shape = (batch, codec.num_codebooks, frames)
    values = torch.randint(codec.codebook_size, shape, generator=generator)
    return Codes(values, codec.codebook_size, codec.frame_rate)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("piece", "chunk"), [(1, 1), (7, 5), (200, 20), (40, 200)])
def test_decoding_by_chunks_equals_decoding_whole(kind: str, piece: int, chunk: int) -> None:
    codec = small_codec(kind)
    codes = random_codes(codec, 83)
    parts = list(decode_chunks(codec, codes.values.split(piece, dim=-1), chunk))
    assert all(part.shape[-1] % 160 == 0 for part in parts)
    whole = codec.decode(codes)
    assert torch.allclose(torch.cat(parts, dim=-1), whole, atol=1e-5)


RATES: dict[str, dict[str, object]] = {
    "published strides": {"sample_rate": 16000, "strides": [8, 5, 4, 2]},
    "24 kHz": {"sample_rate": 24000, "strides": [8, 5, 4, 3]},
    "44.1 kHz stereo": {"sample_rate": 44100, "strides": [7, 7, 9, 2], "channels": 2},
    "decoder with other strides": {"strides": [8, 5, 4, 2], "decoder_strides": [10, 8, 4]},
}


def narrow_codec(kind: str, **shape: object) -> XCodec:
    """A codec of the published shape, or another, with few channels."""
    torch.manual_seed(0)
    strides = shape["strides"]
    hop = math.prod(strides)  # type: ignore[arg-type]
    decoder = DecoderConfig("dac", 32) if kind == "dac" else DecoderConfig(
        "istft", 16, fine_width=16, frames_per_hop=2, n_fft=2 * hop
    )  # fmt: skip
    codec = XCodec(
        XCodecConfig(
            **shape,  # type: ignore[arg-type]
            latent_dim=8,
            encoder=EncoderConfig(width=2),
            decoder=decoder,
            quantizer=QuantizerConfig(codebooks=2, size=16),
        )
    )
    for codebook in codec.quantizer.codebooks:
        codebook.embed.normal_(0, 0.3)
    return codec.eval()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("rate", RATES)
@torch.no_grad()
def test_chunks_equal_the_whole_at_other_rates_and_strides(kind: str, rate: str) -> None:
    codec = narrow_codec(kind, **RATES[rate])
    codes = random_codes(codec, 70, batch=1)
    whole = codec.decode(codes)
    parts = list(decode_chunks(codec, codes.values.split(9, dim=-1), 16))
    assert torch.allclose(torch.cat(parts, dim=-1), whole, atol=1e-5)
    samples = 70 * codec.config.hop - 3
    wav = tones(1, samples, codec.channels)
    pieces = encode_chunks(codec, wav.split(999, dim=-1), chunking=Chunking(16 / codec.frame_rate))
    found = list(pieces)
    assert len(found) > 1
    assert torch.equal(torch.cat(found, dim=-1), codec.encode(wav).values)


@pytest.mark.parametrize("kind", KINDS)
def test_the_decoders_reach_is_what_a_change_reaches(kind: str) -> None:
    codec = small_codec(kind)
    reach = decoder_reach(codec)
    codes = random_codes(codec, 101, batch=1).values
    changed = codes.clone()
    changed[..., 50] = (changed[..., 50] + 7) % codec.codebook_size
    wavs = [codec.synthesise(codec.quantizer.decode(c)) for c in (codes, changed)]
    difference = (wavs[0] - wavs[1]).abs().reshape(101, 160).amax(dim=1)
    touched = difference.nonzero()[:, 0].tolist()
    assert 50 - touched[0] <= reach.after
    assert touched[-1] - 50 <= reach.before
    assert touched[-1] - touched[0] >= (reach.before + reach.after) // 2


def test_audio_leaves_as_early_as_the_stated_latency_allows() -> None:
    codec = small_codec("spectral")
    latency = decoding_latency(codec, chunk_frames=2)
    frames = latency.frames
    assert latency.seconds == frames / codec.frame_rate
    values = random_codes(codec, frames).values
    arrived: list[int] = []

    def one_by_one() -> object:
        for index in range(frames):
            arrived.append(index)
            yield values[..., index : index + 1]

    first = next(iter(decode_chunks(codec, one_by_one(), chunk_frames=2)))  # type: ignore[arg-type]
    assert first.shape[-1] == 2 * 160
    assert len(arrived) == frames


@pytest.mark.parametrize("kind", KINDS)
def test_decoding_holds_a_bounded_stretch_of_codes(kind: str) -> None:
    codec = small_codec(kind)
    reach = decoder_reach(codec)
    seen: list[int] = []
    codec.acoustic_head.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].shape[1]))
    list(decode_chunks(codec, random_codes(codec, 400, batch=1).values.split(10, dim=-1), 30))
    assert max(seen) <= 30 + reach.before + reach.after


def test_no_codes_give_no_audio() -> None:
    assert list(decode_chunks(small_codec(), [])) == []


LAYOUTS: dict[str, tuple[tuple[int, int], ...]] = {
    "control": (),
    "one teacher": ((8000, 160),),
    "teachers of other rates": ((24000, 320), (8000, 320)),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("samples", [9600, 9601, 77])
def test_encoding_by_chunks_equals_encoding_whole(kind: str, layout: str, samples: int) -> None:
    """For teachers that see a bounded stretch, as these do."""
    teachers = tuple(FakeTeacher(4, rate, hop) for rate, hop in LAYOUTS[layout])
    codec = small_codec(kind, teachers)
    wav = tones(2, samples)
    parts = list(encode_chunks(codec, wav.split(1000, dim=-1), chunking=Chunking(0.2, 0.2)))
    assert len(parts) > 1 or samples == 77
    assert torch.equal(torch.cat(parts, dim=-1), codec.encode(wav).values)


@pytest.mark.parametrize("kind", KINDS)
def test_codes_do_not_depend_on_how_the_audio_arrives(kind: str) -> None:
    codec = small_codec(kind, (HearsAll(),))
    wav = tones(1, 16_000)
    for samples in (15_999, 16_000, 12_800, 12_961):
        part = wav[..., :samples]
        found = [
            torch.cat(
                list(encode_chunks(codec, part.split(size, -1), known, Chunking(0.4, 0.4))), -1
            )
            for size, known in ((samples, None), (160, None), (997, samples))
        ]
        assert all(torch.equal(codes, found[0]) for codes in found)


def test_audio_that_the_look_ahead_covers_is_encoded_whole() -> None:
    codec = small_codec("spectral", (HearsAll(),))
    wav = tones(1, 80 * 160)
    parts = list(encode_long(codec, lambda: [wav], 80 * 160, Chunking(1.0, 0.6)))
    assert torch.equal(torch.cat(parts, dim=-1), codec.encode(wav).values)
    assert len(parts) == 1
    assert len(list(encode_long(codec, lambda: [wav], 80 * 160, Chunking(1.0, 0.5)))) == 2


def test_only_the_first_codebooks_on_request() -> None:
    codec = small_codec("spectral")
    wav = tones(1, 4000)
    parts = encode_long(codec, lambda: [wav], 4000, Chunking(0.2), codebooks=1)
    assert torch.equal(torch.cat(list(parts), dim=-1), codec.encode(wav).values[:, :1])


def test_encoding_holds_a_bounded_stretch_of_audio() -> None:
    codec = small_codec("spectral", (FakeTeacher(),))
    acoustic: list[int] = []
    heard: list[int] = []
    codec.acoustic_encoder.register_forward_pre_hook(
        lambda _, inputs: acoustic.append(inputs[0].shape[-1])
    )
    codec.teachers[0].register_forward_pre_hook(lambda _, inputs: heard.append(inputs[0].shape[-1]))
    wav = tones(1, 80_000)
    list(encode_chunks(codec, wav.split(160, dim=-1), chunking=Chunking(0.4, 0.4)))
    reach = encoder_reach(codec)
    assert max(acoustic) <= (20 + 20 + reach.before + reach.after) * 160
    assert max(heard) <= (20 + 2 * 20 + 20) * 160


class HearsAll(FakeTeacher):
    """A teacher whose every frame depends on all of the audio, as attention does."""

    def forward(self, wav: Tensor) -> Tensor:
        features = super().forward(wav)
        return features * (1 + 5 * features.mean(dim=-1, keepdim=True))


class SurveysAll(HearsAll):
    """The same, but it can be told what all of the audio is like."""

    def survey(self, blocks: Iterable[Tensor], samples: int) -> Tensor:
        wav = torch.cat(list(blocks), dim=1)
        assert wav.shape == (1, samples)
        return FakeTeacher.forward(self, wav).mean(dim=-1, keepdim=True)

    def within(self, wav: Tensor, survey: Tensor, start: int) -> Tensor:
        assert start % 160 == 0
        return FakeTeacher.forward(self, wav) * (1 + 5 * survey)


def test_agreement_shows_what_a_teacher_misses() -> None:
    codec = small_codec("spectral", (HearsAll(),))
    wav = tones(1, 8000) * torch.linspace(0, 10, 8000)
    little, everything = (agreement(codec, wav, Chunking(0.2, context)) for context in (0.0, 10.0))
    assert everything == [1.0, 1.0, 1.0]
    assert all(0.5 < share < 1 for share in little)


@pytest.mark.parametrize("others", [(), (FakeTeacher(seed=1),)])
def test_a_teacher_that_can_survey_a_recording_is_told_what_it_is_like(
    others: tuple[FakeTeacher, ...],
) -> None:
    codec = small_codec("spectral", (SurveysAll(), *others))
    wav = tones(1, 8000) * torch.linspace(0, 10, 8000)
    assert agreement(codec, wav, Chunking(0.2, 0.1)) == [1.0, 1.0, 1.0]
    assert min(agreement(codec, wav, Chunking(0.2, 0.1, survey=False))) < 1


def test_audio_of_another_length_than_stated_is_an_error() -> None:
    codec = small_codec("spectral")
    assert len(list(encode_chunks(codec, [tones(1, 800)], None, Chunking(0.1)))) >= 1
    for stated in (1600, 400):
        with pytest.raises(ValueError, match=f"after 800 of {stated} samples"):
            list(encode_chunks(codec, [tones(1, 800)], stated, Chunking(0.1)))


def test_chunks_of_no_length_are_refused() -> None:
    for wrong in ((0.0, 1.0), (1.0, -1.0)):
        with pytest.raises(ValueError, match="longer than 0 s"):
            Chunking(*wrong)


def test_a_reach_is_found_beyond_the_first_window() -> None:
    from workbench.codec.reach import _probe

    def affected(frames: int, centre: int) -> Tensor:
        hit = torch.zeros(frames, dtype=torch.bool)
        hit[max(0, centre - 40) : centre + 3] = True
        return hit

    assert _probe(affected) == Reach(before=2, after=40)


class Shallow(nn.Module):
    """In place of a published teacher: sees 400 samples every 320, as that one's convolutions."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.conv = nn.Conv1d(1, dim, 400, 320)

    def forward(self, wav: Tensor, output_hidden_states: bool) -> SimpleNamespace:
        assert output_hidden_states
        return SimpleNamespace(hidden_states=(self.conv(wav[:, None]).transpose(1, 2).tanh(),))


@pytest.mark.parametrize("samples", [25600, 25679, 25680, 25919])
def test_published_checkpoints_keep_their_framing_in_chunks(samples: int, tmp_path: Path) -> None:
    from tests.codec.test_checkpoints import random_audio, reference

    reference().save_pretrained(tmp_path)
    codec = from_transformers(tmp_path)
    codec.teachers[0].encoder.model = Shallow(24)  # type: ignore[attr-defined]
    wav = random_audio(1, samples)
    whole = codec.encode(wav).values
    chunking = Chunking(0.2, 0.2, survey=False)
    parts = list(encode_long(codec, lambda: wav.split(1000, -1), samples, chunking))
    assert len(parts) > 3
    assert torch.equal(torch.cat(parts, dim=-1), whole)
    with pytest.raises(ValueError, match="number of samples"):
        list(encode_chunks(codec, [wav]))


@pytest.mark.parametrize("kind", ["hubert", "wavlm"])
def test_published_teachers_are_told_what_the_recording_is_like(kind: str, tmp_path: Path) -> None:
    from tests.codec.test_checkpoints import random_audio, reference

    reference(kind).save_pretrained(tmp_path)
    codec = from_transformers(tmp_path)
    wav = random_audio(1, 80_000) * torch.linspace(0.01, 1, 80_000)
    alone, told = (
        agreement(codec, wav, Chunking(0.5, 0.6, survey=survey)) for survey in (False, True)
    )
    assert told[0] > max(0.95, alone[0])
