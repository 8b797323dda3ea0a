"""Audit logs: read line by line, with every byte accounted for, and the counters of the server that wrote them."""
