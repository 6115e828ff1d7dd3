"""HuBERT and WavLM, semantic encoders for speech."""
