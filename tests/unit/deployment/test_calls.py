"""What a profile lets call others, and why, is in the report of every run."""

from __future__ import annotations

from pathlib import Path

from provisioner.deployment import steps
from provisioner.deployment.session import Session
from provisioner.profile import read_profile
from provisioner.reporting import markdown


def test_the_report_says_what_calls_others_and_why(session: Session) -> None:
    file = session.folder / "profile.yml"
    own = (
        "app: mattermost\n    settings: { ServiceSettings.EnableLinkPreviews: true, LogSettings.EnableSentry: false }"
        "\n    reasons: { ServiceSettings.EnableLinkPreviews: Asked for by the council. }"
    )
    file.write_text(file.read_text().replace("app: mattermost", own, 1))
    told = Session(read_profile(Path(session.folder)), "plan", lambda happening: None)
    with told:
        steps.tell_calls(told)
    assert told.report.notes == (
        "services.chat: ServiceSettings.EnableLinkPreviews makes Mattermost call its vendor or others: "
        "Asked for by the council.",
    )
    assert "- services.chat: ServiceSettings.EnableLinkPreviews makes Mattermost call" in markdown.render(
        told.report
    )


def test_a_reason_that_nobody_asked_for_is_missing(session: Session) -> None:
    file = session.folder / "profile.yml"
    file.write_text(
        file.read_text()
        .replace("app: nextcloud", "app: nextcloud\n    apps_enabled: [weather_status]", 1)
        .replace("level: on-premise", "level: none")
    )
    told = Session(read_profile(Path(session.folder)), "plan", lambda happening: None)
    with told:
        steps.tell_calls(told)
    assert told.report.notes == (
        "services.files: weather_status makes Nextcloud call its vendor or others: no reason "
        "is given, and sovereignty.level asks for none",
    )
