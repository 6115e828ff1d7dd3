"""wav2vec 2.0 and Whisper's encoder as teachers of a codec."""
