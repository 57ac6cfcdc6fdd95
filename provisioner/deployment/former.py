"""What the hosts carried before this profile: data that stay behind, services and hosts that end."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from provisioner.deployment.history import reports
from provisioner.deployment.session import Session
from provisioner.engine.declaration import Declaration
from provisioner.errors import HostFailed
from provisioner.profile import Profile
from provisioner.profile.placement import roles_of

# Whose data are on the host of the service. A database on another host than before is its application's to refuse.
_WITH_DATA = ("nextcloud", "mattermost")


def refuse_moved(session: Session, declared: Mapping[str, Declaration]) -> None:
    """See to it that no service would come up empty on one host while its data are on another.

    Raises:
        HostFailed: One would; all that would are named.
    """
    if problems := list(moved(session.profile, declared)):
        raise HostFailed(
            "; ".join(problems),
            hint="name the former host again; or move the data by hand, as docs/operations/placement.md says, and "
            "give --moved-by-hand; nothing was changed",
        )


def moved(profile: Profile, declared: Mapping[str, Declaration]) -> Iterator[str]:
    """Yield a sentence for each service that is new on its host and has its data on another one."""
    for purpose, service in profile.services.placed():
        home = profile.host_of(service)
        here = declared.get(home, Declaration())
        if service.app not in _WITH_DATA or service.app in here.roles:
            continue
        for name, there in declared.items():
            # Data that were left on both hosts are as good here as there.
            left = there.roles if service.app in here.retired else there.present
            if name != home and service.app in left:
                yield (
                    f"{purpose} has its data on {name} and would begin empty on {home}: apply does not move them"
                )


def note_retired(session: Session, declared: Mapping[str, Declaration]) -> None:
    """Say what an ``apply`` of this profile stops, because it is named for its host no more."""
    for name, there in declared.items():
        wanted = roles_of(session.profile, name)
        if ended := [role for role in there.roles if role not in wanted]:
            session.note(
                f"{name}: the profile no longer names {', '.join(ended)} here: apply stops what runs of it, and it "
                "does not start again; its data stay until `sovstack destroy`"
            )


def note_left(session: Session) -> None:
    """Say which hosts of the newest ``apply`` from this computer are in the profile no more: nobody contacts them."""
    present = {host.address for host in session.profile.hosts.values()}
    for report in reports(session.workspace):
        ended = {phase.name for phase in report.phases if not phase.failed}
        if "remove" in ended:
            return
        if report.verb == "apply" and any(phase.name == "converge" for phase in report.phases):
            for name, address in report.hosts.items():
                if address not in present:
                    what = (
                        "has another address in the profile now"
                        if name in session.profile.hosts
                        else "is in the profile no more"
                    )
                    session.note(
                        f"{name} ({address}) {what}: it is not contacted, and what it carries runs "
                        "on; to stop that, put it back and place nothing there (docs/operations/deploying.md)"
                    )
            return
