"""Characters that make a text show something else than it says."""

from __future__ import annotations

import unicodedata

# Direction controls, invisible characters and exotic line ends (Unicode TR 36 and TR 39).
_DECEPTIVE = frozenset(
    chr(code)
    for code in (
        *(0x00AD, 0x034F, 0x061C, 0x115F, 0x1160, 0x180E, 0x3164, 0xFEFF, 0xFFA0),
        *range(0x200B, 0x2010),
        *range(0x2028, 0x202F),
        *range(0x2060, 0x2070),
        *range(0xFFF9, 0xFFFC),
    )
)
_CONTROL_NAMES = {"\0": "NULL", "\a": "BELL", "\b": "BACKSPACE", "\x1b": "ESCAPE", "\x7f": "DELETE"}


def is_deceptive(character: str) -> bool:
    """Tell whether a character is invisible, turns the writing direction, or controls a terminal."""
    return (
        character in _DECEPTIVE or unicodedata.category(character) in {"Cc", "Cs", "Cn"}
    ) and character not in "\t\n\r"


def describe(character: str) -> str:
    """Return a character as ``U+0430 CYRILLIC SMALL LETTER A``, which can be read where it itself cannot."""
    name = unicodedata.name(character, _CONTROL_NAMES.get(character, "a control character"))
    return f"U+{ord(character):04X} {name}"
