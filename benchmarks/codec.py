"""Speed and memory of the codec engine beside transformers' XcodecModel on the same weights.

    python benchmarks/codec.py [--parts speed,memory,...] [--seconds 10,300] [--write]

The sides take turns in one process, so that a busy machine slows all of them: what counts are the
ratios, of elapsed and of processor time, with their range over the rounds. Parts:

- ``speed``: encoding and decoding. Transformers' model takes audio whole; ours takes what is longer
  than about 40 s by chunks.
- ``agreement``: what reduced precision does to codes and audio.
- ``memory``: peaks, and the cost a second of audio at lengths that transformers can't take.
- ``decoders``: the inverse-STFT decoder beside DAC's at the published width.
- ``training``: a training step that hears its teacher beside one with stored features.
- ``gpu``: compiled bfloat16 beside transformers' float32.
"""

from __future__ import annotations

import argparse
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch
from codec_sides import (
    PEER,
    RATE,
    Say,
    Side,
    cells,
    encode_blocks,
    load_peer,
    noise,
    own_side,
    peer_side,
    race,
    timed,
    write_peer,
)
from codec_steps import agreement, decoders, on_gpu, training
from torch import Tensor

from workbench import load_codec
from workbench.codec.inference.kernels import Precision
from workbench.codec.streaming import decode_chunks

OURS: dict[str, tuple[Precision, bool]] = {
    "fp32": ("fp32", False),
    "fp32 compiled": ("fp32", True),
    "bf16": ("bf16", False),
    "int8": ("int8", False),
    "int8 compiled": ("int8", True),
}
"""Our sides: precision, and whether compiled."""
REFERENCE = Path(__file__).parents[1] / "results" / "reference" / "codec_speed.md"
SPEED_HEAD = (
    "| task, audio, threads | side | s | times real time | CPU ms a second of audio | "
    "times transformers | by CPU time |\n|---|---|---|---|---|---|---|"
)
MEMORY_HEAD = (
    "| task | side | audio | peak memory, GiB | CPU ms a second of audio |\n|---|---|---|---|---|"
)


@torch.inference_mode()
def speed(folder: Path, options: argparse.Namespace, say: Say) -> None:
    """Print the table of speeds."""
    say(SPEED_HEAD)
    built: list[str] = []
    warm = torch.cat(list(noise(10)), dim=-1)
    for threads in options.threads:
        torch.set_num_threads(threads)
        sides = [peer_side(load_peer(folder))]
        codec = load_codec(folder)
        for name in options.sides:
            start = time.perf_counter()
            with torch.inference_mode(False):
                sides.append(own_side(name, codec.for_inference(*OURS[name])))
            built.append(f"{name} {time.perf_counter() - start:.0f} s")
        for side in sides:
            side.decode(side.encode(warm))
        for seconds in options.seconds:
            fit = [side for side in sides if side.name != PEER or seconds <= options.peer_seconds]
            speed_at(fit, seconds, options, say)
        del sides, codec
    say(f"\nTime to make each codec for inference, compilers included: {', '.join(built)}.")


