"""A codec at a lower bandwidth: the first codebooks of a residual quantiser alone."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import Any

from torch import Tensor, nn

from workbench.api.errors import RecipeError
from workbench.api.protocols import Codec
from workbench.api.types import Codes
from workbench.codec.long import decode_stream, encode_long


class FewerCodebooks(nn.Module):
    """``codec`` with only its first ``codebooks``; implements the codec protocol.

    Residual codebooks refine one another, so the first ones decode by themselves.
    """

    def __init__(self, codec: Codec, codebooks: int) -> None:
        super().__init__()
        self.codec: Any = codec  # registered as a submodule where it is a module
        self.sample_rate = codec.sample_rate
        self.channels = codec.channels
        self.frame_rate = codec.frame_rate
        self.codebook_size = codec.codebook_size
        self.num_codebooks = codebooks

    def encode(self, wav: Tensor, lengths: Tensor | None = None) -> Codes:
        """Codes ``[B, codebooks, F]`` of audio ``[B, C, T]``."""
        codes: Codes = self.codec.encode(wav, lengths)
        return replace(codes, values=codes.values[:, : self.num_codebooks])

    def decode(self, codes: Codes) -> Tensor:
        """Audio ``[B, C, T]``."""
        wav: Tensor = self.codec.decode(codes)
        return wav

    def encode_long(self, read: Callable[[], Iterable[Tensor]], samples: int) -> Iterator[Tensor]:
        """Codes ``[1, codebooks, f]`` of a recording of any length, piece by piece."""
        for codes in encode_long(self.codec, read, samples):
            yield codes[:, : self.num_codebooks]

    def decode_stream(self, pieces: Iterable[Tensor]) -> Iterator[Tensor]:
        """Audio ``[1, C, t]`` as codes ``[1, k, f]`` arrive."""
        return decode_stream(self.codec, pieces)


def use_codebooks(codec: Codec, codebooks: int) -> Codec:
    """``codec`` with its first ``codebooks``; 0 is all of them."""
    if codebooks in (0, codec.num_codebooks):
        return codec
    if codebooks > codec.num_codebooks:
        raise RecipeError(
            [f"codec.codebooks = {codebooks}: the codec has {codec.num_codebooks} codebooks"]
        )
    return FewerCodebooks(codec, codebooks)
