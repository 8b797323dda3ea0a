"""Keys, certificates and tokens of a run."""
