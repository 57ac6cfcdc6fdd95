"""A host without the memory is refused before anything is changed, and told what would do."""

from __future__ import annotations

import pytest

from provisioner import sizing
from provisioner.deployment import steps
from provisioner.deployment.session import Session
from provisioner.errors import ExitCode
from provisioner.profile import memory
from provisioner.reporting.report import from_dict
from provisioner.reporting.summary import summarize


@pytest.mark.parametrize(("seen", "code"), [(1981, ExitCode.HOST_FAILED), (16000, ExitCode.DONE)])
def test_small_hosts_are_refused_with_the_number(session: Session, seen: int, code: ExitCode) -> None:
    with session:
        budgets = memory.budgets(session.profile, {"main": seen})
        for budget in budgets.values():
            session.tell(budget)
        steps.refuse_small_hosts(session, budgets)
    report = session.report
    assert report.exit_code == code
    assert report.budgets == tuple(budgets.values())
    assert from_dict(report.to_dict()) == report
    assert f"main: {seen} MB of memory; {report.budgets[0].enough} MB would do" in summarize(report)
    if code:
        assert report.error
        assert "main has 1981 MB of memory, too little for 180 users" in report.error.message
        assert f"{report.budgets[0].enough} MB would do" in report.error.message
        assert "php_fpm 1156" in (report.error.details or "")


def test_the_profile_limits_what_is_used_of_a_bigger_host(session: Session) -> None:
    main = session.profile.hosts["main"]

    def budget(declared: int | None, seen: int | None) -> int | None:
        hosts = {"main": main.model_copy(update={"memory_megabytes": declared})}
        profile = session.profile.model_copy(update={"hosts": hosts})
        return memory.budgets(profile, {"main": seen} if seen else None)["main"].memory

    assert budget(None, None) is None
    assert budget(4096, None) == sizing.visible(4096) < 4096
    assert budget(4096, 7900) == 4096
    assert budget(8192, 7900) == 7900
    assert budget(None, 7900) == 7900
