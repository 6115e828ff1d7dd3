"""An hour of audio through a codec: processor seconds and memory, for each minute of it.

A recording is synthesised into a temporary file, encoded as `workbench encode` does and decoded as
`workbench decode` does, each in a process of its own, whose greatest memory is that of the one
command. The published size has random weights: what it computes costs the same.

    python benchmarks/long_audio.py [--minutes 60] [--size published|embedded] [--threads 1]
        [--precision fp32|bf16|int8] [--compiled] [--out FILE.md]
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from transformers import HubertConfig, HubertModel

from workbench import Context, WaveformEncoder, XCodec, XCodecConfig, load_catalog, scratch_codec
from workbench.audio.blocks import read_blocks, write_blocks
from workbench.codec.streaming import decode_chunks, encode_long
from workbench.pipeline.codecs import quickened

RATE = 16_000
BLOCK_SECONDS = 10
MEBIBYTE = 1 << 20


@dataclass
class Measured:
    """One command: processor seconds after each stretch of output, and the greatest memory."""

    seconds: list[float]
    """Of audio, done after each piece."""
    processor: list[float]
    """Of the processor, used until then."""
    elapsed: float
    before: int
    """Bytes in memory before, model included."""
    peak: int


def published(threads: int) -> XCodec:
    """The published size with a HuBERT-base as teacher, random weights."""
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    teacher = WaveformEncoder(HubertModel(HubertConfig()), RATE)
    codec = scratch_codec(XCodecConfig(), [("hubert", teacher, 1.0)], 0)
    for codebook in codec.quantizer.codebooks:
        nn.init.normal_(codebook.embed, std=0.05)
    return codec


def embedded(threads: int) -> XCodec:
    """The embedded codec for music."""
    torch.set_num_threads(threads)
    catalog = load_catalog()
    teacher = Context(catalog, "cpu", 0).build("semantic_encoder", "mert")
    codec: XCodec = Context(catalog, "cpu", 0, (("mert", teacher, 1.0),)).build("codec", "xcodec")
    return codec


SIZES = {"published": published, "embedded": embedded}


def recording(minutes: float) -> Iterator[Tensor]:
    """Noise and tones whose loudness and pitch change, block by block ``[1, t]``."""
    generator = torch.Generator().manual_seed(0)
    for _ in range(round(minutes * 60 / BLOCK_SECONDS)):
        time_axis = torch.arange(BLOCK_SECONDS * RATE) / RATE
        pitch, loudness = torch.rand(2, generator=generator).tolist()
        tone = torch.sin(2 * torch.pi * (100 + 800 * pitch) * time_axis)
        noise = torch.randn(len(time_axis), generator=generator)
        yield (loudness * (0.3 * tone + 0.05 * noise))[None]


@torch.inference_mode()
def run(arguments: argparse.Namespace, folder: Path) -> Measured:
    """The command of this process, ``encode`` or ``decode``."""
    codec = SIZES[arguments.size](arguments.threads)
    quick = quickened(codec, arguments.precision, arguments.compiled)
    del codec  # as the commands do: its weights have been rearranged into the copy's
    assert isinstance(quick, XCodec)
    result = Measured([], [], 0.0, resident(), 0)
    start, used = time.perf_counter(), time.process_time()
    for seconds in COMMANDS[arguments.command](quick, folder):
        result.seconds.append(seconds)
        result.processor.append(time.process_time() - used)
    result.elapsed = time.perf_counter() - start
    result.peak = peak()
    return result


def encode(codec: XCodec, folder: Path) -> Iterator[float]:
    """Encode the recording into a file of codes; yields the seconds done after each piece."""
    path = folder / "audio.wav"

    def read() -> Iterator[Tensor]:
        return (block[None] for block in read_blocks(path, codec.sample_rate, codec.channels))

    samples = sum(block.shape[-1] for block in read())
    done, pieces = 0, []
    for piece in encode_long(codec, read, samples):
        pieces.append(piece.to(torch.int16))
        done += piece.shape[-1]
        yield done / codec.frame_rate
    torch.save(torch.cat(pieces, dim=-1), folder / "codes.pt")


def decode(codec: XCodec, folder: Path) -> Iterator[float]:
    """Decode the codes into an audio file; yields the seconds done after each piece."""
    codes = torch.load(folder / "codes.pt", weights_only=True).long()
    done: list[float] = []

    def audio() -> Iterator[Tensor]:
        for piece in decode_chunks(codec, codes.split(500, dim=-1)):
            yield piece[0]
            done.append(piece.shape[-1] / codec.sample_rate)

    blocks = audio()
    write_blocks(folder / "decoded.wav", blocks, codec.sample_rate)
    yield sum(done)


COMMANDS = {"encode": encode, "decode": decode}


def peak() -> int:
    """The greatest memory that this process has taken, in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def resident() -> int:
    """Memory that this process takes now, in bytes."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize()


def table(arguments: argparse.Namespace, rows: dict[str, Measured]) -> list[str]:
    """What was measured, and the cost of the first and the last tenth, as a table."""
    lines = [
        f"{arguments.minutes:g} min of audio, {arguments.size} size, {arguments.precision}"
        f"{', compiled' if arguments.compiled else ''}, {arguments.threads} threads.",
        "",
        "| | CPU s a second of audio | first tenth | last tenth | elapsed | peak memory | before |",
        "|---|---|---|---|---|---|---|",
    ]
    for command, measured in rows.items():
        rate = measured.processor[-1] / measured.seconds[-1]
        first, last = tenths(measured)
        lines.append(
            f"| {command} | {rate:.4f} | {first} | {last} | {measured.elapsed:.0f} s | "
            f"{measured.peak / MEBIBYTE:.0f} MiB | {measured.before / MEBIBYTE:.0f} MiB |"
        )
    return lines


def tenths(measured: Measured) -> tuple[str, str]:
    """Cost a second in the first and in the last tenth; the survey falls into the first."""
    count = len(measured.seconds)
    if count < 10:
        return "-", "-"
    cut = max(1, count // 10)

    def cost(begin: int, end: int) -> str:
        seconds = measured.seconds[end] - (measured.seconds[begin] if begin >= 0 else 0.0)
        used = measured.processor[end] - (measured.processor[begin] if begin >= 0 else 0.0)
        return f"{used / seconds:.4f}"

    return cost(-1, cut - 1), cost(count - 1 - cut, count - 1)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--size", choices=SIZES, default="published")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--precision", choices=("fp32", "bf16", "int8"), default="fp32")
    parser.add_argument("--compiled", action="store_true")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--command", choices=COMMANDS, help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.command:
        print(json.dumps(vars(run(arguments, arguments.folder))))
        return
    words = [word for word in sys.argv[1:] if word not in ("--out", str(arguments.out))]
    rows = {}
    with tempfile.TemporaryDirectory() as folder:
        write_blocks(Path(folder) / "audio.wav", recording(arguments.minutes), RATE)
        for command in COMMANDS:
            own = [sys.executable, __file__, *words, "--command", command, "--folder", folder]
            done = subprocess.run(own, check=True, stdout=subprocess.PIPE, text=True)
            rows[command] = Measured(**json.loads(done.stdout.splitlines()[-1]))
    lines = [f"Measured with `python benchmarks/long_audio.py {' '.join(words)}`.", ""]
    text = "\n".join([*lines, *table(arguments, rows), ""])
    print(text)
    if arguments.out:
        arguments.out.write_text(text)


if __name__ == "__main__":
    main()
