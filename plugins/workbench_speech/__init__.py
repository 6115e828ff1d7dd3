"""Judges of speech: what is said, and by whom."""
