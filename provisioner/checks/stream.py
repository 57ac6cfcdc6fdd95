"""Several streams of checks at once, each in a thread of its own, merged in order of arrival."""

from __future__ import annotations

import threading
from collections.abc import Generator, Iterator
from queue import Queue

from provisioner.checks.result import Check


class _Ended:
    """What a stream's thread leaves on the queue when it is done."""

    def __init__(self, error: BaseException | None) -> None:
        self.error = error


def concurrently(*streams: Iterator[Check]) -> Generator[Check, None, None]:
    """Yield what all ``streams`` yield, as it comes; close them when the caller stops listening.

    Raises:
        BaseException: The first error that one of the streams raised; the others are closed first.
    """
    queue: Queue[Check | _Ended] = Queue()
    stopped = threading.Event()

    def drain(stream: Iterator[Check]) -> None:
        error: BaseException | None = None
        try:
            for check in stream:
                if stopped.is_set():
                    break
                queue.put(check)
        except BaseException as raised:  # noqa: BLE001  handed to the caller's thread below
            error = raised
        finally:
            if isinstance(stream, Generator):
                stream.close()
            queue.put(_Ended(error))

    threads = [threading.Thread(target=drain, args=(stream,), daemon=True) for stream in streams]
    for thread in threads:
        thread.start()
    running = len(threads)
    try:
        while running:
            item = queue.get()
            if isinstance(item, Check):
                yield item
                continue
            running -= 1
            if item.error is not None:
                raise item.error
    finally:
        stopped.set()
