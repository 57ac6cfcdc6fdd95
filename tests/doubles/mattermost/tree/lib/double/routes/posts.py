"""What the API answers about posts, and tells those who listen."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from ..api import OK, Answer, Api, Request, route
from ..contract import ApiError
from ..people import LOCAL, Session


@route("POST /api/v4/posts")
def create_post(api: Api, request: Request) -> Answer:
    fields = request.fields("post")
    channel_id = str(fields.get("channel_id") or "")
    # Even an administrator writes only where they are.
    if channel_id not in {""} and request.who.user_id not in api.channels.ids_of_members(channel_id):
        raise ApiError(
            "api.context.permissions.app_error", 403, "You do not have the appropriate permissions."
        )
    found = api.channels.get(channel_id)
    if found["delete_at"]:
        raise ApiError(
            "api.post.create_post.can_not_post_to_deleted.error", 400, "Can not post to deleted channel."
        )
    post = api.posts.create(fields, request.who.user_id)
    _tell(api, "posted", post, found, request.who)
    return Answer(post, 201)


def _tell(api: Api, event: str, post: Mapping[str, Any], found: Mapping[str, Any], who: Session) -> None:
    author = api.people.get(who.user_id)["username"]
    data: dict[str, Any] = {"post": json.dumps(post)}
    if event == "posted":
        data |= {
            "channel_type": found["type"], "channel_display_name": found["display_name"],
            "channel_name": found["name"], "sender_name": f"@{author}", "team_id": found["team_id"], "set_online": True,
        }  # fmt: skip
    api.hub.publish(api.channels.ids_of_members(found["id"]), event, data, found["id"])


@route("GET /api/v4/posts/{post_id}")
def get_post(api: Api, request: Request) -> Answer:
    found = api.posts.get(request["post_id"])
    request.require(api.is_member(request.who, channel=found["channel_id"]), "read_channel_content")
    return Answer(found)


@route("GET /api/v4/posts/{post_id}/thread")
def get_thread(api: Api, request: Request) -> Answer:
    found = api.posts.get(request["post_id"])
    request.require(api.is_member(request.who, channel=found["channel_id"]), "read_channel_content")
    return Answer(api.posts.thread(found["id"]))


@route("GET /api/v4/channels/{channel_id}/posts")
def list_posts(api: Api, request: Request) -> Answer:
    api.channels.get(request["channel_id"])
    request.require(api.is_member(request.who, channel=request["channel_id"]), "read_channel_content")
    return Answer(api.posts.of_channel(request["channel_id"], request.query))


@route("PUT /api/v4/posts/{post_id}/patch")
def change_post(api: Api, request: Request) -> Answer:
    found = api.posts.get(request["post_id"])
    request.require(found["user_id"] == request.who.user_id, "edit_others_posts")
    changed = api.posts.change(found["id"], request.fields("post"))
    _tell(api, "post_edited", changed, api.channels.get(found["channel_id"]), request.who)
    return Answer(changed)


@route("DELETE /api/v4/posts/{post_id}")
def delete_post(api: Api, request: Request) -> Answer:
    found = api.posts.get(request["post_id"])
    request.require(found["user_id"] == request.who.user_id, "delete_others_posts")
    permanently = request.query.get("permanent") == "true"
    if permanently:
        request.require(False, "manage_system")
        api.require_setting(
            "ServiceSettings.EnableAPIPostDeletion", request, "api.post.delete_post.not_enabled.app_error"
        )
    channel = api.channels.get(found["channel_id"])
    api.posts.delete(found["id"], permanently=permanently)
    if request.who is not LOCAL:
        _tell(api, "post_deleted", found, channel, request.who)
    return OK
