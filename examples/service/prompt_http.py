"""uvicorn's HTTP protocol with TCP_NODELAY, for more than one worker.

uvicorn writes the head of an answer and its body one after the other. Without TCP_NODELAY the kernel holds the
body back until the client has acknowledged the head, which clients delay by 40 ms. asyncio sets it where it made the
listening socket itself; the one that uvicorn makes for several workers does not get it.
"""

from __future__ import annotations

import asyncio
import socket

from uvicorn.protocols.http.h11_impl import H11Protocol


class PromptProtocol(H11Protocol):
    """For `uvicorn --http prompt_http:PromptProtocol`."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Sets TCP_NODELAY where the connection is TCP (not a Unix socket's)."""
        connection = transport.get_extra_info("socket")
        if connection is not None and connection.family in (socket.AF_INET, socket.AF_INET6):
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        super().connection_made(transport)
