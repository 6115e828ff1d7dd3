"""The music continuation task."""
