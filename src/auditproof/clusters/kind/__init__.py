"""The kind provider: real nodes in containers."""
