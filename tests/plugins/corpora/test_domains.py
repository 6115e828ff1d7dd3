"""Every corpus tells what is heard in it, or lets the user say so."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile

from workbench import SPLITS, Corpus


def domains(corpus: Corpus) -> set[str | None]:
    return {example.domain for split in SPLITS for example in corpus.examples(split)}


@pytest.fixture
def tones(tmp_path: Path) -> Path:
    for number in range(3):
        soundfile.write(tmp_path / f"{number}.wav", np.zeros(800), 8000)
    return tmp_path


@pytest.mark.parametrize("domain", ["music", "sound", "speech"])
def test_embedded_corpora_know_their_domain(build, domain):
    corpus = build(f"synthetic-{domain}", train=1, validation=0, test=3)
    assert domains(corpus) == {domain}


def test_a_mixture_keeps_its_parts_domains(build):
    sizes = {"train": 1, "validation": 0, "test": 3}
    parts = [
        {"name": f"synthetic-{name}", "options": sizes, "share": 1.0} for name in ("music", "sound")
    ]
    corpus = build("mixture", parts=parts)
    assert domains(corpus) == {"music", "sound"}
    for example in corpus.examples("test"):
        assert corpus.audio(example).seconds > 1


def test_a_folders_domain_is_what_the_user_says(build, tones):
    assert domains(build("folder", path=str(tones))) == {None}
    assert domains(build("folder", path=str(tones), domain="music")) == {"music"}


def test_a_manifest_states_it_line_by_line(build, tones):
    lines = [{"path": "0.wav", "domain": "sound"}, {"path": "1.wav"}]
    path = tones / "list.jsonl"
    path.write_text("\n".join(map(json.dumps, lines)))
    corpus = build("manifest", path=str(path), validation=0, test=0)
    found = {e.id: (e.domain, e.details) for split in SPLITS for e in corpus.examples(split)}
    assert found == {"0.wav": ("sound", {}), "1.wav": (None, {})}


def test_a_hugging_face_data_set_has_the_one_that_is_stated(build, tmp_path):
    datasets = pytest.importorskip("datasets")
    rows = {"audio": ["a"], "kind": ["b"]}
    datasets.DatasetDict({"train": datasets.Dataset.from_dict(rows)}).save_to_disk(str(tmp_path))
    options = {"path": str(tmp_path), "validation": "", "test": "", "audio_column": "audio"}
    assert domains(build("huggingface", **options)) == {None}
    assert domains(build("huggingface", **options, domain="sound")) == {"sound"}
