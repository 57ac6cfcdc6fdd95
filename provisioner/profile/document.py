"""YAML text to plain data that remembers where everything stood.

The subset of YAML that a profile may use is small on purpose: mappings, lists and scalars of the YAML 1.2
core schema without floats. So ``country: NO`` is Norway and not false, and a version ``34.10`` keeps its
zero. Anchors, aliases, merge keys and tags are refused: they hide from the reader what is deployed, and they
are how a few lines grow to gigabytes. The parser's events are read one by one, so that depth and size have a
limit and nothing recurses.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

import yaml

from provisioner.profile.characters import describe, is_deceptive
from provisioner.profile.finding import Finding
from provisioner.profile.problem import Problem, ValuePath, dotted

MAX_BYTES = 256 * 1024
MAX_DEPTH = 20
MAX_KEY = 200
MAX_NODES = 10_000  # keys and values together

_INTEGER = re.compile(r"-?(?:0|[1-9][0-9]{0,17})\Z")
_WORDS: dict[str, bool | None] = {"": None, "~": None, "null": None, "true": True, "false": False}
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_BEGIN_HINT = "`sovstack init NAME` writes a commented profile to begin with."
_RETYPE_HINT = "Remove the character; type the text anew."


class _Mark(Protocol):
    """A place in the text as libyaml and PyYAML give it; line and column count from 0."""

    line: int
    column: int


class Position(NamedTuple):
    """A place in the file; line and column count from 1."""

    line: int
    column: int


class UnreadableDocument(Exception):
    """Reading stopped at a problem behind which nothing can be understood."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.message)
        self.problem = problem


@dataclass
class Document:
    """A parsed file: plain data, the place of every key and value, and what is wrong with the text itself.

    Attributes:
        file: Name for the messages.
        data: What the file holds, in dict, list, str, int, bool and None.
        keys: Where each key stands, by the path of its value.
        values: Where each value begins.
        problems: Duplicate keys, aliases, anchors, merge keys, tags and deceptive characters.
        refused: The values that ``problems`` are about, so that nobody complains of them twice.
    """

    file: str
    data: Any = None
    keys: dict[ValuePath, Position] = field(default_factory=dict)
    values: dict[ValuePath, Position] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    refused: set[ValuePath] = field(default_factory=set)

    def locate(self, finding: Finding) -> Problem:
        """Return a finding with its place; a value that is not there is shown at what should hold it."""
        path = finding.path
        place = None if finding.at_key else self.values.get(path)
        while place is None and path:
            place = self.keys.get(path) or self.values.get(path)
            path = path[:-1]
        line, column = place or Position(1, 1)
        subject = dotted(finding.path)
        return Problem(
            self.file, line, column, subject, finding.message, finding.hint, severity=finding.severity
        )


def parse(file: str, content: bytes) -> Document:
    """Parse the bytes of a profile.

    Args:
        file: Name for the messages.
        content: The file's bytes; more than ``MAX_BYTES`` are refused.

    Raises:
        UnreadableDocument: Not UTF-8, binary, empty, not YAML, too deep, too large, or not a mapping.
    """
    return _Composer(file).compose(_decode(file, content))


def _stop(file: str, message: str, hint: str = "", place: Position | None = None) -> UnreadableDocument:
    line, column = place or Position(0, 0)
    return UnreadableDocument(Problem(file, line, column, "", message, hint))


def _decode(file: str, content: bytes) -> str:
    if len(content) > MAX_BYTES:
        limit = f"the file is larger than {MAX_BYTES // 1024} kB, which no profile is"
        raise _stop(file, limit, "Give the profile.yml of one deployment.")
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise _stop(file, "the file is encoded in UTF-16", "Save it as UTF-8.")
    if b"\0" in content:
        raise _stop(file, "this is a binary file, not a profile", "Give a YAML text file.")
    try:
        text = content.decode("utf-8").removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        place = Position(
            content.count(b"\n", 0, error.start) + 1, error.start - content.rfind(b"\n", 0, error.start)
        )
        message = f"byte 0x{content[error.start]:02x} is not UTF-8 text"
        raise _stop(file, message, "Save the file as UTF-8.", place) from None
    if not text.strip():
        raise _stop(file, "the file is empty", _BEGIN_HINT)
    if not text.isascii():
        _refuse_deceptive(file, text)
    return text


def _refuse_deceptive(file: str, text: str) -> None:
    """Refuse the whole file: in a comment, too, such a character can make one line look like another."""
    for offset, character in enumerate(text):
        if not character.isascii() and is_deceptive(character):
            place = Position(text.count("\n", 0, offset) + 1, offset - text.rfind("\n", 0, offset))
            raise _stop(file, f"the file holds {describe(character)}", _RETYPE_HINT, place)


@dataclass
class _Frame:
    """A mapping or list that is being read."""

    container: dict[str, Any] | list[Any]
    path: ValuePath
    key: str | None = None
    repeated: bool = False


