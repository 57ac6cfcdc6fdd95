"""One TLS handshake with exactly the offer that a check wants, by ``openssl s_client``.

Python's ``ssl`` can offer neither single groups nor single signature algorithms. An offer that this
computer's OpenSSL cannot make is no evidence: ``NoEvidence`` is raised, and never "refused" returned.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from contextlib import suppress
from dataclasses import dataclass

from provisioner.checks.outside.promise import NoEvidence
from provisioner.checks.outside.target import WebTarget

SECONDS = 8
_RENEGOTIATION_SECONDS = 1.0
# Everything that this OpenSSL can do, also what a client of today would never offer.
ANY_SUITE = ("-cipher", "ALL:COMPLEMENTOFALL:@SECLEVEL=0")
# Whom the certificate comes from is asked elsewhere; to load the distribution's authorities takes four times as long as
# all the rest of a handshake.
_NO_AUTHORITIES = ("-no-CAfile", "-no-CApath", "-no-CAstore")

_SUITE = re.compile(r"^New, (?P<version>\S+), Cipher is (?P<suite>\S+)", re.MULTILINE)
_GROUP = re.compile(r"^(?:(?:Server|Peer) Temp Key|Negotiated TLS1.3 group): (?P<group>.*)$", re.MULTILINE)
_WRITTEN = re.compile(r"^SSL handshake has read \d+ bytes and written (?P<written>\d+) bytes", re.MULTILINE)
_ALERT = re.compile(r"(?:tlsv1|sslv3|tlsv13) alert [a-z ]+", re.IGNORECASE)
# A client that gives up before its ClientHello sends nothing but an alert: 7 bytes.
_SMALLEST_HELLO = 40


@dataclass(frozen=True, slots=True)
class Handshake:
    """A handshake that the server accepted.

    Attributes:
        version: ``TLSv1.2`` and so on.
        suite: Its OpenSSL name.
        group: Key exchange group and size as OpenSSL prints them; empty without ephemeral keys.
        text: All that ``s_client`` printed.
    """

    version: str
    suite: str
    group: str
    text: str


def offer(target: WebTarget, *options: str, send: str = "") -> Handshake | None:
    """Make one handshake with the ``s_client`` options; return None when the server refused it.

    Args:
        target: The service.
        options: What to offer, for example ``-tls1_3 -groups X25519``.
        send: Sent after the handshake; the answer is in ``text``. Without it, the connection is closed.

    Raises:
        NoEvidence: No ``openssl`` here, it cannot make this offer, or nothing answers.
    """
    try:
        ended = subprocess.run(
            _command(target, *options, *(["-ign_eof"] if send else [])),
            input=send.encode(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=SECONDS,
            check=False,
            env=_environment(),
        )
        text = ended.stdout.decode(errors="replace")
    except subprocess.TimeoutExpired as error:
        # The server kept the connection open after its answer; what it said until then counts.
        text = (error.stdout or b"").decode(errors="replace")
    return _read(text, target, options)


def renegotiates(target: WebTarget) -> bool:
    """Tell whether the server lets a client renegotiate a TLS 1.2 session.

    Raises:
        NoEvidence: No ``openssl`` here.
    """
    with subprocess.Popen(
        _command(target, "-tls1_2"),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=_environment(),
    ) as process:
        with suppress(subprocess.TimeoutExpired, BrokenPipeError):
            # s_client takes a line with R as the order to renegotiate, as long as its input stays open. A
            # server that refuses ends the session; one that ignores it is waited for in vain.
            assert process.stdin is not None  # noqa: S101
            process.stdin.write(b"R\n")
            process.stdin.flush()
            process.wait(_RENEGOTIATION_SECONDS)
        process.kill()
        text = process.stdout.read().decode(errors="replace") if process.stdout else ""
    # The second handshake shows the certificate a second time.
    return "depth=0" in text.partition("RENEGOTIATING")[2]


def _command(target: WebTarget, *options: str) -> list[str]:
    openssl = shutil.which("openssl")
    if openssl is None:
        raise NoEvidence("openssl is not installed on this computer")
    address = f"[{target.address}]" if ":" in target.address else target.address
    connect = ("-connect", f"{address}:{target.port}", "-servername", target.hostname)
    return [openssl, "s_client", *connect, *_NO_AUTHORITIES, *options]


def _environment() -> dict[str, str]:
    """Keep the distribution's defaults (smallest version, security level) from narrowing the offer."""
    return os.environ | {"OPENSSL_CONF": os.devnull}


def _read(text: str, target: WebTarget, options: tuple[str, ...]) -> Handshake | None:
    suite = _SUITE.search(text)
    if suite is None:
        if "connect:errno" in text or not text:
            raise NoEvidence(f"{target.address} does not answer on port {target.port}")
        raise NoEvidence(f"this computer's OpenSSL cannot offer {' '.join(options)}: {text.splitlines()[0]}")
    if suite["version"] == "(NONE)":
        written = _WRITTEN.search(text)
        if written is None or int(written["written"]) < _SMALLEST_HELLO:
            raise NoEvidence(f"this computer's OpenSSL cannot offer {' '.join(options)}")
        return None
    group = _GROUP.search(text)
    return Handshake(suite["version"], suite["suite"], group["group"] if group else "", text)
