"""A job: everything around a session. It chooses the parts, decides whether there is work, and says how it ended.

`local` is the job of `ci-agent run`, on this machine; `pipeline` the one of `ci-agent job`, in a CI.
"""