class _Composer:
    """Builds a document from parser events with a stack of its own."""

    def __init__(self, file: str) -> None:
        self.document = Document(file)
        self.stack: list[_Frame] = []
        self.nodes = 0

    def compose(self, text: str) -> Document:
        try:
            for event in self._parse(text):
                self._take(event)
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            message = f"not valid YAML: {error.problem or error.context}"
            raise self._stop(message, mark, _syntax_hint(text, mark)) from None
        except yaml.YAMLError as error:  # the reader's own: a character that YAML does not allow
            raise self._stop(
                f"not valid YAML: {getattr(error, 'reason', error)}", None, _RETYPE_HINT
            ) from None
        if not isinstance(self.document.data, dict):
            held = "no values" if self.document.data is None else "no keys with values"
            raise self._stop(f"the file holds {held}; a profile begins with `version: 1`", None, _BEGIN_HINT)
        return self.document

    @staticmethod
    def _parse(text: str) -> Iterator[yaml.Event]:
        loader = _LOADER(text)
        try:
            while loader.check_event():
                yield loader.get_event()
        finally:
            loader.dispose()

    def _stop(self, message: str, mark: _Mark | None, hint: str = "") -> UnreadableDocument:
        return _stop(self.document.file, message, hint, _position(mark))

    def _refuse(self, event: yaml.Event, path: ValuePath, message: str, hint: str) -> None:
        line, column = _position(event.start_mark)
        self.document.problems.append(Problem(self.document.file, line, column, dotted(path), message, hint))
        self.document.refused.add(path)

    def _take(self, event: yaml.Event) -> None:
        if isinstance(event, yaml.DocumentStartEvent) and self.nodes:
            hint = "One file holds one profile: remove `---`."
            raise self._stop("a second document begins here", event.start_mark, hint)
        if isinstance(event, yaml.CollectionEndEvent):
            self.stack.pop()
        elif isinstance(event, yaml.NodeEvent):
            self.nodes += 1
            if self.nodes > MAX_NODES:
                raise self._stop(f"more than {MAX_NODES} keys and values", event.start_mark)
            frame = self.stack[-1] if self.stack else None
            if frame and isinstance(frame.container, dict) and frame.key is None:
                self._take_key(frame, event)
            else:
                self._take_value(frame, event)

    def _take_key(self, frame: _Frame, event: yaml.NodeEvent) -> None:
        if not isinstance(event, yaml.ScalarEvent):
            raise self._stop("a key must be a word", event.start_mark, "Quote a text that holds { or [ or *.")
        key: str = event.value
        if len(key) > MAX_KEY:
            raise self._stop(f"a key of more than {MAX_KEY} characters", event.start_mark)
        path = (*frame.path, key)
        self._check_node(event, path)
        if first := self.document.keys.get(path):
            message = f"the key stands here a second time; first in line {first.line}"
            self._refuse(event, path, message, "Keep one of the two.")
            # What follows is read for its own mistakes, under a path that nothing else has.
            key = f"{key} (line {_position(event.start_mark).line})"
            path = (*frame.path, key)
            frame.repeated = True
        elif key == "<<":
            self._refuse(event, path, "merge keys are not used in profiles", "Write the values out.")
            frame.repeated = True
        self.document.keys[path] = _position(event.start_mark)
        frame.key = key

    def _take_value(self, frame: _Frame | None, event: yaml.NodeEvent) -> None:
        path: ValuePath = ()
        if frame and isinstance(frame.container, list):
            path = (*frame.path, len(frame.container))
        elif frame and frame.key is not None:
            path = (*frame.path, frame.key)
        self._check_node(event, path)
        value: Any = None
        if isinstance(event, yaml.ScalarEvent):
            value = _resolve(event)
        elif isinstance(event, yaml.CollectionStartEvent):
            if len(self.stack) >= MAX_DEPTH:
                raise self._stop(f"nested more than {MAX_DEPTH} levels deep", event.start_mark)
            value = {} if isinstance(event, yaml.MappingStartEvent) else []
        self.document.values[path] = _position(event.start_mark)
        self._store(frame, value)
        if isinstance(value, dict | list):
            self.stack.append(_Frame(value, path))

    def _store(self, frame: _Frame | None, value: Any) -> None:  # noqa: ANN401  any YAML value
        if frame is None:
            self.document.data = value
        elif isinstance(frame.container, list):
            frame.container.append(value)
        elif frame.key is not None:
            if not frame.repeated:
                frame.container[frame.key] = value
            frame.key, frame.repeated = None, False

    def _check_node(self, event: yaml.NodeEvent, path: ValuePath) -> None:
        tag = getattr(event, "tag", None)
        if isinstance(event, yaml.AliasEvent) or event.anchor is not None:
            sign = "*" if isinstance(event, yaml.AliasEvent) else "&"
            message = f"anchors and aliases ({sign}{event.anchor}) are not used in profiles"
            self._refuse(event, path, message, "Write the value out.")
        elif tag not in {None, "!"}:
            hint = "Remove it; put a text that looks like a number or true/false in quotes."
            self._refuse(event, path, f"tags ({_shorten(str(tag))}) are not used in profiles", hint)
        elif isinstance(event, yaml.ScalarEvent) and (found := next(filter(is_deceptive, event.value), None)):
            self._refuse(event, path, f"holds {describe(found)}", _RETYPE_HINT)


def reads_as_text(plain: str) -> bool:
    """Tell whether a plain scalar is text, and not a number, a truth value or nothing."""
    return plain not in _WORDS and not _INTEGER.match(plain)


def _resolve(event: yaml.ScalarEvent) -> str | int | bool | None:
    text: str = event.value
    if event.style or reads_as_text(text):  # quoted or a block: what stands there is text
        return text
    if text in _WORDS:
        return _WORDS[text]
    return int(text)


def _position(mark: _Mark | None) -> Position:
    return Position(mark.line + 1, mark.column + 1) if mark else Position(1, 1)


def _shorten(text: str) -> str:
    return text if len(text) <= 60 else f"{text[:57]}..."


def _syntax_hint(text: str, mark: _Mark | None) -> str:
    lines = text.splitlines()
    line = lines[mark.line] if mark and mark.line < len(lines) else ""
    if "\t" in line[: len(line) - len(line.lstrip())]:
        return "The line is indented with a tab; use spaces."
    return "Look at this line and the one before it: indentation, a missing colon, an open quote or bracket."
