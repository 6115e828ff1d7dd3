"""X-Codec (arXiv 2408.17175): an acoustic codec whose codes also carry a teacher's semantics.

Read :meth:`XCodec.forward`: it is the whole model. Without a teacher the same lines are the
acoustic control: there is then no semantic branch, and nothing else differs.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from workbench.api.errors import WeightsError
from workbench.api.protocols import SemanticEncoder
from workbench.api.types import Codes
from workbench.codec.acoustic import DacDecoder, DacEncoder, dac_frames
from workbench.codec.batching import encode_by_length
from workbench.codec.config import TeacherConfig, XCodecConfig
from workbench.codec.quantizer import Quantized, ResidualVectorQuantizer
from workbench.codec.semantic import Part, SemanticBranch, Teacher, encoder_fingerprint
from workbench.codec.spectral import SpectralDecoder, SpectralEncoder

if TYPE_CHECKING:
    from workbench.api.settings import TrainingSettings
    from workbench.audio.dataset import AudioDataset
    from workbench.codec.inference.kernels import Precision
    from workbench.codec.streaming import Chunking
    from workbench.training.session import TrainingSession


@dataclass(frozen=True)
class Reconstruction:
    """What one training pass yields.

    ``wav`` ``[B, C, F * hop]``; ``features`` and ``targets``: for each teacher, reconstructed and
    true (normalised) features ``[B, D, F']``; ``quantized``: codes and commitment loss.
    """

    wav: Tensor
    features: tuple[Tensor, ...]
    targets: tuple[Tensor, ...]
    quantized: Quantized


class XCodec(nn.Module):
    """An X-Codec of any size, with any number of semantic teachers (none: acoustic control)."""

    def __init__(self, config: XCodecConfig, teachers: Sequence[SemanticEncoder] = ()) -> None:
        super().__init__()
        self.config = config
        strides = config.decoder_strides or config.strides
        self.acoustic_encoder: nn.Module = (
            SpectralEncoder(config)
            if config.encoder.kind == "spectral"
            else DacEncoder(
                config.channels, config.encoder.width, config.strides, config.latent_dim
            )
        )
        self.acoustic_decoder: nn.Module = (
            SpectralDecoder(config)
            if config.decoder.kind == "istft"
            else DacDecoder(config.channels, config.decoder.width, strides, config.latent_dim)
        )
        self.branches = nn.ModuleList(
            SemanticBranch(config.semantic, teacher.dim, config.quantized_dim)
            for teacher in config.teachers
        )
        self.fusion = nn.Linear(config.fused_dim, config.quantized_dim)
        self.quantizer = ResidualVectorQuantizer(config.quantizer, config.quantized_dim)
        self.acoustic_head = nn.Linear(config.quantized_dim, config.latent_dim)
        # A tuple and no ModuleList: teachers are neither trained nor saved with the codec.
        self.teachers: tuple[Teacher, ...] = ()
        if teachers:
            self.attach(teachers)

    def attach(self, teachers: Sequence[SemanticEncoder]) -> None:
        """Give the codec its teachers, in the order of ``config.teachers``.

        Decoding needs none; encoding and training need all of them.
        """
        expected = self.config.teachers
        if len(teachers) != len(expected):
            raise WeightsError(f"the codec has {len(expected)} teachers; got {len(teachers)}")
        for encoder, teacher in zip(teachers, expected, strict=True):
            check_teacher(encoder, teacher)
        self.teachers = tuple(
            Teacher(encoder, teacher) for encoder, teacher in zip(teachers, expected, strict=True)
        )
        for teacher_module in self.teachers:
            teacher_module.to(self.device)

    @property
    def semantic_branches(self) -> list[SemanticBranch]:
        """What is learnt for each teacher, in their order; empty for the acoustic control."""
        return [branch for branch in self.branches if isinstance(branch, SemanticBranch)]

    @property
    def device(self) -> torch.device:
        """Where the codec lives."""
        return self.fusion.weight.device

    # --- the Codec protocol -------------------------------------------------------------------

    @property
    def sample_rate(self) -> int:
        """Audio rate in Hz."""
        return self.config.sample_rate

    @property
    def channels(self) -> int:
        """Audio channels."""
        return self.config.channels

    @property
    def frame_rate(self) -> float:
        """Code frames a second."""
        return self.config.frame_rate

    @property
    def num_codebooks(self) -> int:
        """Codebooks at full bandwidth."""
        return self.config.quantizer.codebooks

    @property
    def codebook_size(self) -> int:
        """Entries in each codebook."""
        return self.config.quantizer.size

    def codebooks_for(self, kbps: float) -> int:
        """Codebooks that fit into a bandwidth in kbit/s: at least 1, at most all."""
        each = self.frame_rate * math.log2(self.codebook_size) / 1000
        return min(self.num_codebooks, max(1, math.floor(kbps / each + 1e-9)))

    @torch.no_grad()
    def encode(
        self, wav: Tensor, lengths: Tensor | None = None, codebooks: int | None = None
    ) -> Codes:
        """Codes ``[B, K, F]`` of audio float32 ``[B, C, T]``; F = ceil(T / hop).

        ``lengths`` (int64 ``[B]``, samples) marks the valid part of padded items; each item's codes
        are those it gets alone. ``codebooks`` keeps the first few codebooks only.
        """

        def quantize(part: Tensor) -> Tensor:
            return self.quantizer.encode(self.latents(part), codebooks)

        values, frames = encode_by_length(quantize, wav, lengths)
        return Codes(values, self.codebook_size, self.frame_rate, frames)

    @torch.no_grad()
    def decode(self, codes: Codes) -> Tensor:
        """Audio float32 ``[B, C, F * hop]`` of codes with any number of codebooks from 1 to K."""
        if codes.num_codebooks > self.num_codebooks:
            raise ValueError(
                f"expected at most {self.num_codebooks} codebooks; got {codes.num_codebooks}"
            )
        wav: Tensor = self.synthesise(self.quantizer.decode(codes.values))
        return wav

    @torch.no_grad()
    def vectors(self, codes: Codes) -> Tensor:
        """Quantised vectors ``[B, Q, F]`` of codes with any number of codebooks from 1 to K."""
        return self.quantizer.decode(codes.values).transpose(1, 2)

    def for_inference(self, precision: Precision = "fp32", compiled: bool = False) -> XCodec:
        """A copy that encodes and decodes sooner: see :mod:`workbench.codec.inference.build`."""
        from workbench.codec.inference.build import for_inference

        return for_inference(self, precision, compiled)

    # --- the model ----------------------------------------------------------------------------

    def forward(self, wav: Tensor, targets: Sequence[Tensor] | None = None) -> Reconstruction:
        """One training pass over ``[B, C, F * hop]``.

        ``targets`` takes the place of the teachers' features (as :meth:`targets` gives them) where
        they were computed before.
        """
        semantic = tuple(self.targets(wav) if targets is None else targets)
        acoustic = self.acoustic_encoder(wav)
        quantized = self.quantizer(self.fuse(acoustic, semantic))
        return Reconstruction(
            wav=self.synthesise(quantized.vectors),
            features=tuple(b.reconstruct(quantized.vectors) for b in self.semantic_branches),
            targets=semantic,
            quantized=quantized,
        )

    def latents(self, wav: Tensor) -> Tensor:
        """Fused vectors ``[B, F, Q]``, ready to be quantised, of ``[B, C, T]`` of any length."""
        self._check(wav)
        return self.fuse(self.acoustic_encoder(self.framed(wav)), self.features(wav))

    def framed(self, wav: Tensor) -> Tensor:
        """``[B, C, T]`` padded with zeros as ``config.framing`` says, for the acoustic encoder."""
        before, after = self.padding(wav.shape[-1])
        return F.pad(wav, (before, after))

    def padding(self, samples: int) -> tuple[int, int]:
        """Zeros before and after audio of so many samples."""
        if self.config.framing == "whole":
            return 0, -samples % self.config.hop
        # As transformers does: where the acoustic encoder would yield another number of frames
        # than the teacher, half a hop on both sides.
        fits = dac_frames(self.config.strides, samples) == self.frames(samples)
        half = self.config.hop // 2
        return (0, 0) if fits else (half, half)

    def frames(self, samples: int) -> int:
        """Frames of codes of audio of so many samples."""
        if self.config.framing == "whole":
            return -(-samples // self.config.hop)
        (teacher,) = self.config.teachers
        assert teacher.padding is not None
        hop = round(teacher.sample_rate / teacher.frame_rate)
        spare = max(0, samples + 2 * teacher.padding - teacher.receptive_field)
        return (spare // hop + 1) // math.prod(self.config.semantic.strides)

    def features(self, wav: Tensor, parts: Sequence[Part] = ()) -> list[Tensor]:
        """Each teacher's normalised features ``[B, D, F']`` of ``[B, C, T]`` of any length.

        ``parts`` tells each teacher what recording ``wav`` is a part of, and where.
        """
        if self.config.framing == "whole":
            return self.normalise(self.heard(self.framed(wav), parts))
        (teacher,), (branch,) = self.teachers, self.semantic_branches
        return [branch.normalise(teacher.features(wav, self.sample_rate, *parts))]

    def fuse(self, acoustic: Tensor, semantic: Sequence[Tensor]) -> Tensor:
        """Vectors ``[B, F, Q]`` of acoustic latents ``[B, latent_dim, F]`` and features."""
        encoded = [b.encoder(f) for b, f in zip(self.semantic_branches, semantic, strict=True)]
        fused: Tensor = self.fusion(torch.cat([acoustic, *encoded], dim=1).transpose(1, 2))
        return fused

    def synthesise(self, vectors: Tensor) -> Tensor:
        """Audio ``[B, C, F * hop]`` of quantised vectors ``[B, F, Q]``."""
        wav: Tensor = self.acoustic_decoder(self.acoustic_head(vectors).transpose(1, 2))
        return wav

    def targets(self, wav: Tensor) -> list[Tensor]:
        """Each teacher's normalised features ``[B, D, F']`` of ``[B, C, F * hop]``."""
        return self.normalise(self.heard(wav))

    def heard(self, wav: Tensor, parts: Sequence[Part] = ()) -> list[Tensor]:
        """Each teacher's features ``[B, D, F']``, as it gives them, of ``[B, C, F * hop]``."""
        frames = wav.shape[-1] // self.config.hop
        factor = math.prod(self.config.semantic.strides)
        return [
            teacher(wav, self.sample_rate, self.frame_rate * factor, frames * factor, part)
            for teacher, part in zip_longest(self.teachers, parts)
        ]

    def normalise(self, features: Sequence[Tensor]) -> list[Tensor]:
        """Each teacher's features with the corpus' mean and deviation taken out, if so trained."""
        return [b.normalise(f) for b, f in zip(self.semantic_branches, features, strict=True)]

    def _check(self, wav: Tensor) -> None:
        if wav.dim() != 3 or wav.shape[1] != self.channels or wav.shape[2] == 0:
            raise ValueError(
                f"expected audio [B, {self.channels}, T] with T > 0; got {list(wav.shape)}"
            )
        if len(self.teachers) != len(self.branches):
            names = ", ".join(teacher.name for teacher in self.config.teachers)
            raise WeightsError(f"this codec encodes with its teachers ({names}); attach them first")

    def _apply(self, fn: Callable[..., Any], recurse: bool = True) -> XCodec:
        """Moving the codec (``to``, ``cuda`` ...) moves its teachers along."""
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        for teacher in self.teachers:
            teacher._apply(fn, recurse)  # type: ignore[no-untyped-call]
        return self

    # --- the StreamingCodec protocol ----------------------------------------------------------

    def encode_long(
        self,
        read: Callable[[], Iterable[Tensor]],
        samples: int,
        chunking: Chunking | None = None,
        codebooks: int | None = None,
    ) -> Iterator[Tensor]:
        """Codes ``[1, K, f]`` of a recording of any length, chunk by chunk."""
        from workbench.codec.streaming import encode_long

        return encode_long(self, read, samples, chunking, codebooks)

    def decode_stream(
        self, pieces: Iterable[Tensor], chunk_frames: int | None = None
    ) -> Iterator[Tensor]:
        """Audio ``[B, C, t]`` as codes ``[B, k, f]`` arrive."""
        from workbench.codec.streaming import decode_chunks

        return decode_chunks(self, pieces, chunk_frames)

    # --- the TaughtCodec protocol -------------------------------------------------------------

    def feature_inputs(self, settings: TrainingSettings) -> Mapping[str, Any]:
        """What stored teacher features depend on beside the audio; empty for none."""
        from workbench.codec.features import feature_inputs

        return feature_inputs(self, settings)

    def write_features(
        self, data: AudioDataset, settings: TrainingSettings, folder: Path
    ) -> Mapping[str, Any]:
        """Hear every training recording once and keep the teachers' features in ``folder``."""
        from workbench.codec.features import write_features

        return write_features(self, data, settings, folder)

    def fit(
        self, data: AudioDataset, session: TrainingSession, features: Path | None = None
    ) -> None:
        """Train in place on ``data``, through ``session.fit`` so that a killed run resumes."""
        from workbench.codec.fit import fit_codec

        fit_codec(self, data, session, features)

    def save(self, folder: Path) -> None:
        """Write ``config.json`` and ``model.safetensors`` to ``folder``."""
        from workbench.codec.pretrained import save_codec

        save_codec(self, folder)

    def save_pretrained(self, folder: Path) -> None:
        """Write transformers' Xcodec format, which ``XcodecModel.from_pretrained`` loads."""
        from workbench.codec.checkpoints import to_transformers

        to_transformers(self, folder)


def check_teacher(encoder: SemanticEncoder, expected: TeacherConfig) -> None:
    """Refuse an encoder that isn't the one that the codec was (or is to be) made with."""
    if encoder.dim != expected.dim:
        raise WeightsError(
            f"teacher {expected.name}: its features are {encoder.dim} wide, the codec expects "
            f"{expected.dim}"
        )
    if expected.fingerprint and encoder_fingerprint(encoder) != expected.fingerprint:
        raise WeightsError(
            f"teacher {expected.name}: these are not the weights that the codec was trained with "
            f"(fingerprint {encoder_fingerprint(encoder)}, expected {expected.fingerprint}); its "
            "codes would be wrong"
        )
