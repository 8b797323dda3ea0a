"""Processes that stand in for what an embedded cluster lacks: node, webhooks, token issuer, event receiver."""
