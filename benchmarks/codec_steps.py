"""The smaller parts of ``benchmarks/codec.py``: precision, decoders, training steps, GPUs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from codec_sides import PEER, RATE, Say, cells, load_peer, music, noise, race
from torch import Tensor

from workbench import Context, TrainingSettings, XCodec, XCodecConfig, load_catalog, load_codec
from workbench.audio.dataset import Crops
from workbench.codec.config import DecoderConfig, EncoderConfig, LossConfig
from workbench.codec.inference.kernels import Precision
from workbench.codec.training import CodecTrainee

PRECISIONS: tuple[Precision, ...] = ("fp32", "bf16", "int8")
ISTFT = {
    "inverse STFT, 8 blocks of width 512 (Vocos' size)": DecoderConfig("istft", 512, 8),
    "inverse STFT, 6 blocks of width 1024": DecoderConfig("istft", 1024, 6),
}


# --- reduced precision --------------------------------------------------------------------------


@torch.inference_mode()
def agreement(folder: Path, say: Say) -> None:
    """Share of equal codes, and signal over error of the audio, on a minute of music."""
    say("| codec | precision | codes: first book | all books | audio, dB |\n|---|---|---|---|---|")
    catalog = load_catalog()
    with torch.inference_mode(False):
        teacher = Context(catalog, "cpu", 0).build("semantic_encoder", "mert")
        context = Context(catalog, "cpu", 0, (("mert", teacher, 1.0),))
        embedded = context.build("codec", "xcodec", {"weights": "embedded"})
        codecs = {"published size, random": load_codec(folder), "embedded, trained": embedded}
    pieces = [piece.clone() for piece in music("test", 60)]
    for label, codec in codecs.items():
        codes = [codec.encode(wav) for wav in pieces]
        audio = torch.cat([codec.decode(each) for each in codes])
        for precision in PRECISIONS:
            with torch.inference_mode(False):
                fast = codec.for_inference(precision)
            pairs = zip(pieces, codes, strict=True)
            same = torch.cat([fast.encode(wav).values == each.values for wav, each in pairs])
            first, every = float(same[:, 0].float().mean()), float(same.float().mean())
            error = torch.cat([fast.decode(each) for each in codes]) - audio
            ratio = 10 * torch.log10(audio.square().sum() / error.square().sum())
            say(f"| {label} | {precision} | {first:.3f} | {every:.3f} | {float(ratio):.1f} |")


# --- decoders -----------------------------------------------------------------------------------


@torch.inference_mode()
def decoders(threads: list[int], rounds: int, say: Say) -> None:
    """Time of decoding 10 s by an inverse STFT beside DAC's decoder of width 1024."""
    say("| decoder of 10 s | threads | s | times DAC | by CPU time |\n|---|---|---|---|---|")
    first = "DAC, width 1024"
    configs = {first: DecoderConfig()} | ISTFT
    vectors = torch.randn(1, 500, XCodecConfig().quantized_dim)
    for prepared in (False, True):
        for count in threads:
            torch.set_num_threads(count)
            calls: dict[str, Callable[[], Tensor]] = {}
            for label, decoder in configs.items():
                with torch.inference_mode(False):
                    torch.manual_seed(0)
                    codec = XCodec(XCodecConfig(decoder=decoder)).eval()
                    codec = codec.for_inference() if prepared else codec
                calls[label] = lambda codec=codec: codec.synthesise(vectors)  # type: ignore[misc]
                calls[label]()
            times = race(calls, rounds)
            for label in configs:
                how = "for inference" if prepared else "as trained"
                say(f"| {label}, {how} | {count} | {' | '.join(cells(times, label, first))} |")


# --- training -----------------------------------------------------------------------------------


class _Kept:
    """Features that were computed before."""

    def __init__(self, features: list[Tensor]) -> None:
        self.features = features

    def __call__(self, crops: Crops) -> list[Tensor]:
        """The features."""
        del crops
        return self.features


def training(folder: Path, rounds: int, say: Say) -> None:
    """A step on two clips of 1 s with HuBERT-base heard beside one with stored features.

    Reading the stored ones from disk (75 kB a clip) is left out.
    """
    say("| codec | teacher | s | times faster | by CPU time |\n|---|---|---|---|---|")
    teacher = load_codec(folder).teachers[0].encoder
    paper = replace(load_codec(folder).config, framing="whole")
    paper.losses = LossConfig(mel=45)
    cheap = replace(
        paper,
        encoder=EncoderConfig("spectral", 512, n_fft=640),
        decoder=DecoderConfig("istft", 512),
        losses=LossConfig(mel=45, stft=0, pqmf=0, adversarial=0, feature_matching=0),
    )
    wav = torch.cat(list(noise(2)), dim=-1).view(2, 1, RATE)
    for label, config in (("published, all losses", paper), ("spectral, mel loss", cheap)):
        torch.manual_seed(0)
        codec = XCodec(config, [teacher])
        crops = Crops(wav, (0, 1), (0, 0), (RATE, RATE))
        settings = TrainingSettings(batch_size=2)
        heard = CodecTrainee(codec, settings)
        stored = CodecTrainee(codec, settings, _Kept(heard.features(crops)))
        calls = {
            "heard": lambda heard=heard, crops=crops: heard.step(crops, 1, _descend),
            "stored": lambda stored=stored, crops=crops: stored.step(crops, 1, _descend),
        }
        race(calls, 1)
        times = race(calls, rounds)
        for name in times:
            say(f"| {label} | {name} | {' | '.join(cells(times, name, 'heard'))} |")


def _descend(loss: Tensor, name: str) -> Tensor:
    """The backward pass without the update, so that all rounds compute the same."""
    del name
    loss.backward()  # type: ignore[no-untyped-call]
    return torch.zeros(())


# --- GPUs ---------------------------------------------------------------------------------------


@torch.inference_mode()
def on_gpu(folder: Path, rounds: int, say: Say) -> None:
    """Compiled bfloat16 beside transformers' float32, 10 s, batches of 1 and 32."""
    if not torch.cuda.is_available():
        say("Skipped: no GPU at hand.")
        return
    say("| task, batch | side | s | times transformers | by CPU time |\n|---|---|---|---|---|")
    peer: Any = load_peer(folder).cuda()
    with torch.inference_mode(False):
        codec = load_codec(folder, device="cuda")
        fast = codec.for_inference("bf16", compiled=True)
    for batch in (1, 32):
        wav = torch.cat(list(noise(10 * batch)), dim=-1).view(batch, 1, -1).cuda()
        codes = fast.encode(wav)
        tasks: dict[str, dict[str, Callable[[], object]]] = {
            "encode": {
                PEER: lambda: peer.encode(wav),  # noqa: B023
                "bf16 compiled": lambda: fast.encode(wav),  # noqa: B023
            },
            "decode": {
                PEER: lambda: peer.decode(codes.values),  # noqa: B023
                "bf16 compiled": lambda: fast.decode(codes),  # noqa: B023
            },
        }
        for task, calls in tasks.items():
            whole = {name: _synchronised(call) for name, call in calls.items()}
            race(whole, 2)
            times = race(whole, rounds)
            for name in times:
                say(f"| {task}, {batch} | {name} | {' | '.join(cells(times, name, PEER))} |")


def _synchronised(call: Callable[[], object]) -> Callable[[], None]:
    """``call``, finished."""

    def finished() -> None:
        call()
        torch.cuda.synchronize()

    return finished
