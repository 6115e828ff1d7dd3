"""Published judges, as small random models of the same classes that the tests save themselves."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
import transformers
from tokenizers import Tokenizer, models, pre_tokenizers
from workbench_speech.load import load_recogniser, load_voice_encoder
from workbench_speech.plugin import RecogniserOptions, SpeakerOptions

from workbench import Recogniser, SpeakerEncoder, WeightsError

WAVEFORM = {
    "hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16,
    "conv_dim": [8] * 7, "num_conv_pos_embeddings": 16, "num_conv_pos_embedding_groups": 4,
}  # fmt: skip
WAV = 0.1 * torch.randn(24_000, generator=torch.Generator().manual_seed(0))


def extractor(folder: Path, normalise: bool) -> transformers.Wav2Vec2FeatureExtractor:
    made = transformers.Wav2Vec2FeatureExtractor(do_normalize=normalise)
    made.save_pretrained(folder)
    return made


def save_ctc(folder: Path, kind: str, normalise: bool) -> torch.nn.Module:
    """A CTC model with a vocabulary of its own, in Hugging Face's layout."""
    vocabulary = {"<pad>": 0, "<s>": 1, "</s>": 2, "<unk>": 3, "|": 4, "A": 5, "B": 6, "C": 7}
    folder.mkdir(exist_ok=True)
    (folder / "vocab.json").write_text(json.dumps(vocabulary))
    transformers.Wav2Vec2CTCTokenizer(str(folder / "vocab.json")).save_pretrained(folder)
    extractor(folder, normalise)
    torch.manual_seed(0)
    config_class = getattr(transformers, f"{kind}Config")
    config = config_class(**WAVEFORM, vocab_size=8, pad_token_id=0)
    model = getattr(transformers, f"{kind}ForCTC")(config).eval()
    model.save_pretrained(folder)
    return model


@pytest.mark.parametrize("normalise", [True, False])
@pytest.mark.parametrize("kind", ["Wav2Vec2", "Hubert"])
@torch.no_grad()
def test_a_ctc_model_writes_what_transformers_pipeline_does(
    kind: str, normalise: bool, tmp_path: Path
) -> None:
    model = save_ctc(tmp_path, kind, normalise)
    judge = load_recogniser(RecogniserOptions(weights=str(tmp_path)), seed=0)
    assert isinstance(judge, Recogniser)
    processor = transformers.Wav2Vec2Processor.from_pretrained(tmp_path)
    inputs = processor(WAV.numpy(), sampling_rate=16_000, return_tensors="pt")
    best = model(inputs.input_values).logits.argmax(-1)
    expected = processor.batch_decode(best)[0].strip()
    assert expected  # random weights say something
    assert judge.transcribe(WAV) == expected
    assert judge(WAV[None]).shape == (1, 16, 74)
    assert judge(WAV[None, :10]).shape == (1, 16, 1)


