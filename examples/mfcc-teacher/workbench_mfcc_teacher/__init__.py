"""Mel cepstra as a codec's teacher."""
