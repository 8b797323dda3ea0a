"""What this machine has and lacks for a run: found out without starting, downloading or changing anything."""
