"""A limit of memory that the system keeps, as a hub or a container sets it for each learner.

What a process has for itself counts, and also what it has read of TensorFlow's own files; these
the system may drop and read again. Who wants more than that is killed.
"""

import os
import sysconfig
from pathlib import Path

GROUPS = Path("/sys/fs/cgroup")
# Of control groups, version 1 and 2: their folder, the limit, and the one with swap or of swap.
VERSIONS = (
    ("memory/lesson", "memory.limit_in_bytes", "memory.memsw.limit_in_bytes"),
    ("lesson", "memory.max", "memory.swap.max"),
)


def limit(process, most):
    """Let a process have `most` bytes of memory, no swap; return whether this machine lets us."""
    for folder, memory, swap in VERSIONS:
        group = GROUPS / folder
        try:
            group.mkdir(exist_ok=True)
            (group / memory).write_text(str(most))
            if (group / swap).exists():
                (group / swap).write_text(str(most if "memsw" in swap else 0))
            (group / "cgroup.procs").write_text(str(process))
        except OSError:  # not Linux, not root, or another version
            continue
        return True
    return False


def lift():
    """Take the limit off this machine again, once the process that had it is gone."""
    for folder, _, _ in VERSIONS:
        if (GROUPS / folder).exists():
            (GROUPS / folder).rmdir()


def forget_libraries():
    """Drop the installed libraries from the page cache, so that the next process pays for them."""
    for path in Path(sysconfig.get_path("platlib")).rglob("*.so*"):
        with path.open("rb") as file:
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
