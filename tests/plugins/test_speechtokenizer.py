"""SpeechTokenizer equals its authors' package, by numbers recorded from it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from tests.plugins.speechtokenizer import made
from workbench import Catalog, Codes, Context, WeightsError

REFERENCE = made.reference()


@pytest.fixture
def codec(catalog: Catalog, tmp_path: Path) -> Any:
    options = {"weights": str(made.save(tmp_path))}
    return Context(catalog, "cpu", 0).build("codec", "speechtokenizer", options)


def test_codes_and_audio_are_those_of_the_authors_package(codec: Any) -> None:
    codes = codec.encode(torch.from_numpy(made.sound())[None, None])
    assert codes.values[0].tolist() == REFERENCE["codes"]
    assert (codec.sample_rate, codec.frame_rate, codec.num_codebooks) == (16000, 50.0, 3)
    for name, books in (("whole", 3), ("first", 1)):
        part = Codes(codes.values[:, :books], codes.codebook_size, codes.frame_rate)
        wav = codec.decode(part)[0, 0, ::50]
        assert torch.allclose(wav, torch.tensor(REFERENCE[name]), atol=2e-4)


def test_what_is_no_such_model_is_refused(catalog: Catalog, tmp_path: Path) -> None:
    def build(weights: Path | str) -> Any:
        return Context(catalog, "cpu", 0).build(
            "codec", "speechtokenizer", {"weights": str(weights)}
        )

    with pytest.raises(WeightsError, match="there is no such folder, and it is no Hugging Face id"):
        build("./nowhere")
    with pytest.raises(WeightsError, match="activation 'Snake': only ELU"):
        build(made.save(tmp_path, activation="Snake"))
    with pytest.raises(WeightsError, match="size mismatch"):
        build(made.save(tmp_path, n_filters=8))


def test_an_id_that_the_hub_does_not_give(
    catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(WeightsError, match="hub does not give speechtokenizer_hubert_avg"):
        Context(catalog, "cpu", 0).build("codec", "speechtokenizer", {"weights": "nobody/nothing"})
