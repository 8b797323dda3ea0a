"""Kubernetes' own rules about requests: verbs, resources, identities, discovery. Pure."""
