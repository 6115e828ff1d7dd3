"""Brightness of audio, compared with the truth's."""
