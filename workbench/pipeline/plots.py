"""Plots of a run: training curves and health, use of codebooks, figures by group, spectrograms.

Each is a matplotlib figure that is drawn without a display and without matplotlib's global state,
and saved as PNG (an artifact) or as inline SVG (a page, in the page's own text colour).
"""

from __future__ import annotations

import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties, findfont
from matplotlib.ft2font import FT2Font
from numpy.typing import NDArray

from workbench.api.types import Audio
from workbench.audio.signal import convert, log_mel
from workbench.evaluation.groups import Breakdown
from workbench.evaluation.table import heading

Curve = Sequence[tuple[int, float]]
"""Steps and values of one scalar."""

MELS = 96
COLUMNS = 600
"""Size of a spectrogram's image."""
RANGE_DB = 80.0
"""Levels further below the loudest are drawn as silence."""
POINTS = 300
"""Most points drawn of one curve."""
INK = "#0b1c2d"
"""Stands for the page's text colour until the SVG is written."""
STYLE: Any = {
    f"{part}color": INK
    for part in ("text.", "axes.label", "axes.edge", "axes.title", "xtick.", "ytick.", "grid.")
}
"""matplotlib's settings while a figure is made."""


@dataclass(frozen=True)
class CodebookUse:
    """How much of each codebook the codec uses, level by level.

    ``used`` are shares of entries that occur, ``perplexity`` the effective number of entries, both
    over the same audio; ``size`` is the number of entries of a codebook.
    """

    used: Sequence[float]
    perplexity: Sequence[float]
    size: int


