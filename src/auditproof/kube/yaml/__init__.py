"""YAML and JSON read by the rules of Kubernetes, each value with its position. Pure."""
