"""A gauntlet: the prover on real servers, with everything between the two misbehaving at random, out of a seed.

A log reader, an HTTPS proxy, the way to a kubelet, an etcd, an API server and a pytest session misbehave; so may two at
once, while other people use the server. What really happened is known from the server's own whole log and from what
the proxy has really forwarded (``truth``). A verdict is wrong where it says PROVEN and that is not so, or VIOLATED
where the server did what case and policy say. UNPROVEN is never wrong, but where nothing misbehaves it is useless.

    python -m tests.gauntlet --runs 2000 --seed 1        # or: make gauntlet RUNS=2000 SEED=1
    python -m tests.gauntlet --seed 1 --only 42          # the 42nd run once more

Which fault comes with which action follows from the seed. The order in which events of several connections come, and
what of the noise falls into a run, does not: a run is had again with the same faults, not with the same microseconds.

Out of reach, and counted apart, because nothing that a client can see differs:

- a proxy that answers in the server's name, with the request's own Audit-Id, while others (the server itself is one)
  make requests that the policy excludes, or that have no event yet when the counters are read: those make up for the
  one that the server never counted;
- a proxy that puts another request in the place of one, where the policy excludes both: no event tells which it was;
- a log reader that moves the only event of a long-running request from one stage of the response to the other: a
  server whose policy omits the first of them writes the same;
- a proxy that changes the status of the answer to an excluded request, where the case states that status: no event
  tells the server's own.

Left out, for the same reason: a proxy that changes what /metrics says (that it keeps it back, or serves what it said
before, is in), and one that does so while the log lies, too. Whoever controls the log, the counters and the answers
can make up a server.
"""
