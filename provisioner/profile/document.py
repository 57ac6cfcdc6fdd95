"""YAML text to plain data that remembers where everything stood.

The subset of YAML that a profile may use is small on purpose: mappings, lists and scalars of the YAML 1.2 core
schema without floats. So ``country: NO`` is Norway and not false, and a version ``34.10`` keeps its zero.
Anchors, aliases, merge keys and tags are refused: they hide from the reader what is deployed, and they are how a
few lines grow to gigabytes. Events of the parser are read one by one, so depth and size have a limit and not a stack.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import yaml

from provisioner.profile.problem import Problem, ValuePath, dotted

MAX_BYTES = 256 * 1024
MAX_DEPTH = 20
MAX_VALUES = 5000

_INTEGER = re.compile(r"-?(?:0|[1-9][0-9]{0,17})\Z")
_WORDS: dict[str, bool | None] = {"": None, "~": None, "null": None, "true": True, "false": False}
# Characters that let a file show something else than it says (Unicode TR 36): direction controls and invisible ones.
_DECEPTIVE = frozenset("\u061c\u200b\u200c\u200d\u200e\u200f\u2028\u2029\u2060\ufeff") | {
    chr(code) for code in (*range(0x202A, 0x202F), *range(0x2066, 0x206A))
}
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class Position(NamedTuple):
    """A place in the file; line and column count from 1."""

    line: int
    column: int


class Unreadable(Exception):
    """Reading stopped at a problem behind which nothing can be understood."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.message)
        self.problem = problem


@dataclass
class Document:
    """A parsed file: plain data, the place of every key and value, and what is wrong with the text itself."""

    file: str
    data: Any = None
    keys: dict[ValuePath, Position] = field(default_factory=dict)
    values: dict[ValuePath, Position] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    def problem(self, path: ValuePath, message: str, hint: str = "", *, at_key: bool = False) -> Problem:
        """Return a problem at the value (or its key) of ``path``; a missing value is shown at what should hold it."""
        place = (self.keys if at_key else self.values).get(path)
        above = path
        while place is None and above:
            above = above[:-1]
            place = self.keys.get(above) or self.values.get(above)
        line, column = place or Position(1, 1)
        return Problem(self.file, line, column, dotted(path), message, hint)


def parse(file: str, content: bytes) -> Document:
    """Parse the bytes of a profile.

    Args:
        file: Name for the messages.
        content: The file's bytes, at most ``MAX_BYTES``.

    Returns:
        The document; ``document.problems`` holds duplicate keys, aliases, tags and deceptive characters.

    Raises:
        Unreadable: Not UTF-8, binary, empty, not YAML, too deep, too large, or not a mapping.
    """
    text = _decode(file, content)
    return _Composer(file).compose(text)


def _decode(file: str, content: bytes) -> str:
    def stop(message: str, hint: str, place: Position = Position(0, 0)) -> Unreadable:
        return Unreadable(Problem(file, place.line, place.column, "", message, hint))

    if len(content) > MAX_BYTES:
        raise stop(
            f"the file is larger than {MAX_BYTES // 1024} kB, which no profile is",
            "Give the profile.yml of one deployment.",
        )
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise stop("the file is encoded in UTF-16", "Save it as UTF-8.")
    try:
        text = content.decode("utf-8").removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        before = content[: error.start]
        place = Position(before.count(b"\n") + 1, error.start - before.rfind(b"\n"))
        if b"\0" in content:
            raise stop("this is a binary file, not a profile", "Give a YAML text file.") from None
        raise stop(
            f"byte 0x{content[error.start]:02x} is not UTF-8 text", "Save the file as UTF-8.", place
        ) from None
    for offset, character in enumerate(text):
        if character in _DECEPTIVE or (unicodedata.category(character) == "Cc" and character not in "\t\n\r"):
            place = Position(text.count("\n", 0, offset) + 1, offset - text.rfind("\n", 0, offset))
            raise stop(
                f"the file holds {describe(character)}", "Remove the character; type the text anew.", place
            )
    if not text.strip():
        raise stop("the file is empty", "`sovstack init NAME` writes a commented profile to begin with.")
    return text


def describe(character: str) -> str:
    """Return a character as ``U+0430 CYRILLIC SMALL LETTER A``, readable where the character itself is not."""
    names = {"\0": "NULL", "\x1b": "ESCAPE", "\x07": "BELL"}
    return (
        f"U+{ord(character):04X} {unicodedata.name(character, names.get(character, 'a control character'))}"
    )


@dataclass
class _Frame:
    container: dict[str, Any] | list[Any]
    path: ValuePath
    key: str | None = None


