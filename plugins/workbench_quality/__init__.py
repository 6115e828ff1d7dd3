"""How good audio sounds, beside its truth or by itself."""
