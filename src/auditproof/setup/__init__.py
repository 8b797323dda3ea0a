"""What the cluster admin prepares before cases run: objects, RBAC rights, credentials."""
