"""One service during a verification of use, and what its checks have at hand: names, a browser, an album."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

from provisioner.checks.browser import Browser, BrowserFailed
from provisioner.checks.use.album import Album
from provisioner.checks.use.names import Names

Target = TypeVar("Target")


@dataclass(frozen=True, slots=True)
class Visit(Generic[Target]):
    """A visit to a service; ``opened`` is the browser for it, or why there is none."""

    target: Target
    names: Names
    album: Album
    opened: Browser | BrowserFailed

    @property
    def browser(self) -> Browser:
        """The browser.

        Raises:
            BrowserFailed: There is none.
        """
        if isinstance(self.opened, BrowserFailed):
            raise self.opened
        return self.opened
