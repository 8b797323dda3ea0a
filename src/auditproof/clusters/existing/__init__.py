"""The existing provider: a cluster that another team runs."""
