"""Several streams of checks at once, each in a thread of its own, merged in order of arrival."""

from __future__ import annotations

import threading
from collections.abc import Generator, Iterable, Iterator
from queue import Queue
from typing import Protocol, runtime_checkable

from provisioner.checks.result import Check

_TIDY_SECONDS = 5.0


@runtime_checkable
class Closable(Protocol):
    """A stream that another thread may end while it is being read."""

    def close(self) -> None:
        """End the stream soon; whoever reads it sees its end."""


class _Ended:
    """What a stream's thread leaves on the queue when it is done."""

    def __init__(self, error: BaseException | None) -> None:
        self.error = error


class Merged(Iterator[Check]):
    """The checks of several streams, as they come. Closing it ends all of them; so does an error of one."""

    def __init__(self, streams: Iterable[Iterator[Check]]) -> None:
        """Start to read every stream."""
        self._queue: Queue[Check | _Ended] = Queue()
        self._closed = threading.Event()
        self._readers = {
            threading.Thread(target=self._drain, args=(stream,), daemon=True): stream for stream in streams
        }
        self._running = len(self._readers)
        for thread in self._readers:
            thread.start()

    def __next__(self) -> Check:
        """Return the next check of any stream.

        Raises:
            BaseException: The first error that one of the streams raised; the others are closed before.
        """
        while self._running:
            item = self._queue.get()
            if isinstance(item, Check):
                return item
            self._running -= 1
            if item.error is not None and not self._closed.is_set():
                self.close()
                raise item.error
        raise StopIteration

    def close(self) -> None:
        """End all streams and wait until they have tidied up; safe to call more than once."""
        self._closed.set()
        # A generator that runs in its thread can only be closed there, at its next check: nobody waits for it.
        closable = {
            thread: stream
            for thread, stream in self._readers.items()
            if isinstance(stream, Closable) and not isinstance(stream, Generator)
        }
        for stream in closable.values():
            stream.close()
        for thread in closable:
            thread.join(_TIDY_SECONDS)

    def _drain(self, stream: Iterator[Check]) -> None:
        error: BaseException | None = None
        try:
            for check in stream:
                if self._closed.is_set():
                    break
                self._queue.put(check)
        except BaseException as raised:  # noqa: BLE001  handed to the reader's thread
            error = raised
        finally:
            if isinstance(stream, Generator):
                stream.close()
            self._queue.put(_Ended(error))


def concurrently(*streams: Iterator[Check]) -> Merged:
    """Return what all ``streams`` yield, as it comes."""
    return Merged(streams)
