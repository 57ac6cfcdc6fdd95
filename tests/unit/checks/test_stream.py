from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace

import pytest

from provisioner.checks import concurrently
from provisioner.checks.result import Check, Grade, Verdict

CHECK = Check("A", "t", "main", Grade.DECLARED, Verdict.PASS, "r")


def _stream(*ids: str) -> Iterator[Check]:
    yield from (replace(CHECK, id=name) for name in ids)


def test_yields_everything_of_every_stream() -> None:
    assert sorted(check.id for check in concurrently(_stream("a", "b"), _stream(), _stream("c"))) == [
        "a",
        "b",
        "c",
    ]


def test_streams_run_at_the_same_time() -> None:
    both = threading.Barrier(2, timeout=5)

    def waiting(name: str) -> Iterator[Check]:
        both.wait()
        yield replace(CHECK, id=name)

    assert len(list(concurrently(waiting("a"), waiting("b")))) == 2


def test_error_of_a_stream_reaches_the_caller() -> None:
    def broken() -> Iterator[Check]:
        yield CHECK
        raise RuntimeError("gone")

    with pytest.raises(RuntimeError, match="gone"):
        list(concurrently(_stream("a"), broken()))


def test_closing_ends_streams_that_are_waiting() -> None:
    class Waiting(Iterator[Check]):
        def __init__(self) -> None:
            self.closed = threading.Event()

        def __next__(self) -> Check:
            assert self.closed.wait(5)
            raise StopIteration

        def close(self) -> None:
            self.closed.set()

    waiting, inner = Waiting(), Waiting()
    stream = concurrently(waiting, concurrently(inner))
    stream.close()
    assert list(stream) == []
    assert waiting.closed.is_set()
    assert inner.closed.is_set()


def test_generator_is_closed_in_its_own_thread() -> None:
    closed, go_on = threading.Event(), threading.Event()

    def endless() -> Iterator[Check]:
        try:
            while True:
                yield CHECK
                go_on.wait(5)
        finally:
            closed.set()

    stream = concurrently(endless())
    next(stream)
    stream.close()
    go_on.set()
    assert closed.wait(5)