def save_whisper(folder: Path) -> transformers.WhisperForConditionalGeneration:
    """A multilingual Whisper with 16 words and two languages."""
    special = ["<|endoftext|>", "<|startoftranscript|>", "<|en|>", "<|zh|>", "<|transcribe|>",
               "<|translate|>", "<|notimestamps|>"]  # fmt: skip
    words = [f"word{number}" for number in range(16)]
    vocabulary = {token: index for index, token in enumerate([*words, *special])}
    backend = Tokenizer(models.WordLevel(vocabulary, unk_token="word0"))
    backend.pre_tokenizer = pre_tokenizers.Whitespace()
    backend.add_special_tokens(special)
    tokenizer = transformers.PreTrainedTokenizerFast(
        tokenizer_object=backend, eos_token="<|endoftext|>", pad_token="<|endoftext|>"
    )
    tokenizer.save_pretrained(folder)
    transformers.WhisperFeatureExtractor(feature_size=16).save_pretrained(folder)
    ids = {token: vocabulary[token] for token in special}
    end, start = ids["<|endoftext|>"], ids["<|startoftranscript|>"]
    torch.manual_seed(0)
    config = transformers.WhisperConfig(
        vocab_size=len(vocabulary), num_mel_bins=16, d_model=16, encoder_layers=1, decoder_layers=1,
        encoder_attention_heads=2, decoder_attention_heads=2, encoder_ffn_dim=16,
        decoder_ffn_dim=16, max_target_positions=32, eos_token_id=end, pad_token_id=end,
        bos_token_id=end, decoder_start_token_id=start, suppress_tokens=None,
        begin_suppress_tokens=None,
    )  # fmt: skip
    model = transformers.WhisperForConditionalGeneration(config).eval()
    generation = model.generation_config
    generation._from_model_config = False  # as in published checkpoints
    generation.is_multilingual = True
    generation.lang_to_id = {"<|en|>": ids["<|en|>"], "<|zh|>": ids["<|zh|>"]}
    generation.task_to_id = {"transcribe": ids["<|transcribe|>"], "translate": ids["<|translate|>"]}
    generation.no_timestamps_token_id = ids["<|notimestamps|>"]
    generation.max_length = 12
    model.save_pretrained(folder)
    return model


@torch.no_grad()
def test_whisper_hears_long_audio_by_windows_and_is_told_the_language(tmp_path: Path) -> None:
    model = save_whisper(tmp_path)
    judge = load_recogniser(RecogniserOptions(weights=str(tmp_path)), seed=0)
    assert isinstance(judge, Recogniser)
    features = transformers.WhisperFeatureExtractor.from_pretrained(tmp_path)(
        WAV.numpy(), sampling_rate=16_000, return_tensors="pt"
    ).input_features
    tokenizer = transformers.AutoTokenizer.from_pretrained(tmp_path)
    for ours, theirs in (("en", "en"), ("cmn", "zh")):
        tokens = model.generate(features, language=theirs)
        expected = tokenizer.batch_decode(tokens, skip_special_tokens=True)[0].strip()
        assert expected
        assert judge.transcribe(WAV, ours) == expected
    assert judge(WAV[None]).shape == (1, 16, 75)
    long = torch.cat([torch.zeros(30 * 16_000), WAV])
    assert judge(long[None]).shape == (1, 16, 1575)
    assert judge.transcribe(long, "en").endswith(judge.transcribe(WAV, "en"))


@torch.no_grad()
def test_an_x_vector_model_gives_transformers_vector(tmp_path: Path) -> None:
    torch.manual_seed(0)
    config = transformers.WavLMConfig(
        **WAVEFORM, tdnn_dim=[16, 16, 24], tdnn_kernel=[5, 3, 1], tdnn_dilation=[1, 2, 1],
        xvector_output_dim=12,
    )  # fmt: skip
    model = transformers.WavLMForXVector(config).eval()
    model.save_pretrained(tmp_path)
    features = extractor(tmp_path, normalise=True)
    judge = load_voice_encoder(SpeakerOptions(weights=str(tmp_path)), seed=0)
    assert isinstance(judge, SpeakerEncoder)
    inputs = features(WAV.numpy(), sampling_rate=16_000, return_tensors="pt")
    expected = torch.nn.functional.normalize(model(**inputs).embeddings[0], dim=0)
    torch.testing.assert_close(judge.embed_speaker(WAV), expected, rtol=1e-4, atol=1e-5)
    assert judge.embed_speaker(WAV[:100]).isfinite().all()  # far too short for its layers
    assert judge(WAV[None]).shape == (1, 16, 74)


def test_a_folder_without_what_a_judge_needs_is_named(tmp_path: Path) -> None:
    transformers.HubertModel(transformers.HubertConfig(**WAVEFORM)).save_pretrained(tmp_path)
    with pytest.raises(WeightsError, match="not a model for this"):
        load_recogniser(RecogniserOptions(weights=str(tmp_path)), seed=0)
