"""TLS as NCSC-NL's guidelines of 2025-05 want it, seen from a client (docs/operations/verification.md).

Each probe asks for what must be refused, and makes sure that the server answers something else: a refused
handshake of a server that is down is no evidence.
"""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor

from provisioner.checks.outside.handshake import ANY_SUITE, Handshake, offer, renegotiates
from provisioner.checks.outside.promise import Finding, NoEvidence, Promise, judge
from provisioner.checks.outside.target import WebTarget
from provisioner.checks.result import Verdict

_OLD_VERSIONS = {"TLS 1.0": "-tls1", "TLS 1.1": "-tls1_1"}
_VERSIONS = {"TLS 1.2": "-tls1_2", "TLS 1.3": "-tls1_3"}

_SUFFICIENT_SUITE = re.compile(
    r"ECDHE-(ECDSA|RSA)-(AES(128-GCM-SHA256|256-GCM-SHA384)|CHACHA20-POLY1305)|ECDHE-ECDSA-AES(128|256)-CCM"
)
_PHASE_OUT_SUITE = re.compile(
    r"DHE-RSA-.*(GCM-SHA256|GCM-SHA384|POLY1305|CCM|SHA256|SHA384)|ECDHE-(ECDSA|RSA)-(AES|CAMELLIA|ARIA)\d+-SHA(256|384)"
)
_REFUSED_TLS13_SUITES = "TLS_AES_128_CCM_8_SHA256"
_MOST_SUITES = 80

_GOOD_GROUPS = ("X25519MLKEM768", "SecP256r1MLKEM768", "X25519", "X448", "P-256", "P-384", "P-521")
_FINITE_FIELD_GROUPS = {
    "ffdhe2048": Verdict.FAIL,
    **dict.fromkeys(("ffdhe3072", "ffdhe4096", "ffdhe6144", "ffdhe8192"), Verdict.WARN),
}
# The curves of a certificate count as groups in TLS 1.2, so P-256 and P-384 are offered too, as last choice.
_BAD_TLS12_CURVES = "P-224:P-192:secp256k1:sect283r1:sect409r1"
_SMALLEST_PHASE_OUT_DH_BITS = 3072

_SHA1 = "ECDSA+SHA1:RSA+SHA1"
_SHA224 = "ECDSA+SHA224:RSA+SHA224"
_DATA_REQUEST = "GET /status.php HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n"


def _greet(target: WebTarget) -> Handshake:
    """Return an ordinary handshake, the proof that the server answers."""
    if (handshake := offer(target)) is None:
        raise NoEvidence(f"{target.hostname} refuses the handshake of an ordinary client")
    return handshake


def check_versions(target: WebTarget) -> Finding:
    """TLS 1.2 and 1.3 only (NCSC 3.3.1). SSL 2 and 3 are not offered: no OpenSSL of today can."""
    accepted = [name for name, option in _VERSIONS.items() if offer(target, option)]
    old = [name for name, option in _OLD_VERSIONS.items() if offer(target, option, *ANY_SUITE)]
    if not accepted and not old:
        raise NoEvidence(f"{target.hostname} accepts no version that was offered")
    return judge(
        [f"{name} is accepted" for name in old], f"accepts {' and '.join(accepted)}; 1.0 and 1.1 refused"
    )


def check_suites(target: WebTarget) -> Finding:
    """ECDHE with AEAD in TLS 1.2, AES-GCM, CHACHA20 and CCM in 1.3 (NCSC appendix B)."""
    greeting = _greet(target)
    accepted: list[str] = []
    # Offer everything, then everything but what was taken, until nothing is left that the server takes.
    while len(accepted) < _MOST_SUITES:
        offered = ":".join([ANY_SUITE[1], *(f"!{suite}" for suite in accepted)])
        handshake = offer(target, "-tls1_2", "-cipher", offered)
        if handshake is None:
            break
        accepted.append(handshake.suite)
    phase_out = [suite for suite in accepted if _PHASE_OUT_SUITE.fullmatch(suite)]
    bad = [suite for suite in accepted if not _SUFFICIENT_SUITE.fullmatch(suite) and suite not in phase_out]
    if offer(target, "-tls1_3", *ANY_SUITE, "-ciphersuites", _REFUSED_TLS13_SUITES):
        bad.append(_REFUSED_TLS13_SUITES)
    seen = f"TLS 1.2: {', '.join(accepted) or 'none'}; an ordinary client gets {greeting.suite}"
    if bad:
        return Finding(Verdict.FAIL, f"insufficient: {', '.join(bad)}", seen)
    if phase_out:
        return Finding(Verdict.WARN, f"to be phased out: {', '.join(phase_out)}", seen)
    return Finding(Verdict.PASS, seen)


