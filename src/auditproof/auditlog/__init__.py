"""Reads audit logs line by line, accounting for every byte, and parses the server's audit counters."""
