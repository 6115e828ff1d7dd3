from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tests.codec.codec_parts import FakeTeacher, small_codec, tones
from workbench import Codec, Codes, StreamingCodec, decode_stream, encode_long
from workbench.codec import long
from workbench.codec.fewer import use_codebooks
from workbench.codec.streaming import Chunking


class Averages(nn.Module):
    """A codec of smoothed averages over frames of 5 or, on average, 16.5 samples.

    It sees 40 samples on each side. Where it has segments, frames count from the segment's start.
    """

    sample_rate = 1000
    channels = 1
    num_codebooks = 2
    codebook_size = 256

    def __init__(self, hop: float = 5, segment_frames: int = 0) -> None:
        super().__init__()
        self.hop = hop
        self.frame_rate = 1000 / hop
        self.segment_frames = segment_frames
        self.longest = 0

    def encode(self, wav: Tensor, lengths: Tensor | None = None) -> Codes:
        samples = wav.shape[-1]
        self.longest = max(self.longest, samples)
        frames = -(-samples // self.hop)
        smooth = F.avg_pool1d(wav, 81, 1, 40, count_include_pad=False)
        starts = torch.tensor([round(n * self.hop) for n in range(int(frames))])
        fine = (smooth[:, 0, starts] * 127 + 128).long().clamp(0, 255)
        place = torch.arange(len(starts)) % (self.segment_frames or 256) + 0 * fine
        return Codes(torch.stack([fine, place], dim=1), 256, self.frame_rate)

    def decode(self, codes: Codes) -> Tensor:
        samples = round(codes.frames * self.hop)
        index = (torch.arange(samples) / self.hop).long().clamp(max=codes.frames - 1)
        wav = codes.values[:, :1, index].float()
        return F.avg_pool1d(wav, 41, 1, 20, count_include_pad=False)


@pytest.fixture(autouse=True)
def short_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(long, "WINDOW_SECONDS", 1.0)
    monkeypatch.setattr(long, "CONTEXT_SECONDS", 0.2)


def joined_codes(codec: Codec, wav: Tensor, size: int) -> Tensor:
    return torch.cat(list(encode_long(codec, lambda: wav.split(size, -1), wav.shape[-1])), dim=-1)


@pytest.mark.parametrize(("hop", "segment"), [(5, 0), (16.5, 0), (5, 30)])
@pytest.mark.parametrize("samples", [1, 999, 1200, 1205, 7001])
def test_a_codec_that_sees_little_gets_the_whole_recordings_codes(
    hop: float, segment: int, samples: int
) -> None:
    codec = Averages(hop, segment)
    wav = tones(1, samples)
    whole = codec.encode(wav).values
    codec.longest = 0
    codes = joined_codes(codec, wav, 333)
    assert codec.longest <= 1.6 * codec.sample_rate
    if not segment:
        codes, whole = codes[:, :1], whole[:, :1]  # there, frames count from the window's start
    assert torch.equal(codes, whole)


@pytest.mark.parametrize("hop", [5, 16.5])
@pytest.mark.parametrize("frames", [1, 60, 244, 999])
def test_decoded_windows_are_the_whole_recordings_audio(hop: float, frames: int) -> None:
    codec = Averages(hop)
    values = torch.randint(256, (1, 2, frames), generator=torch.Generator().manual_seed(0))
    whole = codec.decode(Codes(values, 256, codec.frame_rate))
    wav = torch.cat(list(decode_stream(codec, values.split(7, -1))), dim=-1)
    assert wav.shape == whole.shape
    assert torch.allclose(wav, whole, atol=1e-4)


def test_audio_of_another_length_is_an_error() -> None:
    for samples in (5000, 5200):
        with pytest.raises(ValueError, match=f"after 5100 of {samples} samples"):
            list(encode_long(Averages(), lambda: [tones(1, 5100)], samples))


def test_a_codec_that_can_do_it_itself_is_asked() -> None:
    codec = small_codec("spectral", (FakeTeacher(),))
    assert isinstance(codec, StreamingCodec)
    assert not isinstance(Averages(), StreamingCodec)
    wav = tones(1, 20_000)
    parts = list(codec.encode_long(lambda: [wav], 20_000, Chunking(0.5, 0.2)))
    assert len(parts) > 2
    codes = codec.encode(wav)
    assert torch.equal(torch.cat(parts, -1), codes.values)
    audio = list(codec.decode_stream(codes.values.split(11, -1), chunk_frames=20))
    assert torch.allclose(torch.cat(audio, -1), codec.decode(codes), atol=1e-5)


def test_fewer_codebooks_of_either_kind() -> None:
    wav = tones(1, 5000)
    for codec in (small_codec("spectral"), Averages()):
        fewer = use_codebooks(codec, 1)
        codes = joined_codes(fewer, wav, 999)
        assert torch.equal(codes, joined_codes(codec, wav, 999)[:, :1])
        audio = torch.cat(list(decode_stream(fewer, [codes])), dim=-1)
        whole = fewer.decode(Codes(codes, codec.codebook_size, codec.frame_rate))
        assert torch.allclose(audio, whole, atol=1e-4)
