"""Secrets never leave in what a run says: every known value is masked, in each form it may have taken."""

from __future__ import annotations

import base64
import dataclasses
import html
import json
import re
import shlex
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import quote, quote_plus

MASK = "***"

# A line of a key or certificate shorter than this says nothing, and "-----" would mask half a log.
_SHORTEST_LINE = 16
# Below this many characters a "secret" is a common word, and masking it would garble the log.
_SHORTEST_SECRET = 6
# What base64 of a neighbour leaves of a very short value would match by chance.
_SHORTEST_BASE64 = 8


if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Record = TypeVar("Record", bound="DataclassInstance")


class Redactor:
    """Mask a fixed set of secret values in strings and in nested data."""

    def __init__(self, values: Iterable[str]) -> None:
        """Take the secrets as they are; empty and very short ones are ignored."""
        forms = {form for value in values for part in _parts(value) for form in _forms(part)}
        longest_first = sorted(forms, key=lambda form: (-len(form), form))
        self._pattern = re.compile("|".join(map(re.escape, longest_first))) if forms else None

    def text(self, text: str) -> str:
        """Return the text with every form of every secret replaced by ``***``."""
        return self._pattern.sub(MASK, text) if self._pattern else text

    def data(self, data: Any) -> Any:  # noqa: ANN401  JSON-like data has no narrower type
        """Return a copy of mappings, sequences and dataclasses, nested, with every string in it masked."""
        if self._pattern is None:
            return data
        if isinstance(data, str):
            masked = self.text(data)
            return data if masked == data else masked  # an enumeration stays one
        if isinstance(data, dict):
            return {self.data(key): self.data(value) for key, value in data.items()}
        if isinstance(data, list):
            return [self.data(item) for item in data]
        if isinstance(data, tuple):
            return tuple(self.data(item) for item in data)
        if dataclasses.is_dataclass(data) and not isinstance(data, type):
            return self.record(data)
        return data

    def record(self, record: Record) -> Record:
        """Return a dataclass instance, such as an event, with every string in it masked."""
        values = {item.name: getattr(record, item.name) for item in dataclasses.fields(record)}
        masked = {name: self.data(value) for name, value in values.items()}
        changed = {name: value for name, value in masked.items() if value != values[name]}
        return dataclasses.replace(record, **changed) if changed else record


def _parts(secret: str) -> Iterator[str]:
    """Yield the secret, and the lines of one that has several: templates indent them."""
    value = secret.strip()
    if len(value) >= _SHORTEST_SECRET:
        yield value
    lines = value.splitlines()
    if len(lines) > 1:
        for line in lines:
            if len(line.strip()) >= _SHORTEST_LINE and "-----" not in line:
                yield line.strip()


def _forms(value: str) -> Iterator[str]:
    yield value
    for escaped in (json.dumps(value), json.dumps(value, ensure_ascii=False), repr(value)):
        yield escaped[1:-1]
    yield value.replace("\\", "\\\\").replace("'", "\\'")  # in single quotes of PHP
    # A JSON document inside a JSON document, as in the result of a task that prints one.
    yield json.dumps(json.dumps(value)[1:-1])[1:-1]
    yield quote(value, safe="")
    yield quote(value)
    yield quote_plus(value)
    yield html.escape(value)
    yield shlex.quote(value)
    yield from _base64_forms(value.encode())


def _base64_forms(value: bytes) -> Iterator[str]:
    """Yield what base64 makes of the value wherever it stands in a longer text.

    Three bytes give four characters, so there are three alignments; the characters at both ends that
    also depend on the neighbours are left away.
    """
    if len(value) < _SHORTEST_BASE64:
        return
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        yield encode(value).decode().rstrip("=")
        for before in range(3):
            encoded = encode(b"\0" * before + value).decode().rstrip("=")
            first = -(-before * 8 // 6)
            last = (before + len(value)) * 8 // 6
            yield encoded[first:last]
