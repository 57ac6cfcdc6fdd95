"""What the first contact with the hosts means for a verb."""

from __future__ import annotations

import pytest

from provisioner.deployment import steps
from provisioner.deployment.session import Session
from provisioner.engine import connection
from provisioner.engine.connection import Contact
from provisioner.errors import ExitCode
from provisioner.profile import memory


@pytest.mark.parametrize(
    ("deployed", "to_verify", "code"),
    [
        ((False,), True, ExitCode.VERIFICATION_FAILED),
        ((False, False), True, ExitCode.VERIFICATION_FAILED),
        ((True, False), True, ExitCode.DONE),  # the checks say what the second one lacks
        ((False,), False, ExitCode.DONE),
    ],
)
def test_bare_hosts_are_not_worth_a_hundred_failed_checks(
    session: Session,
    monkeypatch: pytest.MonkeyPatch,
    deployed: tuple[bool, ...],
    to_verify: bool,
    code: ExitCode,
) -> None:
    [main] = steps.targets(session.profile)
    contacts = [Contact(main, "Debian", 4096, deployed=state) for state in deployed]
    monkeypatch.setattr(connection, "connect", lambda *arguments: contacts)
    with session:
        steps.connect(session, to_verify=to_verify)
    assert session.report.exit_code == code
    if session.report.error:
        assert session.report.error.message.startswith("nothing is deployed on main (10.77.0.11)")
        assert session.report.error.hint == "sovstack apply gemeente deploys, and verifies"


def test_a_host_known_by_an_ecdsa_key_is_told_to_offer_it(session: Session) -> None:
    """Whatever is recorded: the next contact accepts no other key."""
    (session.folder / steps.KNOWN_HOSTS).write_text("10.77.0.11 ecdsa-sha2-nistp384 AAAA\n")
    budgets = memory.budgets(session.profile)
    with session:
        built = steps.write_inventory(session, steps.name_releases(session.profile), budgets)
    assert built.host_vars["main"]["base_ssh_host_key_algorithms"][-1] == "ecdsa-sha2-nistp384"
