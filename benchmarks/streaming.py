"""Audio by chunks against the whole: which codes agree, and how long the decoder waits.

`agreement` encodes recordings whole and by chunks, with more and more look-ahead, with the survey
of the whole recording that teachers can be told of and without it, and counts equal codes.
`decoding` measures each decoder's look-ahead, and how far audio decoded by chunks is from the
whole.

    python benchmarks/streaming.py agreement [--recordings 4] [--seconds 90] [--joined]
        [--codec xcodec --encoder mert] [--corpus synthetic-music:seconds=90] [--out FILE.md]
    python benchmarks/streaming.py decoding [--out FILE.md]
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor

from workbench import (
    Catalog,
    Context,
    Corpus,
    XCodec,
    XCodecConfig,
    convert,
    load_catalog,
    scratch_codec,
)
from workbench.codec.config import DecoderConfig
from workbench.codec.reach import encoder_reach
from workbench.codec.streaming import Chunking, decode_chunks, decoding_latency, encode_long
from workbench.pipeline.codecs import find_codec, open_codec, parse_component

LOOK_AHEADS = (0.25, 0.5, 1.0, 2.0, 4.0, 8.0)
"""Seconds."""


@dataclass(frozen=True)
class Point:
    """Share of equal codes, for each codebook, at one look-ahead.

    ``worst``: that of the first codebook in the recording where it is least.
    """

    look_ahead: float
    survey: bool
    shares: list[float]
    worst: float


def recordings(
    catalog: Catalog, corpus: str, rate: int, seconds: float, count: int, joined: bool
) -> Iterator[Tensor]:
    """Mono recordings ``[1, 1, T]`` from the corpus' test split.

    ``joined``: each is put together of as many of the corpus' recordings as it takes, one after
    another; so its parts have little to do with each other.
    """
    name, options = parse_component(corpus)
    built: Corpus = Context(catalog, "cpu", 0).build("corpus", name, options)
    samples = round(seconds * rate)
    held = torch.zeros(1, 0)
    for example in built.examples("test"):
        wav = convert(built.audio(example), rate, 1).samples
        held = torch.cat([held, wav], dim=1) if joined else wav
        if held.shape[1] >= samples and count:
            yield held[None, :, :samples]
            held, count = held[:, samples:], count - 1
    if count:
        sys.exit(f"{corpus}: {count} more recordings of {seconds:g} s wanted; see --joined")


def curve(codec: XCodec, wavs: list[Tensor], chunk_seconds: float) -> list[Point]:
    """Agreement over look-ahead, without the survey and with it."""
    wholes = [codec.encode(wav).values for wav in wavs]
    points = []
    for survey in (False, True):
        for look_ahead in LOOK_AHEADS:
            chunking = Chunking(chunk_seconds, look_ahead, survey)
            shares = torch.stack(
                [
                    share_of_equal(codec, wav, whole, chunking)
                    for wav, whole in zip(wavs, wholes, strict=True)
                ]
            )
            points.append(
                Point(look_ahead, survey, shares.mean(dim=0).tolist(), float(shares[:, 0].min()))
            )
            print(points[-1], file=sys.stderr, flush=True)
    return points


def share_of_equal(codec: XCodec, wav: Tensor, whole: Tensor, chunking: Chunking) -> Tensor:
    """Share ``[K]`` of the codes of ``wav`` that are equal by chunks and whole."""
    parts = encode_long(codec, lambda: wav.split(160_000, -1), wav.shape[-1], chunking)
    return (torch.cat(list(parts), dim=-1) == whole).float().mean(dim=(0, 2))


def agreement(arguments: argparse.Namespace) -> list[str]:
    """The curve as a table."""
    catalog = load_catalog()
    source = find_codec(arguments.codec, arguments.encoder, Path("results"), catalog)
    codec = open_codec(source, catalog, "cpu")
    assert isinstance(codec, XCodec)
    wavs = list(
        recordings(
            catalog, arguments.corpus, codec.sample_rate, arguments.seconds,
            arguments.recordings, arguments.joined,
        )
    )  # fmt: skip
    points = curve(codec, wavs, arguments.chunk_seconds)
    teachers = ", ".join(teacher.name for teacher in codec.config.teachers) or "no teacher"
    made = "each joined from those of" if arguments.joined else "from"
    codebooks = [f"codebook {number + 1}" for number in range(codec.num_codebooks)]
    default = Chunking()
    lines = [
        f"{len(wavs)} recordings of {arguments.seconds:g} s, {made} `{arguments.corpus}`; codec "
        f"`{arguments.codec}` ({teachers}), chunks of {arguments.chunk_seconds:g} s. The "
        f"convolutions see {encoder_reach(codec).after} frames ahead "
        f"({1000 * encoder_reach(codec).after / codec.frame_rate:.0f} ms); all else is the "
        f"teacher's. Default: survey, look-ahead {default.look_ahead:g} s.",
        "",
        f"| survey | look-ahead | {' | '.join(codebooks)} | codebook 1, worst recording |",
        "|---|---|" + "---|" * (len(codebooks) + 1),
    ]
    for point in points:
        shares = " | ".join(f"{100 * share:.2f} %" for share in point.shares)
        told = "yes" if point.survey else "no"
        lines.append(f"| {told} | {point.look_ahead:g} s | {shares} | {100 * point.worst:.2f} % |")
    return lines


SHAPES: dict[str, XCodecConfig] = {
    "published, 16 kHz": XCodecConfig(),
    "published strides, inverse STFT": replace(XCodecConfig(), decoder=DecoderConfig("istft", 512)),
    "24 kHz, strides 8 5 4 3": XCodecConfig(
        sample_rate=24000, strides=[8, 5, 4, 3], decoder=DecoderConfig(width=256)
    ),
    "44.1 kHz stereo, strides 8 8 4 2": XCodecConfig(
        sample_rate=44100, channels=2, strides=[8, 8, 4, 2], decoder=DecoderConfig(width=256)
    ),
    "44.1 kHz, inverse STFT": XCodecConfig(
        sample_rate=44100, strides=[8, 8, 4, 2], decoder=DecoderConfig("istft", 256, n_fft=1024)
    ),
}


@torch.no_grad()
def decoding(arguments: argparse.Namespace) -> list[str]:
    """Look-ahead of each decoder, and how far chunks are from the whole, as a table."""
    lines = [
        f"Random weights and {arguments.seconds:g} s of random codes, decoded in chunks of 25 "
        "frames. The latency is what must have come before the first audio leaves: a chunk (here, "
        "of 1 frame) and the look-ahead; computing comes on top.",
        "",
        "| codec | decoder | look-ahead | latency, chunks of 1 frame | largest difference |",
        "|---|---|---|---|---|",
    ]
    for name, config in SHAPES.items():
        codec = scratch_codec(config, (), 0)
        for codebook in codec.quantizer.codebooks:
            codebook.embed.normal_(0, 0.1)
        frames = round(arguments.seconds * codec.frame_rate)
        values = torch.randint(codec.codebook_size, (1, codec.num_codebooks, frames))
        whole = codec.synthesise(codec.quantizer.decode(values))
        parts = torch.cat(list(decode_chunks(codec, values.split(7, dim=-1), 25)), dim=-1)
        latency = decoding_latency(codec)
        lines.append(
            f"| {name} | {config.decoder.kind} | {latency.frames - 1} frames | "
            f"{1000 * latency.seconds:.0f} ms | {float((parts - whole).abs().max()):.1e} "
            f"(largest sample {float(whole.abs().max()):.2f}) |"
        )
        print(lines[-1], file=sys.stderr, flush=True)
    return lines


def main() -> None:
    """Print one of the tables, and write it where ``--out`` says."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    modes = parser.add_subparsers(dest="mode", required=True)
    encoding = modes.add_parser("agreement")
    encoding.add_argument("--codec", default="xcodec")
    encoding.add_argument("--encoder", action="append")
    encoding.add_argument("--corpus")
    encoding.add_argument("--recordings", type=int, default=4)
    encoding.add_argument("--seconds", type=float, default=90.0)
    encoding.add_argument("--chunk-seconds", type=float, default=Chunking().seconds)
    encoding.add_argument("--joined", action="store_true")
    decoders = modes.add_parser("decoding")
    decoders.add_argument("--seconds", type=float, default=4.0)
    for mode in (encoding, decoders):
        mode.add_argument("--threads", type=int, default=1)
        mode.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(0)
    if arguments.mode == "agreement":
        arguments.encoder = arguments.encoder or (["mert"] if arguments.codec == "xcodec" else [])
        number = arguments.recordings
        arguments.corpus = arguments.corpus or (
            f"synthetic-music:train=1,validation=1,test={number},seconds={arguments.seconds:g}"
        )
    lines = agreement(arguments) if arguments.mode == "agreement" else decoding(arguments)
    words = [word for word in sys.argv[1:] if word not in ("--out", str(arguments.out))]
    command = f"python benchmarks/streaming.py {' '.join(words)}"
    text = "\n".join([f"Measured with `{command}`.", "", *lines, ""])
    print(text)
    if arguments.out:
        arguments.out.parent.mkdir(parents=True, exist_ok=True)
        arguments.out.write_text(text)


if __name__ == "__main__":
    main()
