"""Channels, and who is in them."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from .configuration import Configuration
from .contract import ApiError, invalid, new_id, now
from .database import Database, insert, page
from .people import Session
from .postgres import Connection

_NOTIFY = {
    "channel_auto_follow_threads": "off", "desktop": "default", "email": "default",
    "group_mentions": "default", "ignore_channel_mentions": "default", "mark_unread": "all", "push": "default",
}  # fmt: skip


class Channels:
    """The channels of all teams, and those in which two people talk."""

    def __init__(self, database: Database, configuration: Configuration) -> None:
        self._database = database
        self._configuration = configuration

    def create(self, fields: Mapping[str, Any], session: Session) -> dict[str, Any]:
        """Make a channel; whoever makes it is in it, unless that is nobody in particular."""
        if fields.get("type") not in ("O", "P"):
            raise ApiError(
                "api.channel.create_channel.direct_channel.app_error", 400, "The type must be O or P."
            )
        with self._database.transaction() as connection:
            if not connection.query("SELECT id FROM teams WHERE id = $1", fields.get("team_id") or ""):
                raise ApiError("app.team.get.find.app_error", 404, "Unable to find the existing team.")
            channel_id = self.insert(connection, dict(fields) | {"creator_id": session.user_id})
            if session.user_id:
                join_within(connection, channel_id, session.user_id, admin=True)
        return self.get(channel_id)

    def insert(self, connection: Connection, fields: Mapping[str, Any]) -> str:
        name = str(fields.get("name") or "")
        if not re.fullmatch(r"[a-z0-9]+([a-z\-_0-9]+|(__)?)[a-z0-9]*", name) or len(name) > 64:
            raise ApiError(
                "model.channel.is_valid.1_or_more.app_error",
                400,
                "Name must be 1 or more lowercase characters.",
            )
        if len(str(fields.get("display_name") or "")) > 64:
            raise ApiError("model.channel.is_valid.display_name.app_error", 400, "Invalid display name.")
        (found,) = connection.query(
            "SELECT count(*) AS channels FROM channels WHERE teamid = $1 AND deleteat = 0 AND type IN ('O', 'P')",
            fields["team_id"],
        )
        if found["channels"] >= self._configuration["TeamSettings.MaxChannelsPerTeam"]:
            raise ApiError(
                "store.sql_channel.save_channel.limit.app_error",
                400,
                "You have reached the limit of channels.",
            )
        channel = {
            "id": new_id(), "createat": now(), "updateat": now(), "deleteat": 0, "teamid": fields["team_id"],
            "type": fields["type"], "displayname": fields.get("display_name") or "", "name": name,
            "header": fields.get("header") or "", "purpose": fields.get("purpose") or "", "lastpostat": 0,
            "totalmsgcount": 0, "extraupdateat": 0, "creatorid": fields.get("creator_id") or "",
        }  # fmt: skip
        insert(connection, "channels", channel, "store.sql_channel.save_channel.exists.app_error")
        return str(channel["id"])

    def direct_channel(self, one: str, other: str) -> dict[str, Any]:
        """Return the channel in which two people talk, made at its first use."""
        name = "__".join(sorted((one, other)))
        with self._database.transaction() as connection:
            rows = connection.query("SELECT id FROM channels WHERE teamid = '' AND name = $1", name)
            if not rows:
                fields = {"team_id": "", "name": name, "type": "D", "creator_id": one}
                rows = [{"id": self.insert(connection, fields)}]
                for user_id in {one, other}:
                    join_within(connection, rows[0]["id"], user_id, admin=False)
        return self.get(rows[0]["id"])

    def get(self, channel_id: str) -> dict[str, Any]:
        with self._database.transaction() as connection:
            rows = connection.query("SELECT * FROM channels WHERE id = $1", channel_id)
        if not rows:
            raise ApiError("app.channel.get.existing.app_error", 404, "Unable to find the existing channel.")
        return _channel(rows[0])

    def by_name(self, team_id: str, name: str, *, archived: bool) -> dict[str, Any]:
        statement = "SELECT * FROM channels WHERE teamid = $1 AND name = $2 AND (deleteat = 0 OR $3::boolean)"
        with self._database.transaction() as connection:
            rows = connection.query(statement, team_id, name, archived)
        if not rows:
            raise ApiError("app.channel.get_by_name.missing.app_error", 404, "Channel does not exist.")
        return _channel(rows[0])

    def listing(
        self, team_id: str, kinds: str, query: Mapping[str, str], *, archived: bool = False
    ) -> list[dict[str, Any]]:
        """Return a page of a team's channels whose type is one of ``kinds``, archived ones or the others."""
        statement = (
            "SELECT * FROM channels WHERE ($1 = '' OR teamid = $1) AND strpos($2, type) > 0 AND (deleteat <> 0) = $3"
            " ORDER BY displayname LIMIT $4 OFFSET $5"
        )
        with self._database.transaction() as connection:
            return [
                _channel(row) for row in connection.query(statement, team_id, kinds, archived, *page(query))
            ]

    def of_user(self, team_id: str, user_id: str) -> list[dict[str, Any]]:
        statement = (
            "SELECT c.* FROM channels c JOIN channelmembers m ON m.channelid = c.id"
            " WHERE m.userid = $1 AND c.teamid IN ($2, '') AND c.deleteat = 0 ORDER BY c.displayname"
        )
        with self._database.transaction() as connection:
            return [_channel(row) for row in connection.query(statement, user_id, team_id)]

    def change(self, channel_id: str, patch: Mapping[str, Any]) -> dict[str, Any]:
        self.get(channel_id)
        columns = {"display_name": "displayname", "name": "name", "header": "header", "purpose": "purpose"}
        with self._database.transaction() as connection:
            for field, column in columns.items():
                if patch.get(field) is not None:
                    statement = f"UPDATE channels SET {column} = $1, updateat = $2 WHERE id = $3"  # noqa: S608
                    connection.query(statement, patch[field], now(), channel_id)
        return self.get(channel_id)

    def set_privacy(self, channel_id: str, privacy: str) -> dict[str, Any]:
        if privacy not in ("O", "P"):
            raise invalid("privacy")
        if self.get(channel_id)["name"] == "town-square":
            raise ApiError("api.channel.update_channel_privacy.default_channel_error", 400)
        with self._database.transaction() as connection:
            connection.query(
                "UPDATE channels SET type = $1, updateat = $2 WHERE id = $3", privacy, now(), channel_id
            )
        return self.get(channel_id)

    def set_archived(self, channel_id: str, archived: bool) -> None:
        if self.get(channel_id)["name"] == "town-square":
            raise ApiError("api.channel.delete_channel.cannot.app_error", 400, "The default channel stays.")
        with self._database.transaction() as connection:
            statement = "UPDATE channels SET deleteat = $1, updateat = $2 WHERE id = $3"
            connection.query(statement, now() if archived else 0, now(), channel_id)

    def delete(self, channel_id: str) -> None:
        self.get(channel_id)
        with self._database.transaction() as connection:
            delete_within(connection, channel_id)

    def join(self, channel_id: str, user_id: str) -> dict[str, Any]:
        """Let somebody of the team into a channel."""
        team_id = self.get(channel_id)["team_id"]
        of_team = "SELECT userid FROM teammembers WHERE teamid = $1 AND userid = $2 AND deleteat = 0"
        with self._database.transaction() as connection:
            if team_id and not connection.query(of_team, team_id, user_id):
                raise ApiError("app.team.get_member.missing.app_error", 404, "No team member found.")
            join_within(connection, channel_id, user_id, admin=False)
        return self.member(channel_id, user_id)

    def leave(self, channel_id: str, user_id: str) -> None:
        if self.get(channel_id)["name"] == "town-square":
            raise ApiError("api.channel.remove.default.app_error", 400, "Nobody leaves the default channel.")
        self.member(channel_id, user_id)
        with self._database.transaction() as connection:
            connection.query(
                "DELETE FROM channelmembers WHERE channelid = $1 AND userid = $2", channel_id, user_id
            )

    def member(self, channel_id: str, user_id: str) -> dict[str, Any]:
        with self._database.transaction() as connection:
            rows = connection.query(
                "SELECT * FROM channelmembers WHERE channelid = $1 AND userid = $2", channel_id, user_id
            )
        if not rows:
            raise ApiError("app.channel.get_member.missing.app_error", 404, "No channel member found.")
        return _channel_member(rows[0])

    def members(self, channel_id: str, query: Mapping[str, str]) -> list[dict[str, Any]]:
        statement = "SELECT * FROM channelmembers WHERE channelid = $1 ORDER BY userid LIMIT $2 OFFSET $3"
        with self._database.transaction() as connection:
            return [_channel_member(row) for row in connection.query(statement, channel_id, *page(query))]

    def ids_of_members(self, channel_id: str) -> frozenset[str]:
        """Return who is in a channel, by their identifiers."""
        with self._database.transaction() as connection:
            rows = connection.query("SELECT userid FROM channelmembers WHERE channelid = $1", channel_id)
        return frozenset(row["userid"] for row in rows)


