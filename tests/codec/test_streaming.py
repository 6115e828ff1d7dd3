from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

from tests.codec.codec_parts import FakeTeacher, small_codec, tones
from workbench import Codes, XCodec
from workbench.codec.checkpoints import from_transformers
from workbench.codec.streaming import (
    Reach,
    agreement,
    decode_chunks,
    decoder_reach,
    decoding_latency,
    encode_chunks,
    encoder_reach,
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
    frames = round(decoding_latency(codec, chunk_frames=2) * codec.frame_rate)
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
    assert max(seen[1:]) <= 30 + reach.before + reach.after + 10


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
    parts = list(encode_chunks(codec, wav.split(1000, dim=-1), samples, 0.2, 0.2))
    assert len(parts) == -(-codec.frames(samples) // 10)
    assert torch.equal(torch.cat(parts, dim=-1), codec.encode(wav).values)


def test_encoding_holds_a_bounded_stretch_of_audio() -> None:
    codec = small_codec("spectral", (FakeTeacher(),))
    seen: list[int] = []
    codec.acoustic_encoder.register_forward_pre_hook(
        lambda _, inputs: seen.append(inputs[0].shape[-1])
    )
    wav = tones(1, 80_000)
    list(encode_chunks(codec, wav.split(160, dim=-1), 80_000, 0.4, 0.4))
    reach = encoder_reach(codec)
    sight = max(20, reach.before, reach.after)
    assert max(seen[1:]) <= (20 + 2 * sight + 2) * 160


class HearsAll(FakeTeacher):
    """A teacher whose every frame depends on all of the audio, as attention does."""

    def forward(self, wav: Tensor) -> Tensor:
        features = super().forward(wav)
        return features * (1 + 5 * features.mean(dim=-1, keepdim=True))


def test_agreement_shows_what_a_teacher_misses() -> None:
    codec = small_codec("spectral", (HearsAll(),))
    wav = tones(1, 8000) * torch.linspace(0, 10, 8000)
    little, everything = (agreement(codec, wav, 0.2, context) for context in (0.0, 10.0))
    assert everything == [1.0, 1.0, 1.0]
    assert all(0.5 < share < 1 for share in little)


def test_audio_that_ends_early_is_an_error() -> None:
    codec = small_codec("spectral")
    with pytest.raises(ValueError, match="after 800 of 1600 samples"):
        list(encode_chunks(codec, [tones(1, 800)], 1600, 0.1))


def test_a_reach_is_found_beyond_the_first_window() -> None:
    from workbench.codec.streaming import _probe

    def affected(frames: int, centre: int) -> Tensor:
        hit = torch.zeros(frames, dtype=torch.bool)
        hit[max(0, centre - 40) : centre + 3] = True
        return hit

    assert _probe(affected) == Reach(before=2, after=40)


@pytest.mark.parametrize("samples", [6400, 6479, 6480, 6719])
def test_published_checkpoints_keep_their_framing_in_chunks(samples: int, tmp_path: Path) -> None:
    from tests.codec.test_checkpoints import random_audio, reference

    reference().save_pretrained(tmp_path)
    codec = from_transformers(tmp_path)
    wav = random_audio(1, samples)
    same = agreement(codec, wav, chunk_seconds=0.1, context_seconds=10.0)
    assert same == [1.0] * 8  # the teacher sees all of it, from its start
