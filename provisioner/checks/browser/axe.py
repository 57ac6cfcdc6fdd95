"""Whether a page is accessible, as far as axe-core of Deque Systems can tell: a part of what an audit finds.

Of the package that brings axe-core nothing else is used, nor imported: the script is read where it is installed.
"""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from provisioner.checks.browser.devtools import BrowserFailed
from provisioner.checks.browser.tab import Tab

_PACKAGE, _SCRIPT = "axe_playwright_python", "axe.min.js"
#: WCAG 2.2, levels A and AA, by axe-core's names; and what it calls best practice.
_RULES = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice")
#: Pixels: what WCAG's criterion 1.4.10 (reflow) asks for, a phone, a desktop.
WIDTHS = (320, 412, 1280)
SCHEMES = ("light", "dark")
# A page with a heading, a language and a link has more; fewer mean that it was not looked at.
_FEWEST_PASSES = 15
_OVERFLOW = "(page => page.scrollWidth - page.clientWidth)(document.documentElement)"


@dataclass(frozen=True, slots=True)
class Examination:
    """What axe-core objects to, and what it cannot tell: a rule, an element and a reason each."""

    objections: tuple[str, ...]
    doubts: tuple[str, ...]


def examine(tab: Tab) -> Examination:
    """Examine the page as it is shown now.

    Raises:
        BrowserFailed: axe-core is not installed, or hardly looked at anything.
    """
    if not tab.evaluate("typeof axe === 'object'"):
        tab.evaluate(_script())
    result = tab.evaluate(f"axe.run(document, {{runOnly: {json.dumps(_RULES)}}})")
    if len(result["passes"]) <= _FEWEST_PASSES:
        raise BrowserFailed(f"axe-core looked at {len(result['passes'])} things only")
    return Examination(tuple(_say(result["violations"])), tuple(_say(result["incomplete"])))


def examine_at_every_size(tab: Tab) -> Examination:
    """Examine the open page at each of ``WIDTHS``, light and dark; to scroll sideways is an objection, too.

    Raises:
        BrowserFailed: As ``examine``.
    """
    objections, doubts = [], []
    for width in WIDTHS:
        for scheme in SCHEMES:
            tab.show(width=width, scheme=scheme)
            seen, where = examine(tab), f"{width} pixels, {scheme}: "
            objections += [where + said for said in seen.objections]
            doubts += [where + said for said in seen.doubts]
            if (overflow := tab.evaluate(_OVERFLOW)) > 0:
                objections.append(f"{where}{overflow} pixels to scroll sideways")
    return Examination(tuple(objections), tuple(doubts))


def _script() -> str:
    found = importlib.util.find_spec(_PACKAGE)
    if found is None or not found.submodule_search_locations:
        raise BrowserFailed("axe-core is not on this computer: pip install 'sovstack[accessibility]'")
    return (Path(found.submodule_search_locations[0]) / _SCRIPT).read_text(encoding="utf-8")


def _say(findings: list[Mapping[str, Any]]) -> Iterator[str]:
    for finding in findings:
        for node in finding["nodes"]:
            reason = " ".join((node.get("failureSummary") or finding["help"]).split())
            yield f"{finding['id']}: {' '.join(map(str, node['target']))}: {reason}"
