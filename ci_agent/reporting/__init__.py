"""What people see of a session: one file per thing, each computed from the events alone.

Nothing here reads the clock, the repository or a platform. The observers that deliver a report get what they
need handed in.
"""
