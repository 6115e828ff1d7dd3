"""Tells which sound events are audible: taggers, and what is asked of them."""
