"""One job works and publishes nothing, another one publishes: the signed bundle between the two.

Whoever reads a bundle takes it for a stranger's. The signature says that the harness of the first job wrote it; what it
asks for is judged again all the same.
"""