def join_within(connection: Connection, channel_id: str, user_id: str, *, admin: bool) -> None:
    statement = (
        "INSERT INTO channelmembers (channelid, userid, roles, lastviewedat, msgcount, mentioncount, notifyprops,"
        " lastupdateat, schemeuser, schemeadmin) VALUES ($1, $2, '', 0, 0, 0, $3, $4, true, $5) ON CONFLICT DO NOTHING"
    )
    connection.query(statement, channel_id, user_id, json.dumps(_NOTIFY), now(), admin)


def delete_within(connection: Connection, channel_id: str) -> None:
    connection.query("DELETE FROM posts WHERE channelid = $1", channel_id)
    connection.query("DELETE FROM channelmembers WHERE channelid = $1", channel_id)
    connection.query("DELETE FROM channels WHERE id = $1", channel_id)


def _channel(row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "id": row["id"], "create_at": row["createat"], "update_at": row["updateat"], "delete_at": row["deleteat"],
        "team_id": row["teamid"], "type": row["type"], "display_name": row["displayname"], "name": row["name"],
        "header": row["header"], "purpose": row["purpose"], "last_post_at": row["lastpostat"],
        "total_msg_count": row["totalmsgcount"], "extra_update_at": row["extraupdateat"],
        "creator_id": row["creatorid"], "scheme_id": None, "props": None, "group_constrained": None, "shared": None,
        "total_msg_count_root": row["totalmsgcount"], "policy_id": None, "last_root_post_at": row["lastpostat"],
        "banner_info": None,
    }  # fmt: skip


def _channel_member(row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "channel_id": row["channelid"], "user_id": row["userid"], "explicit_roles": "",
        "roles": "channel_user channel_admin" if row["schemeadmin"] else "channel_user",
        "last_viewed_at": row["lastviewedat"], "msg_count": row["msgcount"], "mention_count": row["mentioncount"],
        "mention_count_root": 0, "urgent_mention_count": 0, "msg_count_root": row["msgcount"],
        "notify_props": json.loads(row["notifyprops"]), "last_update_at": row["lastupdateat"],
        "scheme_guest": False, "scheme_user": row["schemeuser"], "scheme_admin": row["schemeadmin"],
    }  # fmt: skip
