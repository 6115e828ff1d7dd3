"""Scores with intervals and provenance."""
