"""Spectra in a semantic encoder's place: the teacher that has learnt nothing."""
