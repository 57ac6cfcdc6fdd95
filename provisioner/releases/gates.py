"""The gates a release archive passes before it may be installed, and what each of them found."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Protocol

from provisioner.errors import ReleaseNotTrusted, Unavailable
from provisioner.releases import debian, mattermost, nextcloud, openpgp, plugins
from provisioner.releases.archive import Inspection, inspect
from provisioner.releases.catalogue import Release
from provisioner.releases.catalogue.plugins import APPLICATION as PLUGIN
from provisioner.releases.identity import Identity

_NAMED = 20  # paths that a report names of each kind


class _Application(Protocol):
    """What is particular to an application's archives."""

    def keep(self, path: str) -> bool:
        """Say whether the content of this file is needed to identify the archive."""

    def identify(self, inspection: Inspection, release: Release) -> Identity:
        """Return what the archive says it is, held against what was asked for."""


_APPLICATIONS: Mapping[str, _Application] = {
    "mattermost": mattermost,
    "nextcloud": nextcloud,
    PLUGIN: plugins,
}


class Verdict(StrEnum):
    """What a gate found. Missing evidence is never a pass."""

    PASS = "pass"  # noqa: S105  a verdict
    FAIL = "fail"
    INCOMPLETE = "incomplete"
    NOT_ASSESSED = "not assessed"


@dataclass(frozen=True)
class Gate:
    """One gate's finding.

    Attributes:
        name: ``archive``, ``identity``, ``digest``, ``openpgp`` or ``code signature``.
        verdict: Only ``pass`` is evidence for the archive.
        summary: What was found, in a sentence.
        details: Single findings, such as ``absent core/x.js``; bounded.
    """

    name: str
    verdict: Verdict
    summary: str
    details: tuple[str, ...] = ()


@dataclass(frozen=True)
class Assessment:
    """What all gates found about one archive.

    Attributes:
        is_double: The archive is one of sovstack's contract doubles.
        gates: In the order they were tried.
        unacceptable: Why not even a person's explicit trust may admit the archive; empty when it may.
    """

    is_double: bool
    gates: tuple[Gate, ...]
    unacceptable: tuple[str, ...]

    @property
    def doubts(self) -> tuple[Gate, ...]:
        """Return the gates that stand against admitting the archive without a person's explicit trust.

        A digest or an OpenPGP signature must vouch for the archive as a whole; either is enough. Every other
        gate must pass.
        """
        whole = [gate for gate in self.gates if gate.name in ("digest", "openpgp")]
        vouched = any(gate.verdict is Verdict.PASS for gate in whole)
        return tuple(
            gate
            for gate in self.gates
            if gate.verdict is not Verdict.PASS
            and not (gate in whole and vouched and gate.verdict is Verdict.NOT_ASSESSED)
        )


def assess(
    archive: Path,
    sha256: str,
    release: Release,
    *,
    signature: Path | None,
    key: Path | None,
    progress: Callable[[int], None] = lambda count: None,
) -> Assessment:
    """Try every gate on ``archive``.

    Args:
        archive: The file as it was obtained.
        sha256: Its digest, computed by the caller while it was read.
        release: What it should be.
        signature: A detached OpenPGP signature of it, where one was found.
        key: A file of OpenPGP keys; only the one with the catalogue's fingerprint counts.
        progress: Told the number of entries read so far.

    Raises:
        ReleaseNotTrusted: The archive is damaged or hostile; nothing more can be said about it.
        Unavailable: A program that a gate needs is not installed.
    """
    whole = [_check_digest(sha256, release), _check_openpgp(archive, release, signature, key)]
    if release.package:
        inspection = debian.inspect(archive, progress)
        identity = debian.identify(inspection, release)
    else:
        application = _APPLICATIONS[release.application]
        inspection = inspect(archive, application.keep, progress)
        identity = application.identify(inspection, release)
    inner = [
        Gate("archive", Verdict.PASS, f"{len(inspection.files)} files in {inspection.root or '.'}/"),
        _judge_identity(identity),
    ]
    if inspection.is_double:
        what = "sovstack's own stand-in, no evidence about the application"
        marked = Gate("contract double", Verdict.NOT_ASSESSED, what)
        return Assessment(True, (*inner, marked), _find_unacceptable(inner, None))
    report = None
    if release.code_signing:
        report = nextcloud.check_signatures(inspection, release.code_signing.root_sha256)
        inner.append(_judge_signatures(report))
    gates = (*whole, *inner)
    return Assessment(False, gates, _find_unacceptable(gates, report))


