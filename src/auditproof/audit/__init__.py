"""audit.k8s.io/v1: policies, decisions about requests, and events. Pure."""
