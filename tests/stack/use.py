"""What a verification by use must have found, with real applications, incomplete ones and doubles."""

from __future__ import annotations

from stack.deployment import Outcome


def require_use(outcome: Outcome, *, is_behind_nat: bool = False) -> None:
    """Hold a verification by use to pass wherever it can: with the real applications, as whole as they were had."""
    checks = {check["id"]: check for check in outcome.report["checks"]}
    doubles = set(outcome.report["evidence_missing_for"])
    # What was trusted though files were absent may show no page; that is then to be seen, not passed over.
    incomplete = {release["application"] for release in outcome.report["releases"] if release["trust"]}
    for application, *uses, page in (
        ("nextcloud", "USE-FILES-SHARE", "USE-FILES-PAGE"),
        ("mattermost", "USE-CHAT-POST", "USE-CHAT-PAGE"),
        ("jitsi-meet-web", "USE-MEET-UDP", *(["USE-MEET-PUBLIC"] if is_behind_nat else []), "USE-MEET-TURN"),
    ):
        wanted = {"not_assessed"} if application in doubles else {"pass", "warn"}
        for use in uses:
            assert checks[use]["verdict"] in wanted, checks[use]
        if application not in incomplete and "no Chromium" not in checks[page]["actual"]:
            assert checks[page]["verdict"] in wanted, checks[page]
    accessible = checks["USE-PORTAL-ACCESSIBLE"]
    assert accessible["verdict"] == "pass" or "no Chromium" in accessible["actual"], accessible
    others = [bad for bad in outcome.bad_checks() if " USE-" not in bad]
    assert others == [], outcome.log[-4000:]
    assert checks["USE-BROWSER-REQUESTS"]["verdict"] != "fail", checks["USE-BROWSER-REQUESTS"]
