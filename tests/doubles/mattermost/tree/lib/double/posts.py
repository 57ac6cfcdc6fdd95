"""What people write."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from .contract import ApiError, new_id, now
from .database import Database, insert, page

_LONGEST = 16383  # characters


class Posts:
    """The posts of all channels."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def create(self, fields: Mapping[str, Any], user_id: str) -> dict[str, Any]:
        """Write a post into its channel; whether its author may is the caller's question."""
        message, kind = str(fields.get("message") or ""), str(fields.get("type") or "")
        if len(message) > _LONGEST:
            raise ApiError("model.post.is_valid.message_length.app_error", 400, "Post message is too long.")
        root = str(fields.get("root_id") or "")
        if root and self.get(root)["channel_id"] != fields["channel_id"]:
            raise ApiError(
                "api.post.create_post.channel_root_id.app_error", 400, "Invalid channel for a reply."
            )
        if fields.get("file_ids"):
            raise ApiError("api.post.create_post.files.double", 501, "The double does not play files.")
        post = {
            "id": new_id(), "createat": now(), "updateat": now(), "editat": 0, "deleteat": 0, "userid": user_id,
            "channelid": fields["channel_id"], "rootid": root, "originalid": "", "message": message, "type": kind,
            "props": json.dumps(fields.get("props") or {}), "hashtags": "", "fileids": "[]", "hasreactions": False,
            "ispinned": False,
        }  # fmt: skip
        with self._database.transaction() as connection:
            insert(connection, "posts", post, "app.post.save.existing.app_error")
            connection.query(
                "UPDATE channels SET lastpostat = $1, totalmsgcount = totalmsgcount + 1 WHERE id = $2",
                post["createat"], post["channelid"],
            )  # fmt: skip
        return self.get(str(post["id"])) | {"pending_post_id": fields.get("pending_post_id") or ""}

    def get(self, post_id: str) -> dict[str, Any]:
        with self._database.transaction() as connection:
            rows = connection.query("SELECT * FROM posts WHERE id = $1 AND deleteat = 0", post_id)
        if not rows:
            raise ApiError("app.post.get.app_error", 404, "Unable to get the post.")
        return _post(rows[0])

    def of_channel(self, channel_id: str, query: Mapping[str, str]) -> dict[str, Any]:
        """Return a page of a channel's posts, the newest first, as the API's list of posts."""
        since = query.get("since", "0")
        if not since.isdigit():
            raise ApiError(
                "api.context.invalid_url_param.app_error", 400, "Invalid or missing since parameter."
            )
        statement = (
            "SELECT * FROM posts WHERE channelid = $1 AND deleteat = 0 AND updateat > $2"
            " ORDER BY createat DESC, id LIMIT $3 OFFSET $4"
        )
        with self._database.transaction() as connection:
            posts = [_post(row) for row in connection.query(statement, channel_id, int(since), *page(query))]
        return _as_list(posts)

    def thread(self, post_id: str) -> dict[str, Any]:
        root = self.get(post_id)["root_id"] or post_id
        statement = "SELECT * FROM posts WHERE (id = $1 OR rootid = $1) AND deleteat = 0 ORDER BY createat"
        with self._database.transaction() as connection:
            return _as_list([_post(row) for row in connection.query(statement, root)])

    def change(self, post_id: str, patch: Mapping[str, Any]) -> dict[str, Any]:
        self.get(post_id)
        with self._database.transaction() as connection:
            statement = "UPDATE posts SET message = $1, updateat = $2, editat = $2 WHERE id = $3"
            connection.query(statement, str(patch.get("message") or ""), now(), post_id)
        return self.get(post_id)

    def delete(self, post_id: str, *, permanently: bool) -> None:
        self.get(post_id)
        with self._database.transaction() as connection:
            if permanently:
                connection.query("DELETE FROM posts WHERE id = $1 OR rootid = $1", post_id)
            else:
                connection.query(
                    "UPDATE posts SET deleteat = $1, updateat = $1 WHERE id = $2 OR rootid = $2",
                    now(),
                    post_id,
                )


def _as_list(posts: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "order": [post["id"] for post in posts],
        "posts": {post["id"]: post for post in posts},
        "next_post_id": "",
        "prev_post_id": "",
        "first_inaccessible_post_time": 0,
    }


def _post(row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "id": row["id"], "create_at": row["createat"], "update_at": row["updateat"], "edit_at": row["editat"],
        "delete_at": row["deleteat"], "is_pinned": row["ispinned"], "user_id": row["userid"],
        "channel_id": row["channelid"], "root_id": row["rootid"], "original_id": row["originalid"],
        "message": row["message"], "type": row["type"], "props": json.loads(row["props"]),
        "hashtags": row["hashtags"], "file_ids": json.loads(row["fileids"]), "pending_post_id": "",
        "reply_count": 0, "last_reply_at": 0, "participants": None, "metadata": {}, "remote_id": "",
    }  # fmt: skip
