"""What another policy would have made of a recorded log: the policy as SQL, and the engines that run it over the log.

Modules that import sqlglot or duckdb (the extra ``replay``) are imported only after ``extra.require_replay``.
"""
