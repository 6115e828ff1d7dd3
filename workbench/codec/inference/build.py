"""Make a codec for inference out of a trained one."""

from __future__ import annotations

import copy
import logging
from collections.abc import Callable

import torch
from torch import Tensor, nn

from workbench.api.errors import WorkbenchError
from workbench.codec.acoustic import DacDecoder, DacEncoder
from workbench.codec.inference.attention import replace_attention
from workbench.codec.inference.dac import Manner, TiledDacDecoder, TiledDacEncoder
from workbench.codec.inference.kernels import Geometry, Precision, build_kernel
from workbench.codec.inference.layers import CastLayer, Packed, pack, replace_called
from workbench.codec.inference.snake import compiled_snake, eager_snake
from workbench.codec.inference.waveform import tile_feature_extractors
from workbench.codec.quantizer import Codebook, ResidualVectorQuantizer
from workbench.codec.xcodec import XCodec

logger = logging.getLogger("workbench.codec")


def for_inference(codec: XCodec, precision: Precision = "fp32", compiled: bool = False) -> XCodec:
    """A copy of ``codec`` that computes the same, sooner; for encoding and decoding alone.

    ``precision``: `fp32` gives equal codes and audio but for rounding (1e-5). `bf16` and `int8`
    are quicker and give nearly equal ones: bfloat16 keeps 8 binary digits of every number; in
    `int8`, for CPUs alone, eight-bit weights meet activations of eight bits, with a scale found
    anew in each call. bfloat16 pays where the device multiplies it by itself.

    ``compiled`` fuses what lies between convolutions and matrix products by torch.compile: on a CPU
    DAC's Snake activations, elsewhere whole networks. It takes a compiler and, once, tens of
    seconds; where there is none, a warning says so and the codec runs without.

    Weights that are rearranged are copied, the others shared. Later training of ``codec`` does not
    reach the copy, which can't be trained or saved, nor, on a CPU, moved.
    """
    on_cpu = codec.device.type == "cpu" and torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
    _check(precision, on_cpu)
    copied = share(codec).eval()
    if on_cpu:
        _pack(copied, precision, compiled)
    else:
        _cast(copied, precision, compiled)
    return copied


def _check(precision: Precision, on_cpu: bool) -> None:
    """Refuse what this machine can't compute."""
    able: dict[Precision, Callable[[], bool]] = {
        "fp32": lambda: True,
        "bf16": lambda: not on_cpu or torch.ops.mkldnn._is_mkldnn_bf16_supported(),
        "int8": lambda: on_cpu and torch.cpu._is_vnni_supported(),
    }
    if precision not in able:
        raise ValueError(f"precision must be one of {', '.join(able)}; got {precision!r}")
    if not able[precision]():
        raise WorkbenchError(
            f"precision {precision!r}: this device has no instructions for it (int8 takes a CPU "
            "with VNNI, bf16 on a CPU AVX-512). Use 'fp32'"
        )


def _pack(codec: XCodec, precision: Precision, compiled: bool) -> None:
    """Rearrange ``codec``, on a CPU, in place."""
    dtype = torch.bfloat16 if precision == "bf16" else torch.float32
    manner = Manner(precision, (compiled_snake(dtype) if compiled else None) or eager_snake)
    if isinstance(codec.acoustic_encoder, DacEncoder):
        codec.acoustic_encoder = TiledDacEncoder(codec.acoustic_encoder, manner)
    if isinstance(codec.acoustic_decoder, DacDecoder):
        codec.acoustic_decoder = TiledDacDecoder(codec.acoustic_decoder, manner)
    for teacher in codec.teachers:
        tile_feature_extractors(teacher, precision)
        replace_attention(teacher, precision)
    replace_called(_roots(codec), lambda: _try(codec), lambda layer: pack(layer, precision))
    pack_codebooks(codec.quantizer)


def _cast(codec: XCodec, precision: Precision, compiled: bool) -> None:
    """Cast and compile ``codec``, on any device, in place."""
    if precision == "bf16":
        replace_called(_roots(codec), lambda: _try(codec), CastLayer)
    if not compiled:
        return
    parts: list[object] = [codec.acoustic_encoder, codec.acoustic_decoder]
    parts += [branch.encoder for branch in codec.semantic_branches]
    parts += [teacher.encoder for teacher in codec.teachers]
    modules = [part for part in parts if isinstance(part, nn.Module)]
    for module in modules:
        module.compile()
    try:
        _try(codec)
    except Exception as error:  # whatever a missing or broken compiler raises
        logger.warning("can't compile, so the codec runs uncompiled and slower: %s", error)
        for module in modules:
            module._compiled_call_impl = None


@torch.no_grad()
def _try(codec: XCodec) -> None:
    """Run what encoding and decoding run, on a second of silence."""
    frames = round(codec.frame_rate)
    codec.synthesise(torch.zeros(1, frames, codec.config.quantized_dim, device=codec.device))
    if len(codec.teachers) == len(codec.config.teachers):
        codec.latents(
            torch.zeros(1, codec.channels, frames * codec.config.hop, device=codec.device)
        )


def _roots(codec: XCodec) -> list[nn.Module]:
    """The codec and its teachers, which are no submodules of it."""
    return [codec, *codec.teachers]


def share(codec: XCodec) -> XCodec:
    """A copy of ``codec``'s modules with the very same tensors in them."""
    tensors = [t for root in _roots(codec) for t in (*root.parameters(), *root.buffers())]
    return copy.deepcopy(codec, {id(tensor): tensor for tensor in tensors})


class PackedCodebook(Packed):
    """A codebook that finds nearest entries by one packed matrix product."""

    def __init__(self, codebook: Codebook) -> None:
        super().__init__()
        self.embed = codebook.embed
        # The nearest entry e of x has the greatest x·e - |e|² / 2.
        bias = -codebook.embed.square().sum(dim=1) / 2
        self.kernel = build_kernel(codebook.embed[:, :, None], bias, Geometry(), "fp32")

    def nearest(self, x: Tensor) -> Tensor:
        """Index of the nearest entry for each row of ``[N, Q]``."""
        return self.kernel(x[None])[0].argmax(dim=1)


def pack_codebooks(quantizer: ResidualVectorQuantizer) -> None:
    """Replace the codebooks in place."""
    for level in quantizer.quantizers:
        level.codebook = PackedCodebook(level.codebook)  # type: ignore[arg-type]
