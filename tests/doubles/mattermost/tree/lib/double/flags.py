"""Command lines as the real programs read them (spf13/cobra): words, and flags anywhere between them.

The real programs show their help and end well when a group of commands is asked for a command that it does not have.
Here that is an error, like every flag that the real one does not have.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .contract import Refusal

_TRUE = ("1", "t", "T", "TRUE", "true", "True")
_FALSE = ("0", "f", "F", "FALSE", "false", "False")


@dataclass(frozen=True)
class Invocation:
    """A command, what it was given, and its flags by name; those that were not given are absent."""

    command: str
    arguments: list[str]
    flags: Mapping[str, Any]


def read(program: str, words: Sequence[str], facts: Mapping[str, Any], default: str = "") -> Invocation:
    """Read a command line.

    Args:
        program: Name of the program.
        words: What follows its name.
        facts: Its commands and flags, as in ``interface.json``.
        default: The command where none is named.

    Raises:
        Refusal: The program has no such command or flag, or one lacks its value.
    """
    everywhere = {name: str(kind) for name, kind in facts["flags"].items()}
    commands = facts["commands"]
    known = everywhere | {
        flag: kind for command in commands.values() for flag, kind in command.get("flags", {}).items()
    }
    positional, given = _split(program, words, known)
    command, arguments = _find_command(program, positional, commands, default)
    fact = commands[command]
    own = everywhere | fact.get("flags", {})
    foreign = given.keys() - own.keys()
    if foreign:
        raise Refusal(f"unknown flag: --{sorted(foreign)[0]}")
    missing = [name for name in fact.get("required", []) if name not in given]
    if missing:
        names = ", ".join(f'"{name}"' for name in missing)
        raise Refusal(f"required flag(s) {names} not set")
    least, most = fact["arguments"]
    if not least <= len(arguments) <= (len(arguments) if most is None else most):
        raise Refusal(
            f"{program} {command} takes {least} to {'any number of' if most is None else most} arguments"
        )
    return Invocation(command, arguments, given)


def _split(program: str, words: Sequence[str], known: Mapping[str, str]) -> tuple[list[str], dict[str, Any]]:
    short = {kind.split(" -")[1]: name for name, kind in known.items() if " -" in kind}
    positional: list[str] = []
    given: dict[str, Any] = {}
    rest = list(words)
    while rest:
        word = rest.pop(0)
        if word == "--":
            return positional + rest, given
        if not word.startswith("-") or word == "-":
            positional.append(word)
            continue
        name, separator, value = word.lstrip("-").partition("=")
        if not word.startswith("--"):
            if word[1] not in short:
                raise Refusal(f"unknown shorthand flag: {word[1]!r} in {word}")
            name, value = short[word[1]], value if separator else word[2:]
            separator = separator or word[2:]
        if name not in known:
            raise Refusal(f"unknown flag: --{name}")
        kind = known[name].split(" ")[0]
        if not separator:
            if kind == "boolean":
                value = "true"
            elif rest:
                value = rest.pop(0)
            else:
                raise Refusal(f"flag needs an argument: --{name}")
        given[name] = _convert(name, kind, value)
    return positional, given


def _convert(name: str, kind: str, value: str) -> Any:
    if kind == "boolean" and value in _TRUE + _FALSE:
        return value in _TRUE
    if kind == "integer" and re.fullmatch(r"-?\d+", value):
        return int(value)
    if kind in ("string", "strings", "duration"):
        return value
    raise Refusal(f'invalid argument "{value}" for "--{name}" flag')


def _find_command(
    program: str, words: Sequence[str], commands: Mapping[str, Any], default: str
) -> tuple[str, list[str]]:
    names = {name: name for name in commands}
    for name, fact in commands.items():
        for alias in fact.get("aliases", []):
            names[" ".join([*name.split()[:-1], alias])] = name
    for count in range(min(len(words), 3), 0, -1):
        name = " ".join(words[:count])
        if name in names:
            return names[name], list(words[count:])
    if default and not words:
        return default, []
    raise Refusal(f'unknown command "{" ".join(words)}" for "{program}"')
