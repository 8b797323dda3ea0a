"""What auditproof costs, as ratios within one run: ``make bench``.

Machines differ, and so does one machine from hour to hour. So every figure is a ratio of CPU time, user and system, to
something familiar that is measured in turn with it: a bare loop of requests, ``json.loads``, ``python -c pass``.
``recorded.json`` has the ratios of this repository; docs/performance.md explains them.
"""
