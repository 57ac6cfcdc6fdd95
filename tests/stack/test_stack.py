"""From a profile to a verified stack and through its first days: apply, plan, hand edits, reboot.

The tests build on each other; each needs the ones before it.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

import pytest
from stack import drift, egress
from stack.deployment import Deployment, Outcome
from stack.use import require_use

pytestmark = [pytest.mark.root, pytest.mark.slow]

# What files and chat alone need, and how it is kept from starting: nothing disables what a generator starts.
RETIRED = {
    "mattermost.service": "disabled",
    "nextcloud-cron.timer": "disabled",
    "php8.4-fpm.service": "disabled",
    "postgresql@17-main.service": "masked",
    "valkey-server.service": "disabled",
}
NOOP_SECONDS = 20  # the bar of all applications together, on an idle computer


@dataclass(frozen=True)
class Edit:
    """A managed thing that somebody changes by hand.

    Attributes:
        command: How, on the host.
        role: Whose task puts it right.
        task: A pattern of that task's name.
        diff: What the plan's difference must show.
        consequences: Patterns of tasks of the same role that follow from it, such as a reload.
    """

    command: str
    role: str
    task: str
    diff: str
    consequences: tuple[str, ...] = ()


EDITS = (
    Edit(
        "sed -i 's/SAMEORIGIN/ALLOWALL/' /etc/nginx/snippets/security-headers.conf",
        "nginx",
        "Write security headers, configuration and log rotation",
        "ALLOWALL",
        ("Run nginx",),
    ),
    Edit(
        # Another archive of the same version.
        'mv "$(readlink -f /opt/nextcloud/current)" /opt/nextcloud/releases/34.0.1-0123456789ab'
        " && ln -sfn /opt/nextcloud/releases/34.0.1-0123456789ab /opt/nextcloud/current",
        "nextcloud",
        "Unpack the release",
        "/opt/nextcloud/releases/",
        ("Install or upgrade",),
    ),
    Edit("systemctl disable --quiet nextcloud-cron.timer", "nextcloud", "Run the background jobs", "enable"),
    Edit(
        "rm /etc/logrotate.d/nextcloud",
        "nextcloud",
        "Write units, log rotation",
        "+    missingok",
    ),
    Edit("nextcloud-occ --quiet app:enable weather_status", "nextcloud", "Set up the apps", "weather_status"),
    Edit(
        "sed -i '/ENABLELINKPREVIEWS/s/false/true/' /etc/mattermost/mattermost.env",
        "mattermost",
        "Write the settings",
        "ENABLELINKPREVIEWS",
        ("Run Mattermost",),
    ),
    Edit(
        "ln -sf /usr/share/zoneinfo/America/New_York /etc/localtime", "base", "Set the time zone", "New_York"
    ),
)


def _show(outcome: Outcome) -> str:
    return f"exit {outcome.exit_code}\n{outcome.log[-4000:]}"


def test_apply_deploys_and_verifies(deployment: Deployment) -> None:
    deployment.host("mount --options remount,noexec /run")  # as a host that is no container has it
    outcome = deployment.run("apply")
    assert outcome.exit_code == 0, _show(outcome)
    assert outcome.bad_checks() == []
    ids = {check["id"] for check in outcome.report["checks"]}
    assert {
        "FILES-WEBDAV",
        "FILES-CRON",
        "CHAT-MESSAGE",
        "MEET-MODERATOR",
        "MEET-FORGED",
        "MEET-TURNS",
        "PORTAL-PAGE",
        "TLS-VER",
        "WEB-CSP-ROOT",
        "NET-PORTS",
    } <= ids
    assert all(check["remedy"] and check["grade"] for check in outcome.report["checks"])


def test_no_service_ran_with_the_settings_of_its_package(deployment: Deployment) -> None:
    started = deployment.host(
        "journalctl --boot --output=cat --identifier=systemd | grep '^Started ' | cut -d ' ' -f 2"
    ).split()
    for unit in ("nginx.service", "postgresql@17-main.service", "valkey-server.service", "coturn.service"):
        assert started.count(unit) == 1, f"{unit} was started {started.count(unit)} times"


def test_second_apply_changes_nothing(deployment: Deployment) -> None:
    started = time.monotonic()
    outcome = deployment.run("apply")
    seconds = time.monotonic() - started
    assert outcome.exit_code == 0, _show(outcome)
    assert outcome.changes == []
    print(f"second apply: {seconds:.1f} s (bar: {NOOP_SECONDS} s on an idle computer)")


def test_plan_of_a_converged_host_is_empty(deployment: Deployment) -> None:
    outcome = deployment.run("plan", "--detailed-exitcode")
    assert outcome.exit_code == 0, _show(outcome)
    assert outcome.changes == []


def test_plan_names_exactly_what_was_edited_by_hand(deployment: Deployment) -> None:
    for edit in EDITS:
        deployment.host(edit.command)
    outcome = deployment.run("plan", "--detailed-exitcode")
    assert outcome.exit_code == 2, _show(outcome)
    changes = list(outcome.changes)
    for edit in EDITS:
        (found,) = [c for c in changes if c["role"] == edit.role and edit.task in c["task"]]
        assert edit.diff in found["diff"], f"{edit.task}: {found['diff']}"
        changes.remove(found)
    for edit in EDITS:
        for consequence in edit.consequences:
            changes = [c for c in changes if not (c["role"] == edit.role and consequence in c["task"])]
    assert changes == []


def test_plan_names_every_managed_file_and_setting(deployment: Deployment) -> None:
    files = drift.managed_files(deployment)
    assert len(files) > 40, files  # files, chat and portal alone have 45
    deployment.host(drift.back_up(files))
    deployment.host(drift.append_blank_line(files))
    deployment.host("\n".join(drift.SETTINGS))
    outcome = deployment.run("plan", "--detailed-exitcode")
    deployment.host(drift.restore())
    assert outcome.exit_code == 2, _show(outcome)
    assert drift.unnamed([*files, *drift.SETTINGS.values()], outcome.changes) == []


def test_plan_names_owners_modes_units_and_packages(deployment: Deployment) -> None:
    """Also with every service stopped: what a plan cannot ask then, it leaves out."""
    files, units = drift.managed_files(deployment), deployment.machine.declared_units()
    drop_ins, paths = drift.add_drop_ins(units)
    deployment.host(drift.give_away(files[::2]))
    deployment.host(drift.open_wide(files[1::2]))
    deployment.host(drop_ins)
    hiding = deployment.host(drift.hide_units_of_packages(units)).split()
    assert "/etc/systemd/system/nginx.service" in hiding, hiding
    paths += hiding
    deployment.host("dpkg --remove unattended-upgrades")
    deployment.host(f"systemctl stop {' '.join(units)}")
    disabled = deployment.host(
        f"systemctl disable --quiet {' '.join(units)} && systemctl is-enabled {' '.join(units)} || true"
    )
    assert disabled.split().count("disabled") >= len(units) - 1, (
        disabled
    )  # Debian's generator enables PostgreSQL's
    outcome = deployment.run("plan", "--detailed-exitcode")
    assert outcome.exit_code == 2, _show(outcome)
    assert drift.unnamed([*files, *paths, *units, "unattended-upgrades"], outcome.changes) == []
    diffs = "\n".join(change["diff"] for change in outcome.changes)
    assert diffs.count("enable, start") >= len(units) - 1


def test_plan_left_the_edits_alone(deployment: Deployment) -> None:
    assert "ALLOWALL" in deployment.host("cat /etc/nginx/snippets/security-headers.conf")


def test_apply_puts_the_edits_right(deployment: Deployment) -> None:
    outcome = deployment.run("apply")
    assert outcome.exit_code == 0, _show(outcome)
    assert len(outcome.changes) >= len(EDITS)
    assert "ALLOWALL" not in deployment.host("cat /etc/nginx/snippets/security-headers.conf")
    assert deployment.run("plan", "--detailed-exitcode").exit_code == 0


def test_everything_comes_back_after_a_reboot(deployment: Deployment) -> None:
    deployment.machine.reboot()
    outcome = deployment.run("verify")
    assert outcome.exit_code == 0, _show(outcome)
    assert outcome.bad_checks() == []


def test_killed_services_come_back(deployment: Deployment) -> None:
    """Every service that people or other services talk to is killed, all at once; nobody does anything about it."""
    before = deployment.machine.processes()
    names = list(before)
    assert {"nginx.service", "valkey-server.service", "mattermost.service", "prosody.service"} < set(names)
    deployment.host(f"kill -9 {' '.join(str(unit.main) for unit in before.values())}")
    deadline = time.monotonic() + 60
    while deployment.host(f"systemctl is-active {' '.join(names)} || true").split() != ["active"] * len(
        names
    ):
        assert time.monotonic() < deadline, deployment.host(
            f"systemctl status --no-pager {' '.join(names)} || true"
        )
        time.sleep(1)
    after = deployment.machine.processes()
    assert all(after[name].main != before[name].main for name in names)
    outcome = deployment.run("verify")
    assert outcome.exit_code == 0, _show(outcome)


def test_a_database_that_is_told_to_stop_comes_back(deployment: Deployment) -> None:
    """A plain kill has PostgreSQL wait for its clients, and let no new ones in: they leave within a minute."""
    before = {name: unit for name, unit in deployment.machine.processes().items() if "postgresql" in name}
    ((name, unit),) = before.items()
    deployment.host(f"kill -TERM {unit.main}")
    deadline = time.monotonic() + 90
    # Between the two it has no process.
    while (new := deployment.machine.processes().get(name)) is None or new.main == unit.main:
        assert time.monotonic() < deadline, deployment.host(f"systemctl status --no-pager {name} || true")
        time.sleep(1)
    outcome = deployment.run("verify")
    assert outcome.exit_code == 0, _show(outcome)


def test_background_jobs_setup_checks_and_use_contact_nobody(deployment: Deployment) -> None:
    """What is recorded by the firewall since the reboot holds the resolver, time and apt sources at most."""
    deployment.host("systemctl start nextcloud-cron.service")
    deployment.host("nextcloud-occ setupchecks --output=json || true")
    require_use(deployment.run("verify", "--level", "use"), is_behind_nat=deployment.is_behind_nat)
    assert egress.strangers(deployment.machine) == set()


def test_services_that_the_profile_drops_are_stopped_and_kept(deployment: Deployment) -> None:
    deployment.write_profile(without=("files", "chat"))
    foretold = deployment.run("plan", "--detailed-exitcode")
    assert foretold.exit_code == 2, _show(foretold)
    diffs = "".join(change["diff"] for change in foretold.changes if change["role"] == "base")
    assert all(f"+++ {unit}" in diffs for unit in RETIRED), diffs
    outcome = deployment.run("apply")
    assert outcome.exit_code == 0, _show(outcome)
    assert outcome.bad_checks() == []
    assert any("no longer names" in note and "mattermost" in note for note in outcome.report["notes"])
    [check] = [check for check in outcome.report["checks"] if check["id"] == "HOST-RETIRED"]
    assert all(f"{unit} inactive {state}" in check["actual"] for unit, state in RETIRED.items()), check
    again = deployment.run("apply")
    assert (again.exit_code, again.changes) == (0, []), _show(again)


def test_service_that_is_named_again_goes_on(deployment: Deployment) -> None:
    instance = deployment.host("grep instanceid /etc/nextcloud/config.php")
    deployment.write_profile(without=("chat",))
    outcome = deployment.run("apply")
    assert outcome.exit_code == 0, _show(outcome)
    assert outcome.bad_checks() == []
    [check] = [check for check in outcome.report["checks"] if check["id"] == "HOST-RETIRED"]
    assert check["actual"] == "mattermost.service inactive disabled"
    assert deployment.host("nextcloud-occ config:system:get instanceid").strip() in instance


def test_destroy_leaves_the_host_bare(deployment: Deployment) -> None:
    """Also of what the profile does not name any more."""
    outcome = deployment.run("destroy", "--yes")
    assert outcome.exit_code == 0, _show(outcome)
    assert (
        deployment.host("ls -d /srv/* /opt/* /etc/nextcloud /etc/mattermost /etc/jitsi 2>/dev/null || true")
        == ""
    )
    assert deployment.host("ss -Hltn | awk '{print $4}' | grep -c ':443$' || true").strip() == "0"
