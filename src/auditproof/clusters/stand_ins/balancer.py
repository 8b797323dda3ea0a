"""Several API servers behind one address: every TCP connection goes to the next one, and stays there.

Standard library only: it is run as a script of its own (``balancer.py PORT TARGET...``, ports of loopback), so that it
can be killed as any load balancer is. It does not look into a connection; TLS ends at the server.
"""

from __future__ import annotations

import asyncio
import sys
from contextlib import suppress
from itertools import cycle

ADDRESS = "127.0.0.1"
BLOCK = 65536


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Pass on what comes until it ends; an end is passed on, too."""
    with suppress(OSError):
        while data := await reader.read(BLOCK):
            writer.write(data)
            await writer.drain()
        # Half closed: a response may still come in the other direction.
        if writer.can_write_eof():
            writer.write_eof()


async def serve(port: int, targets: list[int]) -> None:
    """Serve until killed. Raises OSError where the port cannot be had."""
    # Connections go to the servers in turn, as with a balancer that knows nothing of requests.
    following = cycle(targets)

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            with suppress(OSError):
                to_reader, to_writer = await asyncio.open_connection(ADDRESS, next(following))
                await asyncio.gather(_pass_on(reader, to_writer), _pass_on(to_reader, writer))
                to_writer.close()
        finally:
            writer.close()

    server = await asyncio.start_server(connected, ADDRESS, port, reuse_port=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]), [int(target) for target in sys.argv[2:]]))
