"""A tab: a page that is opened, asked, typed into and pictured, and everything that it asked the network for."""

from __future__ import annotations

import base64
import json
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from provisioner.checks.browser.devtools import SECONDS, BrowserFailed, Connection

_POLL_SECONDS = 0.25
_QUALITY = 80
#: What the browser says of a request that was under way when an interface of this computer came or went.
NETWORK_CHANGED = "net::ERR_NETWORK_CHANGED"
_ATTEMPTS = 5
_QUERY = re.compile(r"(?<=\S)[?#]\S+")
# Frames and workers of the page are followed as well. They wait to be told to go on, so that no request is missed.
_FOLLOW: dict[str, Any] = {"autoAttach": True, "waitForDebuggerOnStart": True, "flatten": True}


@dataclass(frozen=True, slots=True)
class Request:
    """An address that was asked for, and the page that did."""

    url: str
    page: str


class Tab:
    """One page with cookies and storage of its own, as if a person of their own sat before it."""

    def __init__(self, connection: Connection, session: str, requests: list[Request]) -> None:
        """Follow the session of a new, empty page; what it asks for is added to ``requests``."""
        self.events: list[tuple[str, Mapping[str, Any]]] = []
        self._connection = connection
        self._session = session
        self._requests = requests
        self._address = "about:blank"
        connection.listen(session, self._hear)
        for domain in ("Page", "Network", "Log", "Runtime"):
            self.call(f"{domain}.enable")
        self.call("Target.setAutoAttach", **_FOLLOW)

    def call(self, method: str, **parameters: object) -> dict[str, Any]:
        """Call a method of the protocol for this page and return its result.

        Raises:
            BrowserFailed: It is refused or not answered.
        """
        return self._connection.call(self._session, method, **parameters)

    def attend(self, seconds: float) -> None:
        """Let the page work for a while."""
        self._connection.attend(seconds)

    def inject(self, script: str) -> None:
        """Have a script run in every document that is opened from now on, before those of the document."""
        self.call("Page.addScriptToEvaluateOnNewDocument", source=script)

    def open(self, url: str, seconds: float = SECONDS) -> int:
        """Open an address, wait until it is loaded, and return the status of its document.

        Raises:
            BrowserFailed: Nothing answers there, or it is not loaded in so many seconds.
        """
        self.events.clear()
        self._address = url
        for _ in range(_ATTEMPTS):
            failure = self.call("Page.navigate", url=url).get("errorText")
            if failure != NETWORK_CHANGED:
                break
        if failure == "net::ERR_HTTP_RESPONSE_CODE_FAILURE":  # an error status, and not a word
            return self._status()
        if failure:
            raise BrowserFailed(f"{_without_query(url)}: {failure}")
        end = time.monotonic() + seconds
        while not any(method == "Page.loadEventFired" for method, _ in self.events):
            if time.monotonic() > end:
                raise BrowserFailed(f"{_without_query(url)} is not loaded within {seconds:.0f} seconds")
            self.attend(_POLL_SECONDS)
        return self._status()

    def evaluate(self, expression: str) -> Any:  # noqa: ANN401  whatever the page answers
        """Return the value of an expression, awaited where it is a promise.

        Raises:
            BrowserFailed: It throws.
        """
        result = self.call("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        if "exceptionDetails" in result:
            raise BrowserFailed(describe_exception(result["exceptionDetails"]))
        return result["result"].get("value")

    def wait_for(self, expression: str, seconds: float = SECONDS) -> bool:
        """Wait until an expression is true; tell whether it became so in so many seconds."""
        end = time.monotonic() + seconds
        while True:
            try:
                if self.evaluate(expression):
                    return True
            except BrowserFailed:
                if time.monotonic() > end:  # between two documents there is none to ask
                    raise
            if time.monotonic() > end:
                return False
            self.attend(_POLL_SECONDS)

    def fill(self, selector: str, text: str) -> None:
        """Type a text into a field.

        Raises:
            BrowserFailed: There is no such field.
        """
        self.evaluate(f"document.querySelector({json.dumps(selector)}).focus()")
        self.call("Input.insertText", text=text)

    def press(self, key: str, code: int) -> None:
        """Press and release a key, by its name and its Windows key code, in which browsers are told."""
        text = {"text": "\r"} if key == "Enter" else {}
        for kind in ("keyDown" if text else "rawKeyDown", "keyUp"):
            self.call(
                "Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=code, **text
            )

    def show(self, *, width: int, scheme: str) -> None:
        """Give the page a width in pixels and the colour scheme that its person prefers, ``light`` or ``dark``."""
        self.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=False
        )
        self.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])

    def picture(self) -> bytes:
        """Return what a person sees now, as JPEG."""
        return base64.b64decode(self.call("Page.captureScreenshot", format="jpeg", quality=_QUALITY)["data"])

    def complaints(self) -> list[str]:
        """Return what the browser logged as errors since the page was opened, and what its scripts did not catch."""
        said = []
        for method, told in self.events:
            if method == "Log.entryAdded" and told["entry"]["level"] == "error":
                said.append(f"{told['entry']['text']} {told['entry'].get('url', '')}".strip())
            elif method == "Runtime.exceptionThrown":
                said.append(describe_exception(told["exceptionDetails"]))
        return [_without_query(text) for text in said]

    def _status(self) -> int:
        """Return the status of the document that was opened; 0 when it did not come over HTTP."""
        return next(
            (
                int(told["response"]["status"])
                for method, told in self.events
                if method == "Network.responseReceived" and told.get("type") == "Document"
            ),
            0,
        )

    def _hear(self, method: str, told: Mapping[str, Any]) -> None:
        self.events.append((method, told))
        follow(self._connection, method, told, self._hear)
        url = _asked(method, told)
        if url:
            self._requests.append(Request(url, _without_query(self._address)))


def describe_exception(details: Mapping[str, Any]) -> str:
    """Return the words of an exception of a page's script."""
    return str(details.get("exception", {}).get("description") or details.get("text"))


def follow(connection: Connection, method: str, told: Mapping[str, Any], listener: Any) -> None:  # noqa: ANN401
    """Follow a frame or worker that begins: have its events told to ``listener``, and let it go on."""
    if method != "Target.attachedToTarget":
        return
    session = told["sessionId"]
    connection.listen(session, listener)
    connection.send(session, "Network.enable")
    connection.send(session, "Target.setAutoAttach", **_FOLLOW)
    connection.send(session, "Runtime.runIfWaitingForDebugger")


def _asked(method: str, told: Mapping[str, Any]) -> str:
    if method == "Network.requestWillBeSent":
        return str(told["request"]["url"])
    return str(told["url"]) if method == "Network.webSocketCreated" else ""


def _without_query(text: str) -> str:
    """Return a text whose addresses have lost what may be a secret in them."""
    return _QUERY.sub("", text)
