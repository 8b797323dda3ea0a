"""What can be known of a policy without a server: the space of requests, lint, diff, coverage, requirements. Pure."""
