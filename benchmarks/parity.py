"""Our X-Codec against transformers' XcodecModel on the same random weights: codes and audio.

Each case is a model, written to files and loaded by both. Codes must be equal, audio within 1e-5.

    python benchmarks/parity.py [--full] [--threads 1] [--out results/reference/codec_parity.md]

Without `--full`: small models, seconds. With it: the published size too, at lengths up to 30 s.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import transformers
from torch import Tensor

sys.path.insert(0, str(Path(__file__).parents[1]))  # the tests' random models serve here, too

from tests.codec.test_checkpoints import (
    CASES,
    COUNTS,
    original_names,
    random_audio,
    reference,
)
from workbench import XCodec, load_codec
from workbench.codec.original import from_original

SECOND = 16_000
SHORT = (80, 319, 320, 321, 399, 400, 1600, 1679, 1680, 5000)
"""Samples, from what gives one frame on; on and off the hop of 320, and around half of it."""
LONG = (10 * SECOND, 10 * SECOND + 123, 30 * SECOND, 30 * SECOND + 200)
PADDED = (1600, 1679, 321, 80, 1600)
"""Lengths of the items of a padded batch."""


@dataclass
class Case:
    """One model: what was compared, and how it went."""

    name: str
    codes: int = 0
    unequal: int = 0
    difference: float = 0.0
    longest: int = 0

    def row(self) -> str:
        """As a line of the table."""
        equal = "all" if not self.unequal else f"all but {self.unequal}"
        cells = (
            self.name,
            f"{self.longest / SECOND:.4g} s",
            f"{self.codes:,}",
            equal,
            f"{self.difference:.1e}",
        )
        return f"| {' | '.join(cells)} |"


@torch.no_grad()
def compare(
    case: Case, model: Any, codec: XCodec, lengths: Sequence[int], every_bandwidth: bool = True
) -> None:
    """Compare codes and audio at all lengths, and at each bandwidth or the greatest alone."""
    bandwidths = list(zip(model.config.target_bandwidths, COUNTS, strict=True))
    for samples in lengths:
        wav = random_audio(2 if samples <= 5000 else 1, samples)
        for bandwidth, count in bandwidths if every_bandwidth else bandwidths[-1:]:
            theirs = model.encode(wav, bandwidth=bandwidth).audio_codes
            ours = codec.encode(wav, codebooks=count)
            note(case, ours.values, theirs, samples)
            audio = model.decode(theirs).audio_values
            case.difference = max(case.difference, float((codec.decode(ours) - audio).abs().max()))
        print(f"{case.name}: {samples} samples", file=sys.stderr, flush=True)


@torch.no_grad()
def compare_batch(case: Case, model: Any, codec: XCodec) -> None:
    """Each item of a padded batch must get the codes that the reference gives it alone."""
    wav = random_audio(len(PADDED), max(PADDED))
    batch = codec.encode(wav, torch.tensor(PADDED))
    assert batch.lengths is not None
    for row, samples in enumerate(PADDED):
        theirs = model.encode(wav[row : row + 1, :, :samples]).audio_codes[0]
        note(case, batch.values[row, :, : int(batch.lengths[row])], theirs, samples)


def note(case: Case, ours: Tensor, theirs: Tensor, samples: int) -> None:
    """Count codes that differ; all of them where their number does."""
    same = ours.shape == theirs.shape
    case.codes += theirs.numel()
    case.unequal += int((ours != theirs).sum()) if same else theirs.numel()
    case.longest = max(case.longest, samples)


def through_transformers(model: Any, folder: Path) -> XCodec:
    """Our codec from what the reference's own ``save_pretrained`` writes."""
    model.save_pretrained(folder)
    return load_codec(folder)


def through_ours(model: Any, folder: Path) -> XCodec:
    """Our codec from what our ``save_pretrained`` writes of it."""
    through_transformers(model, folder / "theirs").save_pretrained(folder / "ours")
    return load_codec(folder / "ours")


