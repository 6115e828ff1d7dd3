"""The text-to-speech task."""
