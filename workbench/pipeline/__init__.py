"""A recipe's stages, their store and reports."""
