"""Evaluation of anything that lies in files: runs, codecs' round trips, folders of audio."""
