"""Audio files, signals and prepared data sets."""
