"""What every codec must keep."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from workbench.api.errors import PluginError
from workbench.api.types import Codes
from workbench.testing.probes import (
    check_eval_mode,
    check_on_device,
    check_positive,
    check_tensors_registered,
    difference,
    lengths_around,
    loud,
    noise,
    nominal_frames,
    upset_random_state,
)
from workbench.testing.subject import ContractBroken, NotApplicable, Subject, require
from workbench.testing.training import check_training


def states_its_numbers(subject: Subject) -> None:
    """Rate, channels, codebooks and their size are whole numbers above 0; so is ``frame_rate``."""
    check_positive(subject, "sample_rate", "channels", "num_codebooks", "codebook_size", whole=True)
    check_positive(subject, "frame_rate", whole=False)


def is_in_eval_mode(subject: Subject) -> None:
    """A codec that is a torch module is built in eval mode."""
    check_eval_mode(subject.built)


def codes_of_any_length(subject: Subject) -> None:
    """Audio of n frames gives n codes (a started frame may count) of each codebook, in range."""
    codec, hop = subject.built, _hop(subject)
    rate = codec.sample_rate
    for samples in [*lengths_around(hop), rate + 13, round(subject.longest_seconds * rate)]:
        items = 2 if samples < rate else 1
        codes = _encode(subject, _audio(subject, items, samples))
        shape = list(codes.values.shape)
        low, started = nominal_frames(samples, hop)
        high = started + 1
        require(
            shape[:2] == [items, codec.num_codebooks] and low <= shape[2] <= high,
            f"its codes of audio [{items}, {codec.channels}, {samples}] are {shape}; they must be "
            f"[{items}, {codec.num_codebooks}, F] with F from {low} to {high}",
        )
        for name in ("codebook_size", "frame_rate"):
            said, meant = getattr(codes, name), getattr(codec, name)
            require(said == meant, f"its codes state {name} {said}, the codec {meant}")


def silence_and_full_scale(subject: Subject) -> None:
    """Silence and audio at full scale have codes too, and decode to finite audio."""
    samples = 3 * round(_hop(subject)) + 5
    for level in (0.0, 1.0):
        wav = _audio(subject, 1, samples).sign() * level
        decoded = _decode(subject, _encode(subject, wav))
        require(bool(decoded.isfinite().all()), f"audio of level {level:g} decodes to NaN")


def items_are_independent(subject: Subject) -> None:
    """A padded item's codes in a batch are those that it gets alone, and so is their number."""
    codec = subject.built
    whole = round(min(1.0, subject.longest_seconds) * codec.sample_rate)
    lengths = torch.tensor([whole, whole // 2 + 3, max(1, whole // 5)])
    wav = _audio(subject, 3, whole)
    for item, length in enumerate(lengths.tolist()):
        wav[item, :, length:] = 0
    together = _encode(subject, wav, lengths)
    counts = together.lengths
    require(
        counts is not None and counts.shape == (3,),
        f"encode(wav, lengths) gives Codes.lengths {counts}; give each item's frames, int64 [B]",
    )
    for item, length in enumerate(lengths.tolist()):
        alone = _encode(subject, wav[item : item + 1, :, :length]).values[0].cpu()
        frames = int(counts[item])  # type: ignore[index]
        require(
            frames == alone.shape[-1],
            f"item {item} of a batch has {frames} frames, alone it has {alone.shape[-1]}",
        )
        same = (together.values[item, :, :frames].cpu() == alone).float().mean()
        require(
            float(same) > 0.999,  # a tie may fall the other way
            f"item {item} of a batch has other codes than alone ({1 - float(same):.1%} of them): "
            "nothing may be computed over the batch or over padding",
        )


def decodes_any_number_of_codebooks(subject: Subject) -> None:
    """Codes with 1 to K codebooks decode to finite float32 ``[B, C, T]``, T near F * hop."""
    codec, hop = subject.built, _hop(subject)
    codes = _encode(subject, _audio(subject, 2, round(10 * hop)))
    for count in sorted({1, (codec.num_codebooks + 1) // 2, codec.num_codebooks}):
        part = Codes(codes.values[:, :count], codes.codebook_size, codes.frame_rate)
        wav = _decode(subject, part)
        given = f"{count} of {codec.num_codebooks} codebooks, {codes.frames} frames,"
        said = f"{given} decode to {list(wav.shape)}"
        right = wav.dim() == 3 and wav.shape[:2] == (2, codec.channels)
        near = right and abs(wav.shape[2] - codes.frames * hop) <= hop
        require(
            near,
            f"{said}; it must be [2, {codec.channels}, T] with T within a frame of "
            f"{codes.frames * hop:g}",
        )
        require(wav.dtype == torch.float32, f"it decodes to {wav.dtype}, not float32")
        require(bool(wav.isfinite().all()), f"{said} with NaN or infinity in it")


def decodes_any_codes(subject: Subject) -> None:
    """A language model may put any code anywhere: all decode to finite audio."""
    codec = subject.built
    generator = torch.Generator().manual_seed(0)
    values = torch.randint(codec.codebook_size, (2, codec.num_codebooks, 7), generator=generator)
    codes = Codes(values.to(subject.device), codec.codebook_size, codec.frame_rate)
    require(bool(_decode(subject, codes).isfinite().all()), "random codes decode to NaN")


def calls_repeat(subject: Subject) -> None:
    """The same audio gives the same codes twice, and is itself left as it was; so with codes."""
    wav = _audio(subject, 2, round(7 * _hop(subject)))
    before = wav.clone()
    codes = []
    for state in (1, 2):
        upset_random_state(state)
        codes.append(_encode(subject, wav))
    require(torch.equal(wav, before), "encode changes the audio that it is given: work on a copy")
    require(torch.equal(codes[0].values, codes[1].values), "encode gives other codes on each call")
    values = codes[0].values.clone()
    gap = difference(_decode(subject, codes[0]), _decode(subject, codes[1]))
    require(torch.equal(values, codes[0].values), "decode changes the codes that it is given")
    require(gap == 0, f"two decodings of the same codes differ by {gap:.2g} of their size")


def seed_decides(subject: Subject) -> None:
    """Two built with one ``context.seed`` are the same, whatever the global random state."""
    wav = _audio(subject, 1, round(7 * _hop(subject)))
    found: list[tuple[Tensor, Tensor]] = []
    for state in (1, 2):
        upset_random_state(state)
        codec = subject.build(seed=5)
        with torch.no_grad():
            codes = codec.encode(wav.to(subject.device))
            found.append((codes.values, codec.decode(codes)))
    (codes_one, wav_one), (codes_two, wav_two) = found
    same = torch.equal(codes_one, codes_two) and torch.equal(wav_one, wav_two)
    require(
        same, "two built with the same seed differ: draw from a generator seeded with context.seed"
    )


def lives_on_one_device(subject: Subject) -> None:
    """It lives on ``context.device``, codes and audio too, and ``to`` moves all of it."""
    check_on_device(subject.built, subject.device)
    check_tensors_registered(subject.built)
    codes = _encode(subject, _audio(subject, 1, 2000))
    for name, tensor in (("codes", codes.values), ("audio", _decode(subject, codes))):
        require(
            tensor.device.type == torch.device(subject.device).type,
            f"on {subject.device} its {name} come out on {tensor.device}",
        )


def trains_and_comes_back(subject: Subject) -> None:
    """Training changes it, exactly goes on after a kill, and ``save`` keeps the result."""
    codec = subject.built
    if not hasattr(codec, "fit"):
        raise NotApplicable("it has no fit: recipes don't train it")
    generator = torch.Generator().manual_seed(0)
    values = torch.randint(codec.codebook_size, (1, codec.num_codebooks, 12), generator=generator)
    codes = Codes(values.to(subject.device), codec.codebook_size, codec.frame_rate)
    check_training(
        subject,
        train=lambda model, data, session: model.fit(data, session),
        output=lambda model: model.decode(codes),
        data_rate=codec.sample_rate,
        channels=codec.channels,
    )


CHECKS = (
    states_its_numbers,
    is_in_eval_mode,
    codes_of_any_length,
    silence_and_full_scale,
    items_are_independent,
    decodes_any_number_of_codebooks,
    decodes_any_codes,
    calls_repeat,
    seed_decides,
    lives_on_one_device,
    trains_and_comes_back,
)


def _hop(subject: Subject) -> float:
    return float(subject.built.sample_rate / subject.built.frame_rate)


def _audio(subject: Subject, items: int, samples: int) -> Tensor:
    """Float32 ``[items, C, samples]``; every channel of every item is another."""
    channels = subject.built.channels
    make = loud if items * channels == 1 else noise
    return make(items * channels, samples).view(items, channels, samples)


@torch.no_grad()
def _encode(subject: Subject, wav: Tensor, lengths: Tensor | None = None) -> Codes:
    """Codes, whose constructor checks rank, type and range."""
    given = None if lengths is None else lengths.to(subject.device)
    try:
        codes: Any = subject.built.encode(wav.to(subject.device), given)
    except PluginError as error:
        raise ContractBroken(f"encode: {error}") from error
    require(isinstance(codes, Codes), f"encode gives a {type(codes).__name__}, not workbench.Codes")
    result: Codes = codes
    return result


@torch.no_grad()
def _decode(subject: Subject, codes: Codes) -> Tensor:
    wav: Tensor = subject.built.decode(codes)
    return wav
