"""Colours of the portal's page: their contrast by WCAG 2.2, and those for people who prefer a dark page."""

from __future__ import annotations

from dataclasses import dataclass

#: WCAG 2.2, success criterion 1.4.3 (AA), for text of ordinary size.
LEAST_CONTRAST = 4.5
#: Criterion 1.4.6 (AAA): nobody chose the dark accent, so it may as well be read easily.
_DARK_CONTRAST = 7
TEXT = "#1b1f24"
_DARK_BACKGROUND = "#14181d"
_DARK_TEXT = "#eef1f4"
_WHITE = 255


@dataclass(frozen=True)
class Palette:
    """What the page is painted with, each as ``#rrggbb``."""

    background: str
    text: str
    accent: str
    dark_background: str
    dark_text: str
    dark_accent: str


def paint(accent: str, background: str) -> Palette:
    """Return the whole palette: on a dark page the accent is lightened until it can be read there."""
    return Palette(background, TEXT, accent, _DARK_BACKGROUND, _DARK_TEXT, _lighten(accent))


def contrast(one: str, other: str) -> float:
    """Return the contrast of two colours, 1 (none) to 21 (WCAG 2.2, "contrast ratio")."""
    darker, lighter = sorted((_luminance(one), _luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def _luminance(colour: str) -> float:
    """Return the relative luminance, 0 (black) to 1 (white), as WCAG 2.2 defines it for sRGB."""
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4
        for part in (channel / _WHITE for channel in bytes.fromhex(colour[1:]))
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _lighten(colour: str) -> str:
    """Return the colour with as little white in it, in steps of a hundredth, as makes it readable on a dark page."""
    for hundredths in range(101):
        mixed = bytes(
            round(channel + (_WHITE - channel) * hundredths / 100) for channel in bytes.fromhex(colour[1:])
        )
        lightened = f"#{mixed.hex()}"
        if contrast(lightened, _DARK_BACKGROUND) >= _DARK_CONTRAST:
            break
    return lightened
