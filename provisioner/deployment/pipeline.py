"""The verbs that touch hosts, each as the list of its steps."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from provisioner.deployment import former, steps
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
    goes; ``moved_by_hand`` lets a service with data come up on another host without them.
    """

    allow_doubles: bool = False
    releases_from: Path | None = None
    transport: str | None = None
    level: Level = Level.STANDARD
    moved_by_hand: bool = False


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
        steps.tell_calls(session)
        with steps.started(session, "site", vault, transport) as playbook:
            releases = steps.obtain_releases(session, _sources(reading, options))
            hosts = steps.connect(session)
            _judge(session, hosts, options)
            inventory = steps.write_inventory(session, releases, hosts.budgets)
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
        steps.tell_calls(session)
        with steps.started(session, "site", vault, transport, check=True) as playbook:
            releases = steps.obtain_releases(session, _sources(reading, options))
            hosts = steps.connect(session)
            _judge(session, hosts, options)
            steps.write_inventory(session, releases, hosts.budgets)
            steps.play(session, playbook, "predict")
    return session.report


def verify(reading: ProfileReading, observe: Observer, options: Options = _DEFAULTS) -> RunReport:
    """Test the deployment as it is, inside and from outside, and return the report. Raises as ``apply``."""
    with Session(reading, "verify", observe) as session:
        vault = steps.ensure_secrets(session)
        steps.tell_calls(session)
        hosts = steps.connect(session, to_verify=True)
        inventory = steps.write_inventory(session, steps.name_releases(session.profile), hosts.budgets)
        for release in installed_releases(session.workspace, session.profile, hosts.doubles):
            session.tell(release)
        with Verification(session, inventory, vault, options.level) as verification:
            verification.run()
    return session.report


def destroy(reading: ProfileReading, observe: Observer, options: Options = _DEFAULTS) -> RunReport:
    """Remove from the hosts what ``apply`` put there, data included, and return the report.

    That includes what an earlier profile named for a host that is still in this one. The hosts stay, with their
    operating system, their users and their SSH server. Raises as ``apply``.
    """
    transport = choose_transport(options.transport)
    with Session(reading, "destroy", observe) as session:
        vault = steps.ensure_secrets(session)
        with steps.started(session, "destroy", vault, transport) as playbook:
            hosts = steps.connect(session)
            former.note_left(session)
            present = {name: declared.present for name, declared in hosts.declared.items()}
            steps.write_inventory(session, steps.name_releases(session.profile), hosts.budgets, present)
            steps.play(session, playbook, "remove")
    return session.report


def _judge(session: Session, hosts: steps.Hosts, options: Options) -> None:
    """Refuse what would end badly, while nothing is changed yet."""
    steps.refuse_small_hosts(session, hosts.budgets)
    if not options.moved_by_hand:
        former.refuse_moved(session, hosts.declared)
    former.note_retired(session, hosts.declared)
    former.note_left(session)


def _sources(reading: ProfileReading, options: Options) -> Sources:
    return Sources(
        directory=options.releases_from,
        mirror=reading.profile.releases.mirror,
        allow_doubles=options.allow_doubles,
    )
