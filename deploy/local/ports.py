"""Ports on the loopback interface: the preferred one, a free one, and who has a taken one."""

import random
import socket
from collections.abc import Container

# Below the range systems hand out to outgoing connections, so that a port found free stays free until it is bound.
FREE_RANGE = (20_000, 32_000)


def is_free(port: int) -> bool:
    """Whether this process could listen on it now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return not answers(port)


def answers(port: int) -> bool:
    """Whether somebody accepts connections there, on whichever address they bound."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.settimeout(0.5)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def pick(preferred: int | None, taken: Container[int]) -> int:
    """The preferred port if it is free, else some free one that is not in `taken`."""
    if preferred is not None and preferred not in taken and is_free(preferred):
        return preferred
    for _ in range(200):
        port = random.randrange(*FREE_RANGE)
        if port not in taken and is_free(port):
            return port
    raise OSError("no free port on the loopback interface")


def owner_of(port: int) -> str:
    """Name and pid of the process that listens there, as far as this user may know."""
    import psutil

    try:
        found = [
            c.pid for c in psutil.net_connections("tcp") if c.laddr and c.laddr.port == port and c.status == "LISTEN"
        ]
    except psutil.AccessDenied:
        found = []
    for pid in found:
        if pid is None:
            continue
        try:
            return f"{psutil.Process(pid).name()} (pid {pid})"
        except psutil.Error:
            return f"pid {pid}"
    return "다른 프로그램 another program"
