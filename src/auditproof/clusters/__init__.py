"""Where the proof runs: providers start clusters; a Cluster is a running API server with one policy."""
