"""Codecs rearranged for speed; :func:`workbench.codec.inference.build.for_inference` makes them."""