@matplotlib.rc_context(STYLE)
def curves_figure(curves: Mapping[str, Curve], columns: int = 2) -> Figure:
    """A small plot for each scalar of a stage, over steps."""
    rows = -(-len(curves) // columns)
    figure = Figure(figsize=(4.2 * columns, 2.1 * rows))
    # Fixed margins: matplotlib's layout engines draw everything several times over.
    figure.subplots_adjust(
        0.14 / columns, 0.25 / rows, 0.98, 1 - 0.22 / rows, wspace=0.18, hspace=0.45
    )
    for number, (name, curve) in enumerate(curves.items(), start=1):
        axes = figure.add_subplot(rows, columns, number)
        steps, values = thinned(curve)
        marker = "o" if len(values) < 10 else None  # a single point has no line
        axes.plot(steps, values, marker=marker, linewidth=1.2, markersize=3, color="#3b82f6")
        axes.set_title(name, fontsize=9, loc="left")
        positive = values[np.isfinite(values) & (values > 0)]
        if positive.size == values.size and positive.max() > 20 * positive.min():
            axes.set_yscale("log")
        axes.grid(alpha=0.25, linewidth=0.5)
        axes.tick_params(labelsize=7)
    return figure


@matplotlib.rc_context(STYLE)
def lines_figure(curves: Mapping[str, Curve], title: str) -> Figure:
    """Several shares over steps in one plot, in per cent."""
    figure = Figure(figsize=(4.2, 2.3))
    figure.subplots_adjust(0.11, 0.13, 0.72, 0.88)
    axes = figure.add_subplot()
    for name, curve in curves.items():
        steps, values = thinned(curve)
        marker = "o" if len(values) < 10 else None
        axes.plot(steps, 100 * values, marker=marker, linewidth=1.2, markersize=3, label=name)
    axes.set_title(f"{title}, %", fontsize=9, loc="left")
    axes.set_ylim(bottom=0)
    axes.grid(alpha=0.25, linewidth=0.5)
    axes.tick_params(labelsize=7)
    axes.legend(fontsize=7, frameon=False, loc="upper left", bbox_to_anchor=(1, 1.05))
    return figure


@matplotlib.rc_context(STYLE)
def arms_figure(curves: Mapping[str, Curve], title: str) -> Figure:
    """One figure over training steps, a line with its points for each arm."""
    figure = Figure(figsize=(5.2, 2.6))
    figure.subplots_adjust(0.12, 0.17, 0.7, 0.88)
    axes = figure.add_subplot()
    for name, curve in curves.items():
        steps, values = thinned(curve)
        axes.plot(steps, values, marker="o", linewidth=1.2, markersize=3, label=name)
    axes.set_title(title, fontsize=9, loc="left")
    axes.set_xlabel("training steps", fontsize=8)
    axes.grid(alpha=0.25, linewidth=0.5)
    axes.tick_params(labelsize=7)
    axes.legend(fontsize=7, frameon=False, loc="upper left", bbox_to_anchor=(1, 1.05))
    return figure


@matplotlib.rc_context(STYLE)
def codebook_figure(use: CodebookUse) -> Figure:
    """Bars for each level: entries that occur, and perplexity, as shares of the codebook."""
    levels = np.arange(1, len(use.used) + 1)
    width = max(4.0, 0.7 * len(levels) + 1.5)
    figure = Figure(figsize=(width, 2.4))
    figure.subplots_adjust(0.6 / width, 0.2, 0.98, 0.85)
    axes = figure.add_subplot()
    axes.bar(levels - 0.2, np.array(use.used) * 100, 0.4, color="#60a5fa", label="entries used")
    shares = np.array(use.perplexity) / use.size * 100
    axes.bar(levels + 0.2, shares, 0.4, color="#d97706", label="perplexity")
    axes.set_xticks(levels)
    axes.set_xlabel("codebook level", fontsize=8)
    axes.set_ylabel(f"% of {use.size} entries", fontsize=8)
    axes.set_ylim(0, 105)
    axes.tick_params(labelsize=7)
    axes.legend(fontsize=7, frameon=False, loc="upper right", bbox_to_anchor=(1, 1.25), ncols=2)
    return figure


@matplotlib.rc_context(STYLE)
def groups_figure(breakdown: Breakdown, name: str) -> Figure:
    """One figure by group: each system's value with its interval, systems side by side.

    Floors are left out: they are far off, and would leave no room for what is to be compared.
    """
    groups = list(breakdown.tables)
    shown = [system for system, role in breakdown.systems(name).items() if role != "floor"]
    width = max(4.0, 0.9 + 0.22 * (len(shown) + 1) * len(groups))
    figure = Figure(figsize=(width, 2.8))
    figure.subplots_adjust(0.6 / width, 0.12, 0.98, 0.78)
    axes = figure.add_subplot()
    for number, system in enumerate(shown):
        offset = (number - (len(shown) - 1) / 2) / (len(shown) + 1)
        found = [breakdown.figure(name, system, group) for group in groups]
        places = [place + offset for place, figure in enumerate(found) if figure]
        values = np.array([(f.low, f.value, f.high) for f in found if f])
        low, value, high = np.where(np.isnan(values), values[:, 1:2], values).T
        axes.errorbar(
            places, value, yerr=[value - np.minimum(low, value), np.maximum(high, value) - value],
            fmt="o", markersize=4, linewidth=1.2, label=system,
            color=matplotlib.colormaps["tab10"](number % 10),
        )  # fmt: skip
    axes.set_xticks(range(len(groups)), groups, fontsize=8)
    axes.set_ylabel(heading(breakdown.sample(name)), fontsize=8)
    axes.grid(axis="y", alpha=0.25, linewidth=0.5)
    axes.tick_params(labelsize=7)
    figure.legend(fontsize=7, frameon=False, loc="upper left", ncols=3)
    return figure


@matplotlib.rc_context(STYLE)
def spectrogram_figure(panels: Mapping[str, Audio], joint_seconds: float) -> Figure:
    """Spectrograms one above the other, with a line where the prompt ends."""
    height = 1.4 * len(panels) + 0.4
    figure = Figure(figsize=(8, height))
    figure.subplots_adjust(0.02, 0.5 / height, 0.98, 1 - 0.3 / height, hspace=0.5)
    for number, (name, audio) in enumerate(panels.items(), start=1):
        axes = figure.add_subplot(len(panels), 1, number)
        axes.imshow(
            spectrogram(audio),
            origin="lower",
            aspect="auto",
            cmap="magma",
            extent=(0, audio.seconds, 0, 1),
        )
        if joint_seconds > 0:
            axes.axvline(joint_seconds, color="#7dd3fc", linewidth=1.2, linestyle="--")
        axes.set_title(name, fontsize=8, loc="left")
        axes.set_yticks([])
        axes.tick_params(labelsize=7)
    figure.axes[-1].set_xlabel("seconds", fontsize=8)
    return figure


def spectrogram(audio: Audio) -> NDArray[np.uint8]:
    """Mel levels uint8 ``[MELS, columns]``, low frequencies first; 255 is the loudest."""
    wav = convert(audio, audio.sample_rate, 1).samples
    size = 2 ** round(np.log2(audio.sample_rate * 0.05))
    hop = max(size // 8, -(-wav.shape[-1] // COLUMNS))
    decibels = log_mel(wav, audio.sample_rate, size, hop, MELS)[0].numpy() * (20 / np.log(10))
    levels = (decibels - decibels.max() + RANGE_DB) / RANGE_DB
    return np.asarray(np.clip(levels, 0, 1) * 255, dtype=np.uint8)


def spectrogram_png(audio: Audio) -> bytes:
    """A spectrogram as a PNG of one pixel a value, with a palette, high frequencies on top."""
    from PIL import Image

    levels = spectrogram(audio)[::-1]
    picture = Image.frombytes("P", (levels.shape[1], levels.shape[0]), levels.tobytes())
    colours = matplotlib.colormaps["magma"](np.arange(256), bytes=True)[:, :3]
    picture.putpalette(np.ascontiguousarray(colours).tobytes())
    buffer = io.BytesIO()
    picture.save(buffer, format="PNG")
    return buffer.getvalue()


def thinned(curve: Curve) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Steps and values, averaged in runs so that at most ``POINTS`` remain."""
    points = np.asarray(curve, dtype=np.float64)
    parts = np.array_split(points, min(POINTS, len(points)))
    means = np.array([part.mean(axis=0) for part in parts])
    return means[:, 0], means[:, 1]


def drawable(text: str) -> bool:
    """Whether matplotlib's font has a shape for every character (it has none of Chinese ones)."""
    font = FT2Font(findfont(FontProperties()))
    return all(font.get_char_index(ord(character)) for character in text)


def save_png(figure: Figure, path: Path) -> Path:
    """Write a figure as PNG on white."""
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110, facecolor="white")
    return path


def inline_svg(figure: Figure, label: str) -> str:
    """A figure as SVG to put into HTML, named ``label`` for those who can't see it."""
    buffer = io.StringIO()
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": label}):
        figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None})
    text = buffer.getvalue()
    text = text[text.index("<svg") :].replace(INK, "currentColor")
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = re.sub(r"<style.*?</style>", "", text, flags=re.DOTALL)  # would hold for the whole page
    # Groups' ids serve nothing and would repeat from figure to figure on a page.
    text = re.sub(r'<g id="[^"]*"', "<g", text)
    text = re.sub(r'(<svg[^>]*?) width="[^"]*"', r"\1", text, count=1)
    text = re.sub(r'(<svg[^>]*?) height="[^"]*"', r"\1", text, count=1)
    return text.replace("<svg", f'<svg role="img" aria-label="{escape(label)}"', 1)
