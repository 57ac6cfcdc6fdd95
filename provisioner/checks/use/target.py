"""What a verification of use is pointed at: plain data, so that no check knows a profile."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from provisioner.checks.outside.chat import ChatTarget
from provisioner.checks.outside.files import FilesTarget
from provisioner.checks.outside.portal import PortalTarget
from provisioner.checks.outside.target import WebTarget


@dataclass(frozen=True, slots=True)
class ChatHost:
    """A Mattermost, and a root shell on its host.

    ``run`` takes a command line and returns its exit status and what it printed, errors included.
    """

    service: ChatTarget
    run: Callable[[str], tuple[int, str]]


@dataclass(frozen=True, slots=True)
class Participant:
    """Somebody who takes part in a meeting.

    Attributes:
        who: What one calls them: ``the moderator``.
        name: What they type where the page asks for a name; a link may hold another one.
        address: What they open.
        waits: Whether they wait in the lobby until a moderator is there.
    """

    who: str
    name: str
    address: str
    waits: bool = False


@dataclass(frozen=True, slots=True)
class Videobridge:
    """A videobridge: the name of its host, its address there, and those at which the profile says others reach it."""

    name: str
    address: str
    public: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class MeetTarget:
    """Meetings, and who takes part.

    Attributes:
        web: The service.
        invite: Takes a room and returns its participants, the moderator first.
        relay: Where TURN over TLS answers.
        bridges: The videobridges; one of them carries a meeting.
    """

    web: WebTarget
    invite: Callable[[str], Sequence[Participant]]
    relay: WebTarget
    bridges: tuple[Videobridge, ...]

    @property
    def is_public(self) -> bool:
        """Whether the profile names an address at which others reach a videobridge."""
        return any(bridge.public for bridge in self.bridges)


@dataclass(frozen=True, slots=True)
class Suite:
    """A deployment as its people meet it.

    Attributes:
        web: The sites, by purpose or ``portal``.
        doubles: The application for which a contract double stands in, by purpose.
        files: The Nextcloud, where there is one.
        chat: The Mattermost, where there is one.
        meet: The meetings, where there are some.
        portal: The portal, where there is one.
        owner: Stands for the deployment on this controller in the names of throw-away users (``Names``).
        directory: The run's directory, for pictures.
        scratch: A folder for what is needed only during the run.
    """

    web: Mapping[str, WebTarget]
    doubles: Mapping[str, str]
    files: FilesTarget | None
    chat: ChatHost | None
    meet: MeetTarget | None
    portal: PortalTarget | None
    owner: str
    directory: Path
    scratch: Path

    @property
    def peers(self) -> tuple[WebTarget, ...]:
        """Everything that the deployment's pages may speak to: the sites, and the relay of meetings."""
        return (*self.web.values(), *([self.meet.relay] if self.meet else []))