def _check_digest(sha256: str, release: Release) -> Gate:
    if release.digest is None:
        missing = (
            "no digest of it is given"
            if release.plugin
            else "no public source confirms a digest of this release"
        )
        return Gate("digest", Verdict.NOT_ASSESSED, missing)
    if release.digest.sha256 != sha256:
        return Gate("digest", Verdict.FAIL, f"its SHA-256 is {sha256}, not {release.digest.sha256}")
    return Gate("digest", Verdict.PASS, f"its SHA-256 is the one in {release.digest.source}")


def _check_openpgp(archive: Path, release: Release, signature: Path | None, key: Path | None) -> Gate:
    if release.plugin:
        return Gate("openpgp", Verdict.NOT_ASSESSED, "no signature of a plugin is looked for")
    if not release.signature_url:
        return Gate("openpgp", Verdict.NOT_ASSESSED, "the vendor signs no single archive")
    if release.signing_key is None:
        return Gate("openpgp", Verdict.NOT_ASSESSED, "no public source confirms the vendor's key")
    fingerprint = release.signing_key.fingerprint
    if signature is None:
        return Gate("openpgp", Verdict.NOT_ASSESSED, "there is no OpenPGP signature with it")
    if key is None:
        return Gate("openpgp", Verdict.NOT_ASSESSED, f"the vendor's key {fingerprint} was not found")
    try:
        signer = openpgp.verify(archive, signature, key, fingerprint)
    except Unavailable as error:
        if release.digest is None:
            raise  # nothing else vouches for the archive as a whole
        return Gate("openpgp", Verdict.NOT_ASSESSED, f"{error.message} ({error.hint})")
    except ReleaseNotTrusted as error:
        return Gate("openpgp", Verdict.FAIL, error.message, tuple(filter(None, [error.details])))
    return Gate("openpgp", Verdict.PASS, f"signed by {signer}")


def _judge_identity(identity: Identity) -> Gate:
    if identity.mistake:
        return Gate("identity", Verdict.FAIL, identity.mistake)
    return Gate("identity", Verdict.PASS, f"it says that it is {identity.said}")


def _judge_signatures(report: nextcloud.SignatureReport) -> Gate:
    counts = (
        f"{len(report.absent)} files absent, {len(report.altered)} altered, {len(report.extra)} extra, "
        f"{report.verified} as signed"
    )
    details = list(report.problems[:_NAMED])
    for kind in ("altered", "extra", "absent"):
        paths: Sequence[str] = getattr(report, kind)
        details += [f"{kind} {_show(path)}" for path in paths[:_NAMED]]
        if len(paths) > _NAMED:
            details.append(f"{kind}: {len(paths) - _NAMED} more")
    if report.problems or report.altered or report.extra:
        summary = report.problems[0] if report.problems and not report.verified else counts
        return Gate("code signature", Verdict.FAIL, summary, tuple(details))
    verdict = Verdict.INCOMPLETE if report.absent else Verdict.PASS
    return Gate("code signature", verdict, counts, tuple(details))


def _show(path: str) -> str:
    """Return a path that somebody else chose so that a terminal shows it and does nothing else."""
    return "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in path)


def _find_unacceptable(gates: Sequence[Gate], report: nextcloud.SignatureReport | None) -> tuple[str, ...]:
    """Say what no trust can outweigh.

    Where the vendor's signature of the single files holds, another digest only says that they were packed
    anew.
    """
    outweighed = ("code signature", "digest") if report else ()
    reasons = [
        f"{gate.name}: {gate.summary}"
        for gate in gates
        if gate.verdict is Verdict.FAIL and gate.name not in outweighed
    ]
    if report is None:
        return tuple(reasons)
    reasons += report.problems
    if report.altered:
        reasons.append(f"{len(report.altered)} files are altered, {_show(report.altered[0])} first")
    if report.executable:
        reasons.append(
            f"{len(report.executable)} files that may be run are not covered by a signature, "
            f"{_show(report.executable[0])} first"
        )
    return tuple(reasons)
