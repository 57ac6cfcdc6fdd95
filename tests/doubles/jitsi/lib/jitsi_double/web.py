"""The little web server in which Jitsi's programs say how they are."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

# Status, media type and text of an answer, by the path that was asked for.
Pages = dict[str, Callable[[], tuple[int, str, str]]]


async def serve(host: str, port: int, pages: Pages) -> asyncio.Server:
    """Answer GET requests for the pages."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 10)
            method, path, _ = head.decode("latin-1").split("\r\n")[0].split(" ", 2)
            page = pages.get(path.split("?")[0])
            if page is None:
                status, kind, text = 404, "text/plain", "Not Found"
            elif method != "GET":
                status, kind, text = 405, "text/plain", "Method Not Allowed"
            else:
                status, kind, text = page()
            body = text.encode()
            writer.write(
                f"HTTP/1.1 {status} {'OK' if status == 200 else 'Error'}\r\nContent-Type: {kind}\r\n"
                f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode()
                + body
            )
            await writer.drain()
        except (OSError, ValueError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass
        finally:
            writer.close()

    return await asyncio.start_server(answer, host, port)


def metrics(namespace: str, values: dict[str, float]) -> tuple[int, str, str]:
    """Return numbers the way Prometheus reads them."""
    lines = [
        f"# TYPE {namespace}_{name} gauge\n{namespace}_{name} {value}\n" for name, value in values.items()
    ]
    return 200, "text/plain; version=0.0.4", "".join(lines)
