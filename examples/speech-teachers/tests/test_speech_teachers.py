"""The contract, checkpoints, and Whisper's own preprocessing as the measure of ours."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import transformers

from workbench import Context, load_catalog
from workbench.testing import contract_tests

SIZE = {"hidden": 16, "layers": 1, "heads": 2, "feed_forward": 16}
RANDOM = {"weights": "random", "size": SIZE}

test_wav2vec2_contract = contract_tests("semantic_encoder", "wav2vec2", RANDOM)
test_whisper_contract = contract_tests("semantic_encoder", "whisper", RANDOM)


def context() -> Context:
    return Context(load_catalog(), "cpu", seed=0)


def test_the_spectrum_is_whispers_own() -> None:
    encoder = context().build("semantic_encoder", "whisper", RANDOM)
    wav = torch.randn(16000 * 30, generator=torch.Generator().manual_seed(0)) * 0.1
    theirs = transformers.WhisperFeatureExtractor()(wav.numpy(), sampling_rate=16000)
    expected = torch.as_tensor(theirs["input_features"])
    torch.testing.assert_close(encoder.spectrum(wav[None]), expected, rtol=0, atol=1e-3)


@pytest.mark.parametrize("whole", [True, False])
def test_a_checkpoint_of_the_whole_model_or_the_encoder_loads(whole: bool, tmp_path: Path) -> None:
    config = transformers.WhisperConfig(
        d_model=16, encoder_layers=1, encoder_attention_heads=2, encoder_ffn_dim=16,
        decoder_layers=1, decoder_attention_heads=2, decoder_ffn_dim=16,
    )  # fmt: skip
    kind = transformers.WhisperForConditionalGeneration if whole else transformers.WhisperModel
    model = kind(config).eval()
    model.save_pretrained(tmp_path)
    encoder = context().build("semantic_encoder", "whisper", {"weights": str(tmp_path)})
    theirs = model.get_encoder().state_dict()
    for name, value in encoder.model.state_dict().items():
        assert torch.equal(value, theirs[name]), name
