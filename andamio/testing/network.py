"""No network: a connection that leaves this machine is refused, with what it wanted."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest.mock import patch


class NetworkRefused(ConnectionRefusedError):
    """Code under test wanted to leave this machine."""


@contextmanager
def no_network() -> Iterator[None]:
    """Refuse every connection and every name that is not this machine's; Unix sockets and 127.0.0.1 stay open.

    Raises `NetworkRefused` where one is tried.
    """
    connect, connect_ex, resolve = socket.socket.connect, socket.socket.connect_ex, socket.getaddrinfo

    def connected(self: socket.socket, address: Any) -> None:
        _check(self.family, address)
        connect(self, address)

    def connected_ex(self: socket.socket, address: Any) -> int:
        _check(self.family, address)
        return connect_ex(self, address)

    def resolved(host: Any, *args: Any, **kwargs: Any) -> Any:
        _check(socket.AF_INET, (host, args[0] if args else kwargs.get("port")))
        return resolve(host, *args, **kwargs)

    with ExitStack() as patches:
        patches.enter_context(patch.object(socket.socket, "connect", connected))
        patches.enter_context(patch.object(socket.socket, "connect_ex", connected_ex))
        patches.enter_context(patch.object(socket, "getaddrinfo", resolved))
        yield


def _check(family: int, address: Any) -> None:
    if family not in (socket.AF_INET, socket.AF_INET6):
        return
    host, port = address[0], address[1]
    host = host.decode() if isinstance(host, bytes) else host
    if not host or host == "localhost":
        return
    try:
        inside = ipaddress.ip_address(host).is_loopback
    except ValueError:  # a name
        inside = False
    if not inside:
        raise NetworkRefused(
            f"Tests under local_aws reach no network. Got a connection to {host}:{port}. Answer it in the test "
            "instead: replace the function that makes it (aws.fake_function), or run a server on 127.0.0.1."
        )
