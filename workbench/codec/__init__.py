"""The X-Codec engine."""
