"""Free ports on 127.0.0.1."""

from __future__ import annotations

import random
import socket

HOST = "127.0.0.1"

# Below the ephemeral ports of Linux (32768 up) and macOS (49152 up). Binding to port 0 would give
# one of those, and while a server is down between kill and restart, any outgoing connection could
# be given its port; a client that retries can even connect to itself there.
CANDIDATES = range(20_000, 30_000)


def free_port() -> int:
    """Find a port that nobody listens on now; be ready to retry, it may be taken by then.

    Raises:
        OSError: none of a hundred random ports was free.
    """
    for port in random.SystemRandom().sample(CANDIDATES, 100):
        if is_free(port):
            return port
    raise OSError(
        f"no free port among a hundred tried between {CANDIDATES[0]} and {CANDIDATES[-1]}"
    )


def is_free(port: int) -> bool:
    """Whether a server could listen on `port`; lingering closed connections don't count."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True
