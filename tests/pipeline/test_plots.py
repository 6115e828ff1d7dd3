import io

import numpy as np
import pytest
import torch
from PIL import Image

from workbench.api.types import Audio
from workbench.evaluation.groups import break_down
from workbench.evaluation.statistics import mean_figure
from workbench.evaluation.table import ResultTable, Row
from workbench.pipeline.plots import (
    MELS,
    CodebookUse,
    codebook_figure,
    curves_figure,
    drawable,
    groups_figure,
    inline_svg,
    save_png,
    spectrogram,
    spectrogram_figure,
    spectrogram_png,
    thinned,
)

RATE = 8000


def tone(hertz, seconds=1.0):
    time = torch.arange(round(seconds * RATE)) / RATE
    return Audio(0.5 * torch.sin(2 * torch.pi * hertz * time)[None], RATE)


def test_a_higher_tone_lies_higher_in_the_spectrogram():
    rows = [int(spectrogram(tone(f)).mean(axis=1).argmax()) for f in (200, 800, 3000)]
    assert rows == sorted(rows)
    assert len(set(rows)) == 3


def test_spectrogram_spans_silence_to_the_loudest():
    audio = Audio(torch.cat([tone(440).samples, torch.zeros(1, RATE)], -1), RATE)
    levels = spectrogram(audio)
    assert levels.shape[0] == MELS
    assert levels.max() == 255
    assert levels[:, -3:].max() == 0


def test_spectrogram_picture_has_high_frequencies_on_top():
    with Image.open(io.BytesIO(spectrogram_png(tone(200)))) as picture:
        pixels = np.asarray(picture.convert("L"))
    assert pixels.shape[0] == MELS
    assert pixels.mean(axis=1).argmax() > MELS * 0.6


def test_long_audio_makes_no_larger_picture():
    assert spectrogram(tone(440, 30)).shape[1] <= 601


def test_thinning_keeps_ends_and_mean():
    curve = [(step, float(step)) for step in range(3000)]
    steps, values = thinned(curve)
    assert len(steps) == 300
    assert values.mean() == pytest.approx(1499.5)
    assert thinned([(0, 1.0), (1, 2.0)])[1].tolist() == [1.0, 2.0]


def test_svg_takes_the_pages_colour_and_is_named():
    svg = inline_svg(curves_figure({"loss": [(0, 1.0), (1, 0.5)]}), 'loss of "codec" <1>')
    assert svg.startswith('<svg role="img" aria-label="loss of &quot;codec&quot; &lt;1&gt;"')
    assert "currentColor" in svg
    assert "#0b1c2d" not in svg
    assert "<style" not in svg
    assert "loss" in svg
    assert 'id="figure_1"' not in svg


def test_wide_ranges_are_drawn_on_a_logarithmic_scale():
    wide = curves_figure({"a": [(0, 100.0), (1, 0.1)], "b": [(0, 2.0), (1, 1.0)]})
    assert [axes.get_yscale() for axes in wide.axes] == ["log", "linear"]


def test_codebook_bars_are_shares_of_the_codebook():
    figure = codebook_figure(CodebookUse([1.0, 0.5], [128.0, 64.0], 256))
    heights = sorted(bar.get_height() for bar in figure.axes[0].patches)
    assert heights == [25.0, 50.0, 50.0, 100.0]


def test_groups_stand_side_by_side_with_their_intervals_and_without_floors():
    rows = []
    for name, role, level in (
        ("truth", "truth", 0.0),
        ("result", "result", 0.2),
        ("x", "floor", 9),
    ):
        scores = {f"i{k}": level + 0.1 * k for k in range(6)}
        rows.append(Row(name, role, {"wer": mean_figure("wer", scores, False)}))
    groups = {f"i{k}": "en" if k < 3 else "es" for k in range(5)} | {"i5": "cmn"}  # one alone
    breakdown = break_down(ResultTable(tuple(rows)), "language", groups)
    figure = groups_figure(breakdown, "wer")
    (axes,) = figure.axes
    assert [label.get_text() for label in axes.get_xticklabels()] == ["cmn", "en", "es"]
    lines = [container.lines[0] for container in axes.containers]
    assert [container.get_label() for container in axes.containers] == ["truth", "result"]
    assert lines[1].get_ydata().tolist() == pytest.approx([0.7, 0.3, 0.55])
    assert (lines[1].get_xdata() - lines[0].get_xdata()).tolist() == pytest.approx([1 / 3] * 3)
    assert axes.get_ylabel() == "wer ↓"


def test_what_the_font_cannot_show_is_known():
    assert drawable("¿Dónde? — 1 codebook ↑")
    assert not drawable("牛奶")


def test_figures_are_saved_as_png(tmp_path):
    figure = spectrogram_figure({"truth": tone(440), "generated": tone(880)}, 0.5)
    path = save_png(figure, tmp_path / "new" / "spectrograms.png")
    with Image.open(path) as picture:
        assert picture.format == "PNG"
    assert [axes.get_title(loc="left") for axes in figure.axes] == ["truth", "generated"]
