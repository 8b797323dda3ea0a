"""A gauntlet for the prover."""
