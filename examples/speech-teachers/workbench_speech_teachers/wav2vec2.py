"""wav2vec 2.0 (arXiv 2006.11477)."""

from __future__ import annotations

from transformers import Wav2Vec2Config, Wav2Vec2Model

from workbench import WaveformEncoder
from workbench_speech_teachers.loading import load_model, random_model
from workbench_speech_teachers.plugin import Wav2Vec2Options


def build_encoder(options: Wav2Vec2Options, seed: int) -> WaveformEncoder:
    """The encoder: 400 samples a frame, hop 320."""
    if options.weights == "random":
        size = options.size
        config = Wav2Vec2Config(
            hidden_size=size.hidden,
            num_hidden_layers=size.layers,
            num_attention_heads=size.heads,
            intermediate_size=size.feed_forward,
            conv_dim=[size.hidden] * 7,
            num_conv_pos_embedding_groups=size.heads,
        )
        model = random_model(Wav2Vec2Model, config, seed)
    else:
        model = load_model(
            Wav2Vec2Model,
            Wav2Vec2Config,
            options.weights,
            ("wav2vec2.",),
            optional=("masked_spec_embed",),
        )
    return WaveformEncoder(model, 16000, options.layers)
