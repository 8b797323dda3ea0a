"""What a run creates on this machine, and how it is removed: run directory, ledger, reaper."""
