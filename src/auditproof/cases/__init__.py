"""Cases: sentences of the form *as X, do Y, expect Z*, read from ``*.audit.yaml``. Pure."""
