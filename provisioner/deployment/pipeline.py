"""The verbs that touch hosts, each as the list of its steps."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from provisioner.deployment import steps
from provisioner.deployment.acceptance import Level
from provisioner.deployment.history import installed_releases
from provisioner.deployment.session import Observer, Session
from provisioner.deployment.verification import Verification
from provisioner.engine.runner import choose_transport
from provisioner.profile import ProfileReading
from provisioner.releases import Sources
from provisioner.reporting.report import RunReport


@dataclass(frozen=True, slots=True)
class Options:
    """What the caller of a verb may choose; the profile says everything else.

    ``transport`` is ``mitogen``, ``ssh`` or None for the fastest that works here; ``level`` is how deep verification
    goes.
    """

    allow_doubles: bool = False
    releases_from: Path | None = None
    transport: str | None = None
    level: Level = Level.STANDARD


_DEFAULTS = Options()


def apply(reading: ProfileReading, observe: Observer, options: Options = _DEFAULTS) -> RunReport:
    """Make the hosts what the profile says, verify them, and return the report.

    A run that began always gives a report; what went wrong is in it (``error``, ``exit_code``).

    Raises:
        Busy: Another run holds the deployment's lock.
        Unavailable: This computer lacks something.
        UsageError: The options ask for something that does not exist.
    """
    transport = choose_transport(options.transport)
    with Session(reading, "apply", observe) as session:
        vault = steps.ensure_secrets(session)
        with steps.started(session, "site", vault, transport) as playbook:
            releases = steps.obtain_releases(session, _sources(reading, options))
            budgets = steps.connect(session)
            steps.refuse_small_hosts(session, budgets)
            inventory = steps.write_inventory(session, releases, budgets)
            with Verification(session, inventory, vault, options.level) as verification:
                steps.play(session, playbook, "converge", meanwhile=verification.load)
                verification.run()
    return session.report


def plan(reading: ProfileReading, observe: Observer, options: Options = _DEFAULTS) -> RunReport:
    """Predict what ``apply`` would change, change nothing on the hosts, and return the report.

    It is Ansible's check mode: what a task finds only after an earlier one really ran, it cannot foretell.
    Raises as ``apply``.
    """
    transport = choose_transport(options.transport)
    with Session(reading, "plan", observe) as session:
        vault = steps.ensure_secrets(session)
        with steps.started(session, "site", vault, transport, check=True) as playbook:
            releases = steps.obtain_releases(session, _sources(reading, options))
            budgets = steps.connect(session)
            steps.refuse_small_hosts(session, budgets)
            steps.write_inventory(session, releases, budgets)
            steps.play(session, playbook, "predict")
    return session.report


def verify(reading: ProfileReading, observe: Observer, options: Options = _DEFAULTS) -> RunReport:
    """Test the deployment as it is, inside and from outside, and return the report. Raises as ``apply``."""
    with Session(reading, "verify", observe) as session:
        vault = steps.ensure_secrets(session)
        budgets = steps.connect(session, to_verify=True)
        inventory = steps.write_inventory(session, steps.name_releases(session.profile), budgets)
        for release in installed_releases(session.workspace, session.profile):
            session.tell(release)
        with Verification(session, inventory, vault, options.level) as verification:
            verification.run()
    return session.report


def destroy(reading: ProfileReading, observe: Observer, options: Options = _DEFAULTS) -> RunReport:
    """Remove from the hosts what ``apply`` put there, data included, and return the report.

    The hosts stay, with their operating system, their users and their SSH server. Raises as ``apply``.
    """
    transport = choose_transport(options.transport)
    with Session(reading, "destroy", observe) as session:
        vault = steps.ensure_secrets(session)
        with steps.started(session, "destroy", vault, transport) as playbook:
            budgets = steps.connect(session)
            steps.write_inventory(session, steps.name_releases(session.profile), budgets)
            steps.play(session, playbook, "remove")
    return session.report


def _sources(reading: ProfileReading, options: Options) -> Sources:
    return Sources(
        directory=options.releases_from,
        mirror=reading.profile.releases.mirror,
        allow_doubles=options.allow_doubles,
    )
