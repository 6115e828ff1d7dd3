"""CLAP, a semantic encoder for sound."""
