"""MERT, a semantic encoder for music."""
