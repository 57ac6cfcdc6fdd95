"""``sovstack meet``: links into meetings. Nothing here contacts a host."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta

import click

from provisioner.errors import UsageError

_FORMAT_VERSION = 1
_UNITS = {"m": "minutes", "h": "hours", "d": "days"}


def _parse_time(context: click.Context, parameter: click.Parameter, text: str) -> timedelta:
    """Return a time such as ``90m``, ``8h`` or ``7d``."""
    if not (found := re.fullmatch(r"([0-9]{1,6})([mhd])", text)):
        raise click.BadParameter(f"{text!r} is not a time; write it as 90m, 8h or 7d", context, parameter)
    return timedelta(**{_UNITS[found[2]]: int(found[1])})


@click.group()
def meet() -> None:
    """Links into the meetings of a deployment."""


@meet.command()
@click.argument("profile")
@click.argument("room")
@click.option("--name", default="", metavar="NAME", help="What others see of who joins with it.")
@click.option(
    "--moderator/--guest",
    default=True,
    help="Whether who holds it leads the meeting and lets others in; otherwise a moderator has to be there.",
)
@click.option(
    "--valid", callback=_parse_time, default="8h", show_default=True, metavar="TIME", help="90m, 8h or 7d."
)
@click.option(
    "--output", type=click.Choice(["text", "json"]), default="text", help="How to print the result."
)
def link(profile: str, room: str, name: str, moderator: bool, valid: timedelta, output: str) -> None:
    """Print a signed link into ROOM of the meetings that PROFILE deploys.

    Whoever has the link has what it allows, until it ends: hand it to whom it is meant for. Guests need none where the
    profile lets them in; the room's address is enough.
    """
    from provisioner.profile import find_profile, read_profile, secrets
    from provisioner.profile.meeting import invite

    reading = read_profile(find_profile(profile))
    service = reading.profile.services.meet
    if service is None:
        raise UsageError(
            f"{reading.deployment} has no meetings", hint="add services.meet to the profile, and apply"
        )
    invitation = invite(
        service.hostname, room, name=name, moderator=moderator, now=datetime.now(UTC), valid=valid
    )
    store = secrets.SecretStore(
        reading.folder / secrets.FILE_NAME,
        secrets.VaultPassword(reading.profile.secrets.vault_password),
    )
    key = store.read().get("jitsi_app_secret")
    if key is None:
        raise UsageError(f"{store.file} has no key for links yet", hint="sovstack apply makes it")
    address = invitation.link(key)
    if output == "text":
        click.echo(address)
        role = "moderator" if moderator else "guest"
        click.echo(f"for a {role} of {invitation.room}, until {invitation.ends:%Y-%m-%d %H:%M} UTC", err=True)
        return
    document = {
        "format_version": _FORMAT_VERSION,
        "link": address,
        "room": invitation.room,
        "moderator": moderator,
        "name": name,
        "expires_at": invitation.ends.isoformat(timespec="seconds"),
    }
    click.echo(json.dumps(document, indent=2, ensure_ascii=False))
