"""What Linux offers to confine a process with, straight from the kernel: no privilege and no library is needed.

One file per offer. Nothing here decides what is confined how; nothing here imports anything but the standard
library, because the keeper runs without the rest.
"""
