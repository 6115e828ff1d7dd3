"""The whole contract between the workbench and its plugins: every hook there is.

A plugin is an importable module named by an entry point in group ``workbench``. It implements any
of these hooks, each marked with ``@hookimpl``. All but the last return a list of
:class:`~workbench.api.types.Component`; what the built components must be able to do is in
:mod:`workbench.api.protocols`. Shape letters: B batch, C channels, T samples, F frames, K
codebooks, D features. Samples are float32, nominally within [-1, 1]; rates are in Hz;
durations in seconds.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING

import pluggy

from workbench.api.types import Component

if TYPE_CHECKING:
    import typer

PROJECT = "workbench"
hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)

KINDS: Mapping[str, str] = MappingProxyType(
    {
        "semantic_encoder": "workbench_semantic_encoders",
        "codec": "workbench_codecs",
        "corpus": "workbench_corpora",
        "task": "workbench_tasks",
        "metric": "workbench_metrics",
    }
)
"""Kinds of component, each with the hook that provides it."""


@hookspec
def workbench_semantic_encoders() -> list[Component]:
    """Semantic encoders: frozen teachers of the codec, and judges in evaluation.

    ``build`` returns a :class:`~workbench.api.protocols.SemanticEncoder`: called with mono audio
    float32 ``[B, T]`` at its ``sample_rate`` (Hz) it gives features float32 ``[B, D, F]`` with
    D = ``dim`` and F near ``T / sample_rate * frame_rate``, never below 1. The engine resamples the
    audio, aligns the frames with the codec's, and keeps the encoder frozen and in eval mode.

    Example::

        @hookimpl
        def workbench_semantic_encoders() -> list[Component]:
            return [Component("logmel", "80 log-mel bands, 100 frames/s", LogMelOptions, build)]
    """
    raise NotImplementedError


@hookspec
def workbench_codecs() -> list[Component]:
    """Codecs: audio to discrete codes and back.

    ``build`` returns a :class:`~workbench.api.protocols.Codec`: ``encode`` takes audio float32
    ``[B, C, T]`` at its ``sample_rate`` (Hz) and gives ``Codes`` holding integers ``[B, K, F]`` in
    ``[0, codebook_size)`` at ``frame_rate`` frames a second; ``decode`` takes codes with 1 to K
    codebooks back to audio float32 ``[B, C, T]``. A codec with ``fit`` and ``save`` as in
    :class:`~workbench.api.protocols.TrainableCodec` can be trained by a recipe.

    Example::

        @hookimpl
        def workbench_codecs() -> list[Component]:
            return [Component("encodec", "EnCodec at 24 or 48 kHz", EncodecOptions, build)]
    """
    raise NotImplementedError


@hookspec
def workbench_corpora() -> list[Component]:
    """Corpora: recordings in three splits (train, validation, test) that share no recording.

    ``build`` returns a :class:`~workbench.api.protocols.Corpus`: ``examples(split)`` yields
    ``Example`` objects, always in the same order; ``audio(example)`` reads one as ``Audio``,
    samples float32 ``[C, T]`` at the recording's own rate (Hz).

    Example::

        @hookimpl
        def workbench_corpora() -> list[Component]:
            return [Component("folder", "All audio files below a folder", FolderOptions, build)]
    """
    raise NotImplementedError


@hookspec
def workbench_tasks() -> list[Component]:
    """Tasks: what the language model is given, what it must produce, and how it is trained for it.

    ``build`` returns a :class:`~workbench.api.protocols.Task`. It makes training sequences and
    requests from codes int64 ``[K, F]`` and returns generated codes ``[K, frames]``, prompt not
    included, one tensor a request. Durations in its options are in seconds.

    Example::

        @hookimpl
        def workbench_tasks() -> list[Component]:
            return [Component("inpainting", "Fill a gap of one second", InpaintingOptions, build)]
    """
    raise NotImplementedError


@hookspec
def workbench_metrics() -> list[Component]:
    """Metrics: scores over a set of items.

    ``build`` returns a :class:`~workbench.api.protocols.Metric`: ``update(item)`` takes one
    ``EvaluationItem`` (audio float32 ``[C, T]`` with its rate in Hz, and codes int64 ``[K, F]``
    where there are any); ``compute()`` returns ``Figure`` objects, each with its value and unit,
    a 95 % interval and the number of items.

    Example::

        @hookimpl
        def workbench_metrics() -> list[Component]:
            return [Component("loudness_error", "Difference in loudness, dB", NoOptions, build)]
    """
    raise NotImplementedError


@hookspec
def workbench_commands(cli: typer.Typer) -> None:
    """Add commands to the ``workbench`` command line. Returns nothing.

    ``cli`` is the typer application; a command imports heavy modules inside its function, so that
    ``workbench --help`` stays fast.

    Example::

        @hookimpl
        def workbench_commands(cli: typer.Typer) -> None:
            @cli.command()
            def tempo(path: Path) -> None:
                "Print the tempo of an audio file, in beats a minute."
                from my_plugin.tempo import tempo_of

                typer.echo(tempo_of(path))
    """
    raise NotImplementedError
