"""Every first-party component keeps the contract, by the suites that authors use."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from workbench_speech.plugin import JudgeSize
from workbench_speech.recogniser import CharacterRecogniser

from tests.plugins.quality import made as made_quality
from tests.plugins.speechtokenizer import made
from workbench import Audio, Catalog, write_audio
from workbench.testing import SUITES, Subject, judge

WAVEFORM = {"hidden": 16, "layers": 1, "heads": 2, "feed_forward": 16, "convolution": 8,
            "position_kernel": 16}  # fmt: skip
TRAINED = {"clusters": 4, "second_round_layer": 1}
SPEECH = {"weights": "random", "size": WAVEFORM, "pretraining": TRAINED}
JUDGE = {"width": 8, "blocks": 1, "mels": 8}
TAGGER = {
    "weights": "random",
    "size": {"channels": 4, "width": 8, "blocks": 1, "mels": 16},
    "classes": ["tone", "noise"],
}
CLAP = {
    "weights": "random",
    "size": {"patch_width": 8, "depths": [1, 1, 1, 1], "heads": [1, 1, 1, 1], "text_layers": 1},
}
XCODEC = {
    "weights": "scratch",
    "latent_dim": 8,
    "encoder": {"kind": "spectral", "n_fft": 1280, "width": 8, "blocks": 1},
    "decoder": {"kind": "istft", "width": 8, "blocks": 1, "fine_width": 8, "fine_blocks": 1},
    "quantizer": {"codebooks": 2, "size": 16, "kmeans_step": 1, "dead_threshold": 0.1},
    "losses": {"mel": 1, "stft": 0, "pqmf": 0, "adversarial": 0, "feature_matching": 0},
}
OPTIONS: dict[tuple[str, str], dict[str, Any]] = {
    ("semantic_encoder", "hubert"): SPEECH,
    ("semantic_encoder", "wavlm"): SPEECH,
    ("semantic_encoder", "mert"): {**SPEECH, "pretraining": {**TRAINED, "chroma_clusters": 4}},
    ("semantic_encoder", "clap"): CLAP,
    ("semantic_encoder", "recogniser"): {"weights": "random", "size": JUDGE},
    ("semantic_encoder", "speaker"): {"weights": "random", "size": JUDGE, "dim": 4},
    ("semantic_encoder", "log-mel"): {"bands": 8},
    ("semantic_encoder", "tagger"): TAGGER,
    ("semantic_encoder", "panns"): {"weights": "random", "channels": 1, "classes": 3},
    ("semantic_encoder", "vggish"): {"weights": "random", "shrink": 64},
    ("codec", "xcodec"): XCODEC,
    ("codec", "encodec"): {"weights": "random", "bandwidth": 1.5},
    ("codec", "dac"): {"weights": "folder"},
    ("codec", "mimi"): {"weights": "folder", "codebooks": 4},
    ("codec", "speechtokenizer"): {"weights": "folder"},
    ("codec", "hf_xcodec"): {"weights": "folder"},
    ("codec", "xcodec2"): {"weights": "folder"},
    ("corpus", "synthetic-music"): {"train": 3, "validation": 1, "test": 2, "seconds": 2.0},
    ("corpus", "synthetic-sound"): {"train": 3, "validation": 1, "test": 2, "seconds": 2.0},
    ("corpus", "synthetic-speech"): {"train": 4, "validation": 2, "test": 2, "variety": 0.5},
    ("corpus", "folder"): {"path": "audio"},
    ("corpus", "speech-folder"): {"path": "libritts"},
    ("corpus", "manifest"): {"path": "audio/all.csv"},
    ("corpus", "huggingface"): {"path": "dataset", "validation": "", "test": ""},
    ("corpus", "sound-folder"): {"path": "audio"},
    ("corpus", "mixture"): {
        "parts": [{"name": "folder", "options": {"path": "audio"}, "share": 1.0}],
    },
    ("task", "music-continuation"): {},
    ("task", "text-to-sound"): {
        "captions": {"encoder": {"name": "clap", "options": CLAP}},
    },
    ("task", "tts"): {"prompt": "cross-utterance", "prompt_seconds": 1.0, "prompt_text": False},
    ("metric", "frechet"): {"encoder": {"name": "hubert", "options": SPEECH}},
    ("metric", "frechet-infinity"): {"encoder": {"name": "hubert", "options": SPEECH}},
    ("metric", "kernel-distance"): {"encoder": {"name": "hubert", "options": SPEECH}},
    ("metric", "class-divergence"): {"judge": {"name": "tagger", "options": TAGGER}},
    ("metric", "inception-score"): {"judge": {"name": "tagger", "options": TAGGER}},
    ("metric", "event-recall"): {"judge": {"name": "tagger", "options": TAGGER}},
    ("metric", "clap-score"): {"judge": {"name": "clap", "options": CLAP}},
    ("metric", "mel-distance"): {},
    ("metric", "si-sdr"): {},
    ("metric", "code-statistics"): {},
    ("metric", "key-agreement"): {},
    ("metric", "tempo-agreement"): {},
    ("metric", "chord-agreement"): {},
    ("metric", "pesq"): {"band": "narrow"},
    ("metric", "stoi"): {},
    ("metric", "stft-distance"): {"fft_sizes": [256]},
    ("metric", "log-spectral-distance"): {"n_fft": 512, "hop": 256},
    ("metric", "mel-cepstral-distortion"): {"mels": 40},
    ("metric", "pitch"): {},
    ("metric", "code-bitrate"): {},
    ("metric", "dnsmos"): {"weights": "folder"},
    ("metric", "utmos"): {"weights": "folder"},
    ("metric", "warp-q"): {"python": "folder"},
    ("metric", "error-rates"): {"judge": {"name": "recogniser", "options": {"weights": "folder"}}},
    ("metric", "speaker-similarity"): {
        "judge": {"name": "speaker", "options": {"weights": "random", "size": JUDGE, "dim": 4}}
    },
}  # fmt: skip
"""Small options for each component; a component without an entry fails the first test."""
CAPTIONS = "audiocap_id,youtube_id,start_time,caption\n1,0,0,rain\n2,1,5,wind\n"
FULL_SIZE = {"encodec"}
"""Models without a small size: they are given no minute of audio."""


def test_every_component_is_held_to_its_contract(catalog):
    registered = {(kind, c.name) for kind in SUITES for c in catalog.components(kind)}
    assert registered == set(OPTIONS)


def save_tiny(name: str, folder: Path) -> None:
    """A small model of made weights, or a random one of transformers, as a checkpoint."""
    own = {
        "speechtokenizer": made.save,
        "dnsmos": made_quality.save_dnsmos,
        "utmos": made_quality.save_utmos,
    }
    if name in own:
        own[name](folder)
        return
    dac = {"encoder_hidden_size": 4, "decoder_hidden_size": 32, "hidden_size": 8}
    makers = {
        "dac": lambda: transformers.DacModel(
            transformers.DacConfig(
                **dac, downsampling_ratios=[2, 4, 5, 8], n_codebooks=3, codebook_size=16
            )
        ),
        "mimi": lambda: transformers.MimiModel(
            transformers.MimiConfig(
                hidden_size=16, num_filters=4, num_hidden_layers=1, num_attention_heads=2,
                num_key_value_heads=2, head_dim=8, intermediate_size=16, codebook_size=16,
                codebook_dim=8, vector_quantization_hidden_dimension=8, num_quantizers=4,
                upsample_groups=16,
            )
        ),
        "hf_xcodec": lambda: transformers.XcodecModel(
            transformers.XcodecConfig(
                acoustic_model_config=transformers.DacConfig(
                    **dac, downsampling_ratios=[8, 5, 4, 2], upsampling_ratios=[8, 5, 4, 2]
                ),
                semantic_model_config=transformers.HubertConfig(
                    hidden_size=16, num_hidden_layers=1, num_attention_heads=2,
                    intermediate_size=16, conv_dim=[8] * 7, num_conv_pos_embeddings=16,
                    num_conv_pos_embedding_groups=4,
                ),
                codebook_size=16, target_bandwidths=[0.2, 0.4],
            )
        ),
        "xcodec2": lambda: transformers.Xcodec2Model(
            transformers.Xcodec2Config(
                hidden_size=32, intermediate_size=32, num_hidden_layers=1, num_attention_heads=2,
                num_key_value_heads=2, head_dim=16, encoder_hidden_size=4, quantization_dim=48,
                quantization_levels=[4] * 4,
                semantic_model_config=transformers.Wav2Vec2BertConfig(
                    hidden_size=16, num_hidden_layers=1, num_attention_heads=2,
                    intermediate_size=16,
                ),
            )
        ),
    }  # fmt: skip
    torch.manual_seed(0)
    model = makers[name]()
    for key, buffer in model.named_buffers():
        if key.endswith(("codebook.embed", "codebook.embed_sum")):
            buffer.normal_()  # transformers leaves them at zero
    for key, parameter in model.named_parameters():
        if key == "quantizer.project_in.weight":
            torch.nn.init.normal_(parameter, std=200)  # all codes would be the same
    model.save_pretrained(folder)


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Path:
    """A folder with recordings, tables of them, a data set, and small checkpoints."""
    folder = tmp_path_factory.mktemp("contracts")
    names = [f"{number}.wav" for number in range(8)]
    for number, name in enumerate(names):
        tone = 0.3 * torch.sin(torch.arange(4000.0)[None] * 0.05 * (number + 1))
        write_audio(folder / "audio" / name, Audio(tone, 8000))
        spoken = folder / "libritts" / "train-clean-100" / f"{number}" / "1" / name
        write_audio(spoken, Audio(tone, 8000))
        spoken.with_suffix(".normalized.txt").write_text("a tone")
    (folder / "audio" / "all.csv").write_text("path\n" + "\n".join(names) + "\n")
    (folder / "audio" / "train.csv").write_text(CAPTIONS)
    return folder


def options_of(kind: str, name: str, place: Path) -> dict[str, Any]:
    """The table's options with folders below ``place``, what lies there made where it's missing."""
    options = dict(OPTIONS[kind, name])
    if options.get("weights") == "folder":
        options["weights"] = str(place / name)
        save_tiny(name, place / name)
    if name == "warp-q":
        options["python"] = str(made_quality.stand_in_environment(place / name))
    if name == "error-rates":
        trained = CharacterRecogniser(JudgeSize(**JUDGE), "a bc")
        trained.save(place / "recogniser")
        options["judge"] = {"name": "recogniser", "options": {"weights": str(place / "recogniser")}}
    if name == "event-recall":
        (place / "words.json").write_text('{"tone": ["tone"], "noise": ["noise"]}')
        options["vocabulary"] = str(place / "words.json")
    if name == "huggingface":
        datasets = pytest.importorskip("datasets")
        files = [str(path) for path in sorted((place / "audio").glob("*.wav"))]
        data = datasets.Dataset.from_dict({"audio": files})
        data = data.cast_column("audio", datasets.Audio(decode=False))
        datasets.DatasetDict({"train": data}).save_to_disk(place / "dataset")
    if name == "mixture":
        part = {**options["parts"][0], "options": {"path": str(place / "audio")}}
        options["parts"] = [part]
    if "path" in options:
        options["path"] = str(place / options["path"])
    return options


@pytest.fixture(scope="module")
def subject(request, place, catalog: Catalog) -> Subject:
    kind, name = request.param
    seconds = {"longest_seconds": 1.0} if name in FULL_SIZE else {}
    return Subject(catalog, kind, name, options_of(kind, name, place), **seconds)


@pytest.mark.parametrize("subject", OPTIONS, ids="/".join, indirect=True)
def test_it_keeps_the_contract(subject):
    outcomes = [judge(check, subject) for check in SUITES[subject.kind]]
    broken = [f"{o.check.name}: {o.message}" for o in outcomes if o.verdict == "broken"]
    assert not broken, "\n".join(broken)
    assert any(o.verdict == "kept" for o in outcomes)
