"""Become another program that dies with the process that started it.

Run as a script: `python leash.py <parent pid> <program> <argument>…`. It asks the kernel to kill
this process when its parent ends, then replaces itself by the program, which keeps the request and
the process id. A script of its own instead of `preexec_fn`, which may deadlock in a process that
has threads, and Kafka clients bring many.

Linux only; elsewhere the program simply runs.
"""

from __future__ import annotations

import os
import signal
import sys

PR_SET_PDEATHSIG = 1  # <linux/prctl.h>


def die_with_parent(parent: int) -> None:
    """Ask for SIGKILL when the thread that started this process ends; prctl(2).

    Raises:
        ProcessLookupError: `parent` had already ended when the request was made.
    """
    import ctypes  # noqa: PLC0415 - costs 10 ms, and only Linux needs it

    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        raise ProcessLookupError(parent)


def main() -> None:
    """Put on the leash, then become the program."""
    parent, program = int(sys.argv[1]), sys.argv[2:]
    if sys.platform == "linux":
        die_with_parent(parent)
    os.execv(program[0], program)  # noqa: S606 - becoming the program is the purpose


if __name__ == "__main__":
    main()
