"""The text-to-sound task."""