def check_key_exchange(target: WebTarget) -> Finding:
    """No group below NCSC's limits (3.3.2.1, 3.3.3): no ffdhe2048, no finite-field exchange in TLS 1.2."""
    with ThreadPoolExecutor(4) as pool:
        taken = pool.map(lambda group: _takes(target, group), _GOOD_GROUPS)
        good = [group for group, yes in zip(_GOOD_GROUPS, taken, strict=True) if yes]
    bad, phase_out = _weak_curves(target), list[str]()
    if offer(target, "-tls1_3", "-groups", ":".join(_FINITE_FIELD_GROUPS)):
        for group, verdict in _FINITE_FIELD_GROUPS.items():
            if offer(target, "-tls1_3", "-groups", group):
                (bad if verdict is Verdict.FAIL else phase_out).append(group)
    if dhe := offer(target, "-tls1_2", "-cipher", "kDHE:!aNULL:@SECLEVEL=0"):
        bits = re.search(r"(\d+) bits", dhe.group)
        large = bits is not None and int(bits[1]) >= _SMALLEST_PHASE_OUT_DH_BITS
        (phase_out if large else bad).append(f"{dhe.suite} with {dhe.group}")
    if bad:
        return Finding(Verdict.FAIL, f"accepts {', '.join(bad)}")
    if phase_out:
        return Finding(Verdict.WARN, f"to be phased out: {', '.join(phase_out)}")
    if not good:
        raise NoEvidence("the server accepts no group that was offered in TLS 1.3")
    return Finding(Verdict.PASS, f"accepts {', '.join(good)}; nothing weaker")


def _takes(target: WebTarget, group: str) -> bool:
    """Tell whether a good group is accepted; one that this OpenSSL does not know (ML-KEM before 3.5) is not."""
    try:
        return offer(target, "-tls1_3", "-groups", group) is not None
    except NoEvidence:
        return False


def _weak_curves(target: WebTarget) -> list[str]:
    found = set()
    for groups in (_BAD_TLS12_CURVES, f"{_BAD_TLS12_CURVES}:P-256:P-384:P-521"):
        handshake = offer(target, "-tls1_2", "-cipher", "kECDHE:!aNULL:@SECLEVEL=0", "-groups", groups)
        if handshake and not re.search(r"secp(256|384|521)r1|prime256v1|P-(256|384|521)", handshake.group):
            found.add(handshake.group)
    return sorted(found)


def check_signatures(target: WebTarget) -> Finding:
    """A TLS 1.2 handshake that is limited to SHA-1, or to SHA-224, must fail (NCSC 3.3.5)."""
    greeting = _greet(target)
    if offer(target, "-tls1_2", *ANY_SUITE, "-sigalgs", _SHA1):
        return Finding(Verdict.FAIL, "signs the key exchange with SHA-1")
    if offer(target, "-tls1_2", *ANY_SUITE, "-sigalgs", _SHA224):
        return Finding(Verdict.FAIL, "signs the key exchange with SHA-224")
    digest = re.search(r"^Peer signing digest: (\S+)", greeting.text, re.MULTILINE)
    return Finding(
        Verdict.PASS, f"SHA-1 and SHA-224 refused; an ordinary client gets {digest[1] if digest else '?'}"
    )


def check_session(target: WebTarget) -> Finding:
    """Extended master secret, secure renegotiation, no compression, no early data (NCSC 3.4, 4.1)."""
    problems: list[str] = []
    classic = offer(target, "-tls1_2", "-comp")
    if classic is not None:
        if "Extended master secret: yes" not in classic.text:
            problems.append("no extended master secret in TLS 1.2")
        if "Secure Renegotiation IS supported" not in classic.text:
            problems.append("no secure renegotiation")
        if "Compression: NONE" not in classic.text:
            problems.append("TLS compression")
        if renegotiates(target):
            problems.append("a client may renegotiate")
    modern = offer(target, "-tls1_3", send=_DATA_REQUEST.format(target.hostname))
    if modern is not None and re.search(r"Max Early Data: [1-9]", modern.text):
        problems.append("early data (0-RTT) is accepted")
    versions = [name for name, answer in (("TLS 1.2", classic), ("TLS 1.3", modern)) if answer is not None]
    if not versions:
        raise NoEvidence(f"{target.hostname} accepts no version that was offered")
    return judge(problems, f"as wanted, seen in {' and '.join(versions)}")


TLS_PROMISES: tuple[Promise[WebTarget], ...] = (
    Promise(
        "TLS-VER",
        "Only TLS 1.2 and TLS 1.3 are spoken",
        "TLS 1.2 or 1.3 accepted; 1.1 and 1.0 refused (NCSC-NL 2025-05, 3.3.1)",
        "Set ssl_protocols TLSv1.2 TLSv1.3 on the socket's default server; look for a proxy in between.",
        check_versions,
    ),
    Promise(
        "TLS-SUITE",
        "Only cipher suites with ECDHE and authenticated encryption are accepted",
        "TLS 1.2: ECDHE with AES-GCM, CHACHA20 or CCM; TLS 1.3: no CCM_8 (NCSC-NL 2025-05, appendix B)",
        "Take the other suites out of ssl_ciphers (OpenSSL names).",
        check_suites,
    ),
    Promise(
        "TLS-KEX",
        "Keys are exchanged over strong groups only",
        "No finite-field exchange, no curve below 256 bits; X25519, X448, P-256 to P-521, ML-KEM hybrids",
        "Name the groups in ssl_ecdh_curve and set no ssl_dhparam.",
        check_key_exchange,
    ),
    Promise(
        "TLS-SIG",
        "Handshakes are not signed with SHA-1 or SHA-224",
        "A TLS 1.2 handshake limited to either is refused (NCSC-NL 2025-05, 3.3.5)",
        "Name the signature algorithms: ssl_conf_command SignatureAlgorithms.",
        check_signatures,
    ),
    Promise(
        "TLS-MISC",
        "TLS sessions have no known weakness",
        "Extended master secret and secure renegotiation; no compression, early data or client renegotiation",
        "Set ssl_early_data off; the rest is OpenSSL's default since 3.0: look for a proxy in between.",
        check_session,
    ),
)
