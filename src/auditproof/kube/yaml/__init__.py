"""Reads YAML and JSON by the rules of Kubernetes, each value with its position. Pure."""
