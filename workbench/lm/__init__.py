"""Language models on codes."""
