"""Transformers' EnCodec behind the workbench's codec protocol."""