def speed_at(sides: list[Side], seconds: float, options: argparse.Namespace, say: Say) -> None:
    """Print the rows of one length."""
    rounds = options.rounds if seconds <= 60 else -(-options.rounds // 3)
    wav = torch.cat(list(noise(seconds)), dim=-1)
    codes = sides[-1].encode(wav)
    tasks: dict[str, dict[str, Callable[[], Tensor]]] = {
        "encode": {side.name: lambda side=side: side.encode(wav) for side in sides},  # type: ignore[misc]
        "decode": {side.name: lambda side=side: side.decode(codes) for side in sides},  # type: ignore[misc]
    }
    for task in options.tasks:
        times = race(tasks[task], rounds)
        for name, own in times.items():
            median, elapsed, cpu = cells(times, name, PEER)
            cost = 1000 * statistics.median(each.cpu for each in own) / seconds
            say(
                f"| {task} {seconds:g} s, {torch.get_num_threads()} | {name} | {median} | "
                f"{seconds / float(median):.1f} | {cost:.0f} | {elapsed} | {cpu} |"
            )


# --- memory -------------------------------------------------------------------------------------


def memory(folder: Path, options: argparse.Namespace, say: Say) -> None:
    """Print peaks of memory, each of a process that does nothing else, with one thread."""
    say(MEMORY_HEAD)
    lengths = [*options.seconds, *(60.0 * minutes for minutes in options.minutes)]
    for task in ("encode", "decode"):
        for name in (PEER, *options.memory_sides):
            for seconds in lengths:
                if name == PEER and seconds > options.peer_seconds:
                    continue
                request = f"{task}:{name}:{seconds:g}"
                command = [sys.executable, __file__, "--child", request, "--folder", str(folder)]
                result = subprocess.run(command, capture_output=True, text=True, check=True)
                peak, cost = result.stdout.split()[-2:]
                say(f"| {task} | {name} | {seconds:g} s | {peak} | {cost} |")


@torch.inference_mode()
def child(request: str, folder: Path) -> None:
    """Do one task; print the peak of this process' memory, and the cost."""
    task, name, length = request.split(":")
    seconds = float(length)
    torch.set_num_threads(1)
    generator = torch.Generator().manual_seed(0)
    codes = torch.randint(1024, (1, 8, round(seconds * 50)), generator=generator)
    call: Callable[[], object]
    if name == PEER:
        side = peer_side(load_peer(folder))
        wav = torch.cat(list(noise(seconds)), dim=-1)
        call = (lambda: side.encode(wav)) if task == "encode" else (lambda: side.decode(codes))
    else:
        with torch.inference_mode(False):
            codec = load_codec(folder).for_inference(*OURS[name])
        call = (
            (lambda: encode_blocks(codec, lambda: noise(seconds), round(seconds * RATE)))
            if task == "encode"
            else (lambda: sum(1 for _ in decode_chunks(codec, codes.split(500, dim=-1))))
        )
    took = timed(call)
    print(f"{peak_memory():.2f} {1000 * took.cpu / seconds:.0f}")


def peak_memory() -> float:
    """Most memory, in GiB, that this process has held at once."""
    lines = Path("/proc/self/status").read_text().splitlines()
    (peak,) = (line for line in lines if line.startswith("VmHWM"))
    return int(peak.split()[1]) / 2**20


# --- all of it ----------------------------------------------------------------------------------

PARTS: dict[str, tuple[str, Callable[[Path, argparse.Namespace, Say], None]]] = {
    "speed": ("Encoding and decoding", speed),
    "agreement": ("Reduced precision", lambda folder, _, say: agreement(folder, say)),
    "memory": ("Memory", memory),
    "decoders": ("Decoders", lambda _, o, say: decoders(o.threads, o.rounds, say)),
    "training": ("A training step", lambda folder, o, say: training(folder, o.rounds, say)),
    "gpu": ("On a GPU", lambda folder, o, say: on_gpu(folder, o.rounds, say)),
}


def run(options: argparse.Namespace, folder: Path, say: Say) -> None:
    """Print the parts asked for."""
    say(
        f"torch {torch.__version__}, {platform.machine()}, "
        f"{torch.backends.cpu.get_cpu_capability()}; random weights of the published size"
    )
    if not (folder / "config.json").is_file():
        write_peer(folder)
    for part in options.parts:
        title, table = PARTS[part]
        say(f"\n## {title}\n")
        table(folder, options, say)


def numbers(text: str) -> list[float]:
    """Numbers between commas."""
    return [float(number) for number in text.split(",")]


def names(text: str) -> list[str]:
    """Names between commas."""
    return text.split(",")


def parse() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = parser.add_argument
    add("--parts", type=names, default=list(PARTS), help=",".join(PARTS))
    add("--tasks", type=names, default=["encode", "decode"], help="what is timed: encode,decode")
    add("--seconds", type=numbers, default=[10, 300], help="lengths of audio")
    add("--peer-seconds", type=float, default=300, help="longest audio for transformers")
    add("--minutes", type=numbers, default=[60], help="further lengths for the memory")
    add("--threads", type=lambda text: [int(n) for n in names(text)], default=[1, 2])
    add("--sides", type=names, default=list(OURS), help=",".join(OURS))
    add("--memory-sides", type=names, default=["fp32", "int8"])
    add("--rounds", type=int, default=5, help="turns of each side; a third of them above a minute")
    add("--folder", type=Path, help="where the random weights are kept; None: nowhere")
    add("--child", help=argparse.SUPPRESS)
    add("--write", action="store_true", help=f"write {REFERENCE.name}")
    return parser.parse_args()


def main() -> None:
    """Run the parts asked for, or the one task of a child process."""
    options = parse()
    if options.child:
        child(options.child, options.folder)
        return
    said: list[str] = []

    def say(line: str) -> None:
        print(line, flush=True)
        said.append(line)

    with tempfile.TemporaryDirectory() as scratch:
        run(options, options.folder or Path(scratch), say)
    if options.write:
        command = "python benchmarks/codec.py " + " ".join(sys.argv[1:])
        head = f"# Speed of the codec engine\n\nMade by `{command.strip()}`:\n"
        REFERENCE.write_text("\n".join([head, *said]) + "\n")


if __name__ == "__main__":
    main()
