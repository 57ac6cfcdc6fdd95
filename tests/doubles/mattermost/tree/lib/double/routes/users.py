"""What the API answers about people."""

from __future__ import annotations

from ..api import OK, Answer, Api, Request, route
from ..contract import ApiError, invalid


@route("POST /api/v4/users")
def create_user(api: Api, request: Request) -> Answer:
    by_admin = request.session is not None and request.session.is_admin
    return Answer(api.people.create(request.fields("user"), by_admin=by_admin), 201)


@route("POST /api/v4/users/login")
def log_in(api: Api, request: Request) -> Answer:
    known = {"id", "login_id", "password", "token", "device_id", "ldap_only"}
    if not isinstance(request.body, dict) or request.body.keys() - known:
        raise ApiError("api.double.unknown_field.app_error", 400, "A log-in has login_id and password.")
    login, password = str(request.body.get("login_id") or ""), str(request.body.get("password") or "")
    user, session = api.people.log_in(login, password)
    return Answer(user, session=session)


@route("POST /api/v4/users/logout")
def log_out(api: Api, request: Request) -> Answer:
    if request.session:
        api.people.end_session(request.session)
        api.hub.drop(request.session.user_id)
    return OK


@route("GET /api/v4/users")
def list_users(api: Api, request: Request) -> Answer:
    return Answer([api.mask(user, request.who) for user in api.people.listing(request.query)])


@route("POST /api/v4/users/ids", "POST /api/v4/users/usernames")
def list_several_users(api: Api, request: Request) -> Answer:
    if not isinstance(request.body, list):
        raise invalid("list")
    column = "id" if request.path.endswith("/ids") else "username"
    return Answer([api.mask(user, request.who) for user in api.people.several(column, request.body)])


@route("POST /api/v4/users/search")
def search_users(api: Api, request: Request) -> Answer:
    inactive, most = bool(request.body.get("allow_inactive")), int(request.body.get("limit") or 100)
    found = api.people.search(request.value("term", str), inactive=inactive, most=most)
    return Answer([api.mask(user, request.who) for user in found])


@route("GET /api/v4/users/{user_id}")
def get_user(api: Api, request: Request) -> Answer:
    return Answer(api.mask(api.people.get(request["user_id"]), request.who))


@route("GET /api/v4/users/username/{username}")
def get_user_by_name(api: Api, request: Request) -> Answer:
    return Answer(api.mask(api.people.by_name(request["username"]), request.who))


@route("GET /api/v4/users/email/{email}")
def get_user_by_email(api: Api, request: Request) -> Answer:
    request.require(api.configuration["PrivacySettings.ShowEmailAddress"], "view_members")
    return Answer(api.mask(api.people.by_email(request["email"]), request.who))


@route("PUT /api/v4/users/{user_id}", "PUT /api/v4/users/{user_id}/patch")
def change_user(api: Api, request: Request) -> Answer:
    request.require(request["user_id"] == request.who.user_id, "edit_other_users")
    return Answer(api.people.change(request["user_id"], request.fields("user")))


@route("PUT /api/v4/users/{user_id}/roles")
def change_roles(api: Api, request: Request) -> Answer:
    request.require(False, "manage_roles")
    api.people.set_roles(request["user_id"], request.value("roles", str))
    return OK


@route("PUT /api/v4/users/{user_id}/active")
def change_active(api: Api, request: Request) -> Answer:
    active, user_id = request.value("active", bool), request["user_id"]
    _require_may_deactivate(api, request, themselves=not active and user_id == request.who.user_id)
    api.people.set_active(user_id, active)
    if not active:
        api.hub.drop(user_id)
    return OK


def _require_may_deactivate(api: Api, request: Request, *, themselves: bool) -> None:
    if not themselves and not request.who.is_admin:
        raise ApiError("api.user.update_active.permissions.app_error", 403, "You may not do that to others.")
    if (
        themselves
        and not request.who.is_admin
        and not api.configuration["TeamSettings.EnableUserDeactivation"]
    ):
        raise ApiError("api.user.update_active.not_enable.app_error", 401, "You cannot deactivate yourself.")


@route("PUT /api/v4/users/{user_id}/password")
def change_password(api: Api, request: Request) -> Answer:
    user_id = request["user_id"]
    if not request.who.is_admin:
        request.require(user_id == request.who.user_id, "edit_other_users")
        api.people.log_in(api.people.get(user_id)["username"], request.value("current_password", str))
    api.people.set_password(user_id, request.value("new_password", str))
    return OK


@route("DELETE /api/v4/users/{user_id}")
def delete_user(api: Api, request: Request) -> Answer:
    user_id = request["user_id"]
    _require_may_deactivate(api, request, themselves=user_id == request.who.user_id)
    if request.query.get("permanent") == "true":
        api.require_setting(
            "ServiceSettings.EnableAPIUserDeletion", request, "api.user.delete_user.not_enabled.app_error"
        )
        api.people.delete(user_id)
    else:
        api.people.set_active(user_id, active=False)
    api.hub.drop(user_id)
    return OK


@route("POST /api/v4/users/{user_id}/email/verify/member")
def verify_email(api: Api, request: Request) -> Answer:
    request.require(False, "edit_other_users")
    api.people.verify_email(request["user_id"])
    return Answer(api.people.get(request["user_id"]))


@route("POST /api/v4/users/{user_id}/sessions/revoke/all")
def end_sessions(api: Api, request: Request) -> Answer:
    request.require(request["user_id"] == request.who.user_id, "edit_other_users")
    api.people.end_sessions(request["user_id"])
    api.hub.drop(request["user_id"])
    return OK


@route("GET /api/v4/users/{user_id}/teams")
def list_teams_of_user(api: Api, request: Request) -> Answer:
    request.require(request["user_id"] == request.who.user_id, "edit_other_users")
    return Answer(api.teams.of_user(request["user_id"]))


@route("GET /api/v4/users/{user_id}/teams/{team_id}/channels")
def list_channels_of_user(api: Api, request: Request) -> Answer:
    request.require(request["user_id"] == request.who.user_id, "edit_other_users")
    return Answer(api.channels.of_user(request["team_id"], request["user_id"]))
