"""Cases: *as X, do Y, expect Z*, loaded from ``*.audit.yaml``. Pure."""
