"""The public face of the workbench."""