class _Composer:
    """Builds a document from parser events with a stack of its own, so that nesting cannot exhaust Python's."""

    def __init__(self, file: str) -> None:
        self.document = Document(file)
        self.stack: list[_Frame] = []
        self.count = 0

    def compose(self, text: str) -> Document:
        try:
            for event in self._events(text):
                self._take(event)
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            raise self._stop(
                f"not valid YAML: {error.problem or error}", mark, _syntax_hint(text, mark)
            ) from None
        except yaml.YAMLError as error:
            raise self._stop(f"not valid YAML: {' '.join(str(error).split())}", None) from None
        if self.document.data is None:
            raise self._stop(
                "the file holds no values", None, "`sovstack init NAME` writes a commented profile."
            )
        if not isinstance(self.document.data, dict):
            raise self._stop(
                "the file must hold keys with values, beginning with `version: 1`",
                None,
                "`sovstack init NAME` writes a commented profile.",
            )
        return self.document

    @staticmethod
    def _events(text: str) -> Iterator[Any]:
        loader = _LOADER(text)
        try:
            while loader.check_event():
                yield loader.get_event()
        finally:
            loader.dispose()

    def _stop(self, message: str, mark: Any, hint: str = "") -> Unreadable:
        line, column = _position(mark) if mark else Position(1, 1)
        return Unreadable(Problem(self.document.file, line, column, "", message, hint))

    def _complain(self, mark: Any, path: ValuePath, message: str, hint: str) -> None:
        line, column = _position(mark)
        self.document.problems.append(Problem(self.document.file, line, column, dotted(path), message, hint))

    def _take(self, event: Any) -> None:
        if isinstance(event, yaml.DocumentStartEvent) and self.count:
            raise self._stop(
                "a second document begins here", event.start_mark, "One file holds one profile: remove `---`."
            )
        if isinstance(event, yaml.CollectionEndEvent):
            self.stack.pop()
        elif isinstance(event, yaml.NodeEvent):
            self._take_node(event)

    def _take_node(self, event: Any) -> None:
        self.count += 1
        if self.count > 2 * MAX_VALUES:
            raise self._stop(f"more than {MAX_VALUES} values, which no profile has", event.start_mark)
        frame = self.stack[-1] if self.stack else None
        if frame and isinstance(frame.container, dict) and frame.key is None:
            self._take_key(frame, event)
            return
        path = _path_in(frame)
        self._refuse_indirection(event, path)
        value: Any = None
        if isinstance(event, yaml.ScalarEvent):
            value = self._scalar(event, path)
        elif isinstance(event, yaml.CollectionStartEvent):
            if len(self.stack) >= MAX_DEPTH:
                raise self._stop(f"nested more than {MAX_DEPTH} levels deep", event.start_mark)
            value = {} if isinstance(event, yaml.MappingStartEvent) else []
        self._store(frame, path, value, event.start_mark)
        if isinstance(value, dict | list):
            self.stack.append(_Frame(value, path))

    def _take_key(self, frame: _Frame, event: Any) -> None:
        if not isinstance(event, yaml.ScalarEvent):
            raise self._stop("a key must be a word, not a list, a mapping or an alias", event.start_mark)
        path = (*frame.path, event.value)
        self._refuse_indirection(event, path)
        self._refuse_deception(event, path)
        if event.value == "<<":
            self._complain(
                event.start_mark, path, "merge keys are not used in profiles", "Write the values out."
            )
        if first := self.document.keys.get(path):
            self._complain(
                event.start_mark,
                path,
                f"the key stands here a second time; first in line {first.line}",
                "Keep one.",
            )
        else:
            self.document.keys[path] = _position(event.start_mark)
        frame.key = event.value

    def _store(self, frame: _Frame | None, path: ValuePath, value: Any, mark: Any) -> None:
        self.document.values[path] = _position(mark)
        if frame is None:
            self.document.data = value
        elif isinstance(frame.container, list):
            frame.container.append(value)
        elif frame.key is not None:
            frame.container[frame.key] = value
            frame.key = None

    def _scalar(self, event: Any, path: ValuePath) -> str | int | bool | None:
        self._refuse_deception(event, path)
        text: str = event.value
        if event.style is not None and event.style != "":
            return text
        if text in _WORDS:
            return _WORDS[text]
        return int(text) if _INTEGER.match(text) else text

    def _refuse_indirection(self, event: Any, path: ValuePath) -> None:
        if isinstance(event, yaml.AliasEvent) or event.anchor is not None:
            sign = "*" if isinstance(event, yaml.AliasEvent) else "&"
            self._complain(
                event.start_mark, path, f"aliases and anchors ({sign}{event.anchor}) are not used in profiles",
                "Write the value out.",
            )  # fmt: skip
        elif getattr(event, "tag", None) not in (None, "!"):
            self._complain(
                event.start_mark, path, f"tags ({event.tag}) are not used in profiles",
                "Remove the tag; put a text that looks like a number or true/false in quotes.",
            )  # fmt: skip

    def _refuse_deception(self, event: Any, path: ValuePath) -> None:
        for character in event.value:
            if character in _DECEPTIVE or (
                unicodedata.category(character) in {"Cc", "Cs"} and character != "\n"
            ):
                self._complain(
                    event.start_mark,
                    path,
                    f"holds {describe(character)}",
                    "Remove the character; type the text anew.",
                )
                return


def _position(mark: Any) -> Position:
    return Position(mark.line + 1, mark.column + 1)


def _path_in(frame: _Frame | None) -> ValuePath:
    if frame is None:
        return ()
    return (*frame.path, len(frame.container) if isinstance(frame.container, list) else frame.key or "")


def _syntax_hint(text: str, mark: Any) -> str:
    lines = text.splitlines()
    line = lines[mark.line] if mark and mark.line < len(lines) else ""
    if line[: len(line) - len(line.lstrip())].count("\t"):
        return "The line is indented with a tab; use spaces."
    return "Look at this line and the one before it: indentation, a missing colon or space, an open quote or bracket."
