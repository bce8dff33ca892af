"""A process of the same user without any rights beyond that looks into another one, as a command of a model could."""

from __future__ import annotations

import subprocess
import sys

# Root's rights would get past everything, and keep out whoever has fewer; the user stays the same. linux/capability.h,
# version 3: two words for each set.
RIGHTLESS = """
import ctypes, sys
if ctypes.CDLL(None).capset((ctypes.c_uint32 * 2)(0x20080522, 0), (ctypes.c_uint32 * 6)()) != 0:
    sys.exit("the rights could not be given up")
"""
_LOOK = (
    f"""{RIGHTLESS}
import os
"""
    """
pid, what = sys.argv[1:]
try:
    if what == "fd":
        found = "\\n".join(os.readlink(f"/proc/{pid}/fd/{name}") for name in os.listdir(f"/proc/{pid}/fd")).encode()
    elif what == "mem":
        found = b""
        with open(f"/proc/{pid}/maps") as maps, open(f"/proc/{pid}/mem", "rb", 0) as memory:
            for line in maps:
                words = line.split()
                start, end = (int(word, 16) for word in words[0].split("-"))
                if words[-1] in ("[heap]", "[stack]"):
                    memory.seek(start)
                    found += memory.read(end - start)
    else:
        with open(f"/proc/{pid}/{what}", "rb") as file:
            found = file.read()
except PermissionError:
    sys.exit(13)
sys.stdout.buffer.write(found)
"""
)


def look(pid: int, what: str) -> bytes | None:
    """What the file `what` of `/proc/PID` holds, of `fd` the targets, of `mem` heap and stack; None: it is refused.

    A process that is to be looked into has to run `RIGHTLESS` first, where the tests run as root."""
    done = subprocess.run(
        [sys.executable, "-I", "-c", _LOOK, str(pid), what], capture_output=True, check=False
    )
    if done.returncode == 13:  # EACCES
        return None
    assert done.returncode == 0, done.stderr
    return done.stdout
