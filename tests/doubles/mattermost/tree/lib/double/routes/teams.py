"""What the API answers about teams."""

from __future__ import annotations

from ..api import OK, Answer, Api, Request, route
from ..contract import ApiError, invalid, is_id
from ..people import LOCAL


@route("POST /api/v4/teams")
def create_team(api: Api, request: Request) -> Answer:
    fields = dict(request.fields("team"))
    if request.who is not LOCAL:
        fields["email"] = api.people.get(request.who.user_id)["email"]
    return Answer(api.teams.create(fields, request.who), 201)


@route("GET /api/v4/teams")
def list_teams(api: Api, request: Request) -> Answer:
    found = api.teams.listing(request.query)
    if not request.who.is_admin:
        found = [team for team in found if team["allow_open_invite"] and not team["delete_at"]]
    return Answer(found)


@route("GET /api/v4/teams/{team_id}", "GET /api/v4/teams/name/{team_name}")
def get_team(api: Api, request: Request) -> Answer:
    name = request.parameters.get("team_name")
    found = api.teams.by_name(name) if name else api.teams.get(request["team_id"])
    request.require(found["allow_open_invite"] or api.is_member(request.who, team=found["id"]), "view_team")
    return Answer(found)


@route("GET /api/v4/teams/name/{team_name}/exists")
def say_whether_team_exists(api: Api, request: Request) -> Answer:
    try:
        found = api.teams.by_name(request["team_name"])
    except ApiError:
        return Answer({"exists": False})
    return Answer({"exists": found["allow_open_invite"] or api.is_member(request.who, team=found["id"])})


@route("PUT /api/v4/teams/{team_id}", "PUT /api/v4/teams/{team_id}/patch")
def change_team(api: Api, request: Request) -> Answer:
    request.require(api.is_member(request.who, team=request["team_id"], admin=True), "manage_team")
    return Answer(api.teams.change(request["team_id"], request.fields("team")))


@route("PUT /api/v4/teams/{team_id}/privacy")
def change_team_privacy(api: Api, request: Request) -> Answer:
    request.require(api.is_member(request.who, team=request["team_id"], admin=True), "manage_team")
    return Answer(api.teams.set_privacy(request["team_id"], request.value("privacy", str)))


@route("DELETE /api/v4/teams/{team_id}")
def delete_team(api: Api, request: Request) -> Answer:
    request.require(api.is_member(request.who, team=request["team_id"], admin=True), "manage_team")
    if request.query.get("permanent") == "true":
        api.require_setting(
            "ServiceSettings.EnableAPITeamDeletion", request, "api.user.delete_team.not_enabled.app_error"
        )
        api.teams.delete(request["team_id"])
    else:
        api.teams.set_archived(request["team_id"], archived=True)
    return OK


@route("POST /api/v4/teams/{team_id}/restore")
def restore_team(api: Api, request: Request) -> Answer:
    request.require(False, "manage_team")
    api.teams.set_archived(request["team_id"], archived=False)
    return Answer(api.teams.get(request["team_id"]))


@route("POST /api/v4/teams/{team_id}/members")
def join_team(api: Api, request: Request) -> Answer:
    fields = request.fields("team_member")
    if fields.get("team_id") != request["team_id"] or not is_id(str(fields.get("user_id"))):
        raise invalid("team_id or user_id")
    open_to_all = (
        fields["user_id"] == request.who.user_id and api.teams.get(request["team_id"])["allow_open_invite"]
    )
    request.require(open_to_all or api.is_member(request.who, team=request["team_id"]), "add_user_to_team")
    return Answer(api.teams.join(request["team_id"], fields["user_id"]), 201)


@route("GET /api/v4/teams/{team_id}/members")
def list_team_members(api: Api, request: Request) -> Answer:
    request.require(api.is_member(request.who, team=request["team_id"]), "view_team")
    return Answer(api.teams.members(request["team_id"], request.query))


@route("GET /api/v4/teams/{team_id}/members/{user_id}")
def get_team_member(api: Api, request: Request) -> Answer:
    request.require(api.is_member(request.who, team=request["team_id"]), "view_team")
    return Answer(api.teams.member(request["team_id"], request["user_id"]))


@route("DELETE /api/v4/teams/{team_id}/members/{user_id}")
def leave_team(api: Api, request: Request) -> Answer:
    themselves = request["user_id"] == request.who.user_id
    request.require(
        themselves or api.is_member(request.who, team=request["team_id"], admin=True), "remove_user_from_team"
    )
    api.teams.leave(request["team_id"], request["user_id"])
    return OK
