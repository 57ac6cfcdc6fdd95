"""What the API answers about channels."""

from __future__ import annotations

from typing import Any

from ..api import OK, Answer, Api, Request, route
from ..contract import invalid, is_id
from ..people import LOCAL


@route("POST /api/v4/channels")
def create_channel(api: Api, request: Request) -> Answer:
    fields = request.fields("channel")
    if request.who is not LOCAL:
        for name in ("team_id", "display_name"):
            if not fields.get(name):
                raise invalid(name)
        request.require(api.is_member(request.who, team=fields["team_id"]), "create_public_channel")
    return Answer(api.channels.create(fields, request.who), 201)


@route("POST /api/v4/channels/direct")
def create_direct_channel(api: Api, request: Request) -> Answer:
    pair = request.body
    if not (isinstance(pair, list) and len(pair) == 2 and all(is_id(str(one)) for one in pair)):
        raise invalid("pair of users")
    request.require(request.who.user_id in pair, "manage_system")
    for user_id in pair:
        api.people.get(user_id)
    return Answer(api.channels.direct_channel(*pair), 201)


@route("GET /api/v4/channels")
def list_all_channels(api: Api, request: Request) -> Answer:
    request.require(False, "manage_system")
    return Answer(api.channels.listing("", "OP", request.query))


@route("GET /api/v4/channels/{channel_id}")
def get_channel(api: Api, request: Request) -> Answer:
    return Answer(_visible(api, request, api.channels.get(request["channel_id"])))


@route(
    "GET /api/v4/teams/{team_id}/channels/name/{channel_name}",
    "GET /api/v4/teams/name/{team_name}/channels/name/{channel_name}",
)
def get_channel_by_name(api: Api, request: Request) -> Answer:
    name = request.parameters.get("team_name")
    team_id = api.teams.by_name(name)["id"] if name else request["team_id"]
    archived = request.query.get("include_deleted") == "true"
    return Answer(
        _visible(api, request, api.channels.by_name(team_id, request["channel_name"], archived=archived))
    )


def _visible(api: Api, request: Request, found: dict[str, Any]) -> dict[str, Any]:
    """Return a channel to those who may see it: who is in it, and everybody of the team where it is open."""
    is_open = found["type"] == "O" and api.is_member(request.who, team=found["team_id"])
    request.require(is_open or api.is_member(request.who, channel=found["id"]), "read_channel")
    return found


@route("GET /api/v4/teams/{team_id}/channels")
def list_public_channels(api: Api, request: Request) -> Answer:
    request.require(api.is_member(request.who, team=request["team_id"]), "list_team_channels")
    return Answer(api.channels.listing(request["team_id"], "O", request.query))


@route("GET /api/v4/teams/{team_id}/channels/private")
def list_private_channels(api: Api, request: Request) -> Answer:
    request.require(False, "manage_system")
    return Answer(api.channels.listing(request["team_id"], "P", request.query))


@route("GET /api/v4/teams/{team_id}/channels/deleted")
def list_archived_channels(api: Api, request: Request) -> Answer:
    request.require(api.is_member(request.who, team=request["team_id"]), "list_team_channels")
    return Answer(api.channels.listing(request["team_id"], "OP", request.query, archived=True))


@route("PUT /api/v4/channels/{channel_id}", "PUT /api/v4/channels/{channel_id}/patch")
def change_channel(api: Api, request: Request) -> Answer:
    request.require(api.is_member(request.who, channel=request["channel_id"]), "manage_channel_properties")
    return Answer(api.channels.change(request["channel_id"], request.fields("channel")))


@route("PUT /api/v4/channels/{channel_id}/privacy")
def change_channel_privacy(api: Api, request: Request) -> Answer:
    request.require(api.is_member(request.who, channel=request["channel_id"], admin=True), "convert_channel")
    return Answer(api.channels.set_privacy(request["channel_id"], request.value("privacy", str)))


@route("DELETE /api/v4/channels/{channel_id}")
def delete_channel(api: Api, request: Request) -> Answer:
    request.require(api.is_member(request.who, channel=request["channel_id"]), "delete_channel")
    if request.query.get("permanent") == "true":
        name = "ServiceSettings.EnableAPIChannelDeletion"
        api.require_setting(name, request, "api.user.delete_channel.not_enabled.app_error")
        api.channels.delete(request["channel_id"])
    else:
        api.channels.set_archived(request["channel_id"], archived=True)
    return OK


@route("POST /api/v4/channels/{channel_id}/restore")
def restore_channel(api: Api, request: Request) -> Answer:
    request.require(api.is_member(request.who, channel=request["channel_id"], admin=True), "manage_team")
    api.channels.set_archived(request["channel_id"], archived=False)
    return Answer(api.channels.get(request["channel_id"]))


@route("POST /api/v4/channels/{channel_id}/members")
def join_channel(api: Api, request: Request) -> Answer:
    user_id = request.value("user_id", str)
    found = api.channels.get(request["channel_id"])
    joins_open = found["type"] == "O" and user_id == request.who.user_id
    request.require(joins_open or api.is_member(request.who, channel=found["id"]), "manage_channel_members")
    joined = api.channels.join(found["id"], user_id)
    if request.who is not LOCAL:
        api.announce_arrival(found, user_id, request.who)
    return Answer(joined, 201)


@route("GET /api/v4/channels/{channel_id}/members")
def list_channel_members(api: Api, request: Request) -> Answer:
    request.require(api.is_member(request.who, channel=request["channel_id"]), "read_channel")
    return Answer(api.channels.members(request["channel_id"], request.query))


@route("GET /api/v4/channels/{channel_id}/members/{user_id}")
def get_channel_member(api: Api, request: Request) -> Answer:
    request.require(api.is_member(request.who, channel=request["channel_id"]), "read_channel")
    return Answer(api.channels.member(request["channel_id"], request["user_id"]))


@route("DELETE /api/v4/channels/{channel_id}/members/{user_id}")
def leave_channel(api: Api, request: Request) -> Answer:
    themselves = request["user_id"] == request.who.user_id
    request.require(
        themselves or api.is_member(request.who, channel=request["channel_id"]), "manage_channel_members"
    )
    api.channels.leave(request["channel_id"], request["user_id"])
    return OK
