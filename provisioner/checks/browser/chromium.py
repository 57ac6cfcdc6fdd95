"""A headless Chromium that knows the deployment's names and certificates, and nothing else of the world.

Its names are the ones that it is given: every other one is unknown to it, so that a page cannot reach a third party
even where it tries to; that it tried is recorded. Certificates are trusted by their public keys, which the caller has
verified (``keys.pin``); no other error of a certificate is passed over.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from provisioner.checks.browser.devtools import BrowserFailed, Connection
from provisioner.checks.browser.tab import Request, Tab, follow

PROGRAMS = ("chromium", "chromium-browser")
WIDTH, HEIGHT = 1280, 800
_END_SECONDS = 5
_FLAGS = (
    "--headless", "--disable-gpu", "--disable-quic", "--no-first-run", "--no-default-browser-check",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-extensions",
    "--disable-domain-reliability", "--metrics-recording-only", "--password-store=basic", "--mute-audio",
    # A camera and a microphone that give a moving picture and beeps, without a question to anybody. A small computer
    # encodes and decodes it for several participants; Jitsi Meet takes no camera of fewer than 15 pictures a second.
    "--use-fake-device-for-media-stream=fps=15", "--use-fake-ui-for-media-stream",
    "--autoplay-policy=no-user-gesture-required",
    # Tabs that nobody looks at work like those that somebody does.
    "--disable-background-timer-throttling", "--disable-renderer-backgrounding",
    "--disable-backgrounding-occluded-windows",
    # Addresses as such in WebRTC's candidates: multicast DNS ends at the next router.
    "--disable-features=WebRtcHideLocalIpsWithMdns,OptimizationHints,MediaRouter",
    "--remote-debugging-pipe",
)  # fmt: skip
# Chromium speaks on descriptors 3 and 4. Its own standard streams are not needed.
_START = 'exec "$@" 3<&0 4>&1 </dev/null >&2'


class Browser:
    """A running Chromium.

    Attributes:
        requests: Everything that its pages and their workers asked for.
        servers: The STUN and TURN servers that its pages named to WebRTC.
    """

    def __init__(self, connection: Connection) -> None:
        """Speak to it on ``connection``."""
        self.requests: list[Request] = []
        self.servers: set[str] = set()
        self._connection = connection
        connection.listen("", self._hear)
        # Service workers and shared ones belong to no page.
        connection.call(
            "",
            "Target.setAutoAttach",
            autoAttach=True,
            waitForDebuggerOnStart=True,
            flatten=True,
            filter=[{"type": "service_worker"}, {"type": "shared_worker"}],
        )

    @contextlib.contextmanager
    def tab(self) -> Iterator[Tab]:
        """Open a tab that shares nothing with others; it is closed after the block."""
        call = self._connection.call
        context = call("", "Target.createBrowserContext", disposeOnDetach=True)["browserContextId"]
        try:
            target = call(
                "",
                "Target.createTarget",
                url="about:blank",
                browserContextId=context,
                width=WIDTH,
                height=HEIGHT,
            )["targetId"]
            session = call("", "Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
            yield Tab(self._connection, session, self.requests)
        finally:
            with contextlib.suppress(BrowserFailed):
                call("", "Target.disposeBrowserContext", browserContextId=context)

    def _hear(self, method: str, told: Mapping[str, Any]) -> None:
        follow(self._connection, method, told, self._hear)
        if method == "Network.requestWillBeSent":
            self.requests.append(Request(str(told["request"]["url"]), "a service worker"))


def find() -> str | None:
    """Return the path of this computer's Chromium; None where there is none."""
    return next(filter(None, map(shutil.which, PROGRAMS)), None)


@contextlib.contextmanager
def start(scratch: Path, names: Mapping[str, str], keys: Iterable[str]) -> Iterator[Browser]:
    """Run Chromium for the length of the block.

    Args:
        scratch: Folder for its home, which is removed after the block. Its path is short: Chromium has sockets there,
            whose paths may have 107 characters.
        names: Address by host name: the only names that it can resolve.
        keys: Public keys of certificates that it trusts, as ``keys.pin`` gives them.

    Raises:
        BrowserFailed: There is none on this computer, or it does not start.
    """
    program = find()
    if program is None:
        raise BrowserFailed("there is no Chromium on this computer: apt install chromium")
    with (
        tempfile.TemporaryDirectory(prefix="chromium-", dir=scratch, ignore_cleanup_errors=True) as home,
        Path(home, "log").open("w+b") as log,
    ):
        process = subprocess.Popen(
            ["sh", "-c", _START, "sh", program, *_flags(home, names, keys)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            bufsize=0,
            env={**os.environ, "HOME": home, "XDG_CONFIG_HOME": home, "XDG_CACHE_HOME": home, "TMPDIR": home},
            # A group of its own: Ctrl-C reaches us first, and we end it in order.
            start_new_session=True,
        )
        assert process.stdin and process.stdout  # noqa: S101
        try:
            yield Browser(_greet(Connection(process.stdin, process.stdout), log.name))
        finally:
            _end(process)


def _greet(connection: Connection, log: str) -> Connection:
    try:
        connection.call("", "Browser.getVersion")
    except BrowserFailed as error:
        words = Path(log).read_text(errors="replace").strip().splitlines()
        fatal = [word for word in words if "FATAL" in word]
        raise BrowserFailed(f"Chromium does not start: {(fatal or words or [str(error)])[-1]}") from error
    return connection


def _flags(home: str, names: Mapping[str, str], keys: Iterable[str]) -> list[str]:
    rules = [f"MAP {name} {f'[{address}]' if ':' in address else address}" for name, address in names.items()]
    return [
        *_FLAGS,
        f"--user-data-dir={home}/data",
        f"--host-resolver-rules={', '.join([*rules, 'MAP * ~NOTFOUND'])}",
        f"--ignore-certificate-errors-spki-list={','.join(keys)}",
        # Its sandbox needs a user other than root.
        *(["--no-sandbox"] if os.geteuid() == 0 else []),
        "about:blank",
    ]


def _end(process: subprocess.Popen[bytes]) -> None:
    """End the browser: it goes by itself when its pipes are closed."""
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            with contextlib.suppress(OSError):
                pipe.close()
    try:
        process.wait(_END_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
