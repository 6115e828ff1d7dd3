"""Metrics of generated audio."""
