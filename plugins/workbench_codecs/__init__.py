"""X-Codec and baseline codecs."""
