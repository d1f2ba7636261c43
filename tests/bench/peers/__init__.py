"""Other systems that do the engine's work on the same topics, each in a process of its own: `python -m tests.bench.peers.NAME`.

They do less: no consent, no watches, no event time, no hysteresis, no urgency epochs; their alerts are a third of ours in size.
"""
