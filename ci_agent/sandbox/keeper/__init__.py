"""The keeper: a small process beside the harness that starts commands, confines them and clears up behind them.

The harness holds the keys, and threads. A command is better started by a process that has neither: nothing of the
harness is in the copy that a fork makes. The keeper has no key in its environment or memory, no capabilities, and is
the foster parent of every process that a command leaves behind, so none gets away.

It is a program of its own (`main.py`), run by Python without site-packages: nothing here imports anything but the
standard library and `ci_agent.sandbox.kernel`.
"""
