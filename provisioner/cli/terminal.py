"""Text for people: folded between words where a terminal shows it, left alone in a file or a pipe."""

from __future__ import annotations

import os
import sys
import textwrap

import click

_HANGING = "  "


def say(text: str, *, err: bool = False) -> None:
    """Print text on standard output, or on standard error if ``err``."""
    stream = sys.stderr if err else sys.stdout
    if stream.isatty():
        text = fold(text, os.get_terminal_size(stream.fileno()).columns)
    click.echo(text, err=err)


def fold(text: str, width: int) -> str:
    """Return text with its long lines broken between words, what follows set in under its beginning.

    A word that is longer than a line stays whole, so that a path or an address can be copied. A terminal that
    does not know its width says 0, and gets every line as it is.
    """
    return "\n".join(_fold_line(line, width) for line in text.split("\n"))


def _fold_line(line: str, width: int) -> str:
    if not 0 < width < len(line):
        return line
    indent = line[: len(line) - len(line.lstrip(" "))]
    return textwrap.fill(
        line,
        width,
        subsequent_indent=indent + _HANGING,
        expand_tabs=False,
        replace_whitespace=False,
        break_long_words=False,
        break_on_hyphens=False,
    )
