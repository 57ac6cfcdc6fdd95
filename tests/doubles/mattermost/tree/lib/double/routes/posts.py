"""What the API answers about posts, and tells those who listen."""

from __future__ import annotations

from ..api import OK, Answer, Api, Request, route
from ..contract import ApiError


@route("POST /api/v4/posts")
def create_post(api: Api, request: Request) -> Answer:
    fields = request.fields("post")
    channel_id = str(fields.get("channel_id") or "")
    request.require(request.who.user_id in api.channels.ids_of_members(channel_id), "create_post")
    found = api.channels.get(channel_id)
    if found["delete_at"]:
        raise ApiError(
            "api.post.create_post.can_not_post_to_deleted.error", 400, "Can not post to deleted channel."
        )
    if str(fields.get("type") or "").startswith("system_"):
        raise ApiError("api.context.invalid_param.app_error", 400, "Only the server writes system messages.")
    post = api.posts.create(fields, request.who.user_id)
    api.tell("posted", post, found)
    return Answer(post, 201)


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
    api.tell("post_edited", changed, api.channels.get(found["channel_id"]))
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
    api.tell("post_deleted", found, channel)
    return OK