def through_original(old_weight_norm: bool) -> Callable[[Any, Path], XCodec]:
    """Our codec from a checkpoint of the paper's public code with its YAML."""

    def load(model: Any, folder: Path) -> XCodec:
        torch.save(original_names(model, old_weight_norm), folder / "xcodec.pth")
        config = model.config
        (folder / "xcodec.yaml").write_text(
            "generator:\n  name: SoundStream\n  config: {n_filters: 32, "
            f"D: {config.acoustic_model_config.hidden_size}, bins: {config.codebook_size},\n"
            f"    target_bandwidths: {list(config.target_bandwidths)},\n"
            f"    ratios: {config.acoustic_model_config.downsampling_ratios},\n"
            "    sample_rate: 16000, semantic_techer: hubert_base}\n"
        )
        return from_original(
            folder / "xcodec.pth", folder / "xcodec.yaml", config.semantic_model_config
        )

    return load


def published(teacher: Any) -> Any:
    """A model of the published size; its codebooks are not all zero."""
    torch.manual_seed(0)
    model = transformers.XcodecModel(transformers.XcodecConfig(semantic_model_config=teacher))
    for level in model.quantizer.quantizers:
        level.codebook.embed.normal_(0, 0.05)
    return model.eval()


def small_cases() -> list[Case]:
    """Small models of many shapes: every length, bandwidth, and padded batches."""
    rows = []
    for name, changes in CASES.items():
        rows.append(run(f"small, {name}", reference(**changes), through_transformers))
    rows.append(run("small, written by save_pretrained", reference(), through_ours))
    for old, form in ((True, "old"), (False, "new")):
        name = f"small, public code's `.pth`, {form} weight norm"
        rows.append(run(name, reference(), through_original(old)))
    return rows


def run(name: str, model: Any, load: Callable[[Any, Path], XCodec]) -> Case:
    """One small model."""
    case = Case(name)
    with tempfile.TemporaryDirectory() as folder:
        codec = load(model, Path(folder))
        compare(case, model, codec, SHORT)
        compare(case, model, codec, LONG, every_bandwidth=False)
        compare_batch(case, model, codec)
    return case


def full_cases() -> list[Case]:
    """The published size with both teachers."""
    rows = []
    for name, teacher in (
        ("published size, HuBERT", transformers.HubertConfig()),
        ("published size, WavLM", transformers.WavLMConfig()),
    ):
        case, model = Case(name), published(teacher)
        with tempfile.TemporaryDirectory() as folder:
            codec = through_transformers(model, Path(folder))
            compare(case, model, codec, (80, 321, SECOND))
            compare(case, model, codec, LONG, every_bandwidth=False)
            compare_batch(case, model, codec)
        rows.append(case)
    return rows


def main() -> None:
    """Print the table; leave with status 1 where something differs."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--full", action="store_true", help="the published size, too")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    rows = small_cases() + (full_cases() if arguments.full else [])
    lines = [
        "# Parity with transformers' XcodecModel",
        "",
        f"Measured with `python benchmarks/parity.py{' --full' if arguments.full else ''}` against "
        f"transformers {transformers.__version__}, torch {torch.__version__}. Bandwidths: those "
        f"of {', '.join(map(str, COUNTS))} codebooks (the greatest alone at 10 s and 30 s). "
        f"Lengths in samples: {', '.join(map(str, SHORT + LONG))} (published size: 80, 321, "
        f"{SECOND} and the last four); a padded batch of {', '.join(map(str, PADDED))}, item by "
        "item.",
        "",
        "| model | longest | codes compared | equal | greatest difference of audio |",
        "|---|---|---|---|---|",
        *(case.row() for case in rows),
        "",
    ]
    text = "\n".join(lines)
    print(text)
    if arguments.out:
        arguments.out.write_text(text)
    if any(case.unequal or case.difference > 1e-5 for case in rows):
        sys.exit(1)


if __name__ == "__main__":
    main()
