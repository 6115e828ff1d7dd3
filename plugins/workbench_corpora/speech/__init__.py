"""Synthesised speech: words and sentences, speakers, and the rooms they are recorded in."""
