"""HOCON, as far as Jitsi's own configuration files use it: objects, lists, quoted and bare values, comments.

Whatever else HOCON has (includes, substitutions, triple quotes, joining of values) is refused, not guessed.
"""

from __future__ import annotations

import json
import re
from typing import Any

_SKIP = re.compile(r"(?:[\s,]|#[^\n]*|//[^\n]*)*")
_BLANKS = re.compile(r"[ \t]*")
_STRING = re.compile(r'"(?:[^"\\\n]|\\.)*"')
_KEY = re.compile(r"[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*")
# A bare value ends with its line, at a comma, or where something closes; two slashes begin a comment. HOCON wants
# quotes around the other characters.
_PLAIN = r"[^\s,\[\]{}#\"$:=+`^?!@*&\\]"
_BARE = re.compile(rf"(?:(?!//){_PLAIN}|[ \t]+(?!//)(?={_PLAIN}))+")
_NUMBER = re.compile(r"-?(?:0|[1-9]\d*)(?:\.\d+)?")


class HoconError(Exception):
    """The text is no HOCON, or HOCON of a kind that is not read here."""


class _Reader:
    def __init__(self, text: str) -> None:
        self.text = text
        self.position = 0

    def match(self, pattern: re.Pattern[str]) -> str | None:
        """Return what the pattern finds here, and step over it."""
        found = pattern.match(self.text, self.position)
        if found is None:
            return None
        self.position = found.end()
        return found.group()

    def take(self, character: str) -> bool:
        """Whether this character comes next; it is stepped over."""
        self.match(_SKIP)
        present = self.text.startswith(character, self.position)
        self.position += len(character) if present else 0
        return present

    def wrong(self, expected: str) -> HoconError:
        """Return the error that says where reading stopped."""
        line = self.text.count("\n", 0, self.position) + 1
        rest = self.text[self.position : self.position + 20]
        return HoconError(f"line {line}: expected {expected} at {rest!r}")

    def key(self) -> list[str]:
        """Read the path of one setting."""
        if (quoted := self.match(_STRING)) is not None:
            return [str(json.loads(quoted))]
        if (name := self.match(_KEY)) is not None:
            return name.split(".")
        raise self.wrong("a name")

    def members(self, end: str) -> dict[str, Any]:
        """Read settings up to the end of their object, or of the text."""
        result: dict[str, Any] = {}
        while not (self.take(end) if end else self.finished()):
            *parents, name = self.key()
            self.match(_BLANKS)
            value = self.value() if self.take("=") or self.take(":") else self.object()
            target = result
            for parent in parents:
                target = target.setdefault(parent, {})
            if isinstance(value, dict) and isinstance(target.get(name), dict):
                merge(target[name], value)
            elif name in target:
                raise self.wrong(f"no second value of {name}")
            else:
                target[name] = value
        return result

    def finished(self) -> bool:
        """Whether nothing but blanks and comments is left."""
        self.match(_SKIP)
        return self.position == len(self.text)

    def object(self) -> dict[str, Any]:
        """Read an object."""
        if not self.take("{"):
            raise self.wrong("'=' or '{'")
        return self.members("}")

    def value(self) -> Any:
        """Read whatever stands after the equals sign."""
        if self.take("{"):
            return self.members("}")
        if self.take("["):
            items = []
            while not self.take("]"):
                items.append(self.value())
            return items
        if (quoted := self.match(_STRING)) is not None:
            return json.loads(quoted)
        bare = (self.match(_BARE) or "").strip()
        if not bare:
            raise self.wrong("a value")
        if bare in ("true", "false", "null"):
            return json.loads(bare)
        return json.loads(bare) if _NUMBER.fullmatch(bare) else bare


def merge(target: dict[str, Any], other: dict[str, Any]) -> None:
    """Put the settings of one object into another, the deeper ones one by one."""
    for name, value in other.items():
        if isinstance(value, dict) and isinstance(target.get(name), dict):
            merge(target[name], value)
        else:
            target[name] = value


def parse(text: str) -> dict[str, Any]:
    """Read a configuration.

    Raises:
        HoconError: It is malformed, says one thing twice, or uses more of HOCON than is read here.
    """
    reader = _Reader(text)
    if reader.take("{"):
        result = reader.members("}")
        if not reader.finished():
            raise reader.wrong("the end")
        return result
    return reader.members("")
