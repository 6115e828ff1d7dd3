"""Corpora: folders, manifests, Hugging Face data sets, synthesised music."""
