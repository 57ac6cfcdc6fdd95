"""Teams, and who is in them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from .channels import Channels, delete_within, join_within
from .configuration import Configuration
from .contract import ApiError, invalid, new_id, now
from .database import Database, insert, page
from .people import Session
from .postgres import Connection

_DEFAULT_CHANNELS = {"town-square": "Town Square", "off-topic": "Off-Topic"}
_RESERVED = ("admin", "api", "channel", "claim", "error", "files", "help", "landing", "login", "mfa", "oauth", "plug",
             "plugins", "post", "signup", "boards", "playbooks")  # fmt: skip


class Teams:
    """The teams of the server."""

    def __init__(self, database: Database, configuration: Configuration, channels: Channels) -> None:
        self._database = database
        self._configuration = configuration
        self._channels = channels

    def create(self, fields: Mapping[str, Any], session: Session) -> dict[str, Any]:
        """Make a team with the two channels that every team has; whoever makes it is its administrator."""
        name, shown = str(fields.get("name") or ""), str(fields.get("display_name") or "")
        problems = {
            "name": not 0 < len(shown) <= 64,
            "url": len(name) > 64,
            "reserved": name.startswith(_RESERVED),
            "characters": not re.fullmatch(r"[a-z0-9]+([a-z\-0-9]+|(__)?)[a-z0-9]+", name),
            "type": fields.get("type") not in ("O", "I"),
        }
        for problem, wrong in problems.items():
            if wrong:
                raise ApiError(
                    f"model.team.is_valid.{problem}.app_error", 400, f"The team is not valid: {problem}."
                )
        team = {
            "id": new_id(), "createat": now(), "updateat": now(), "deleteat": 0, "displayname": shown, "name": name,
            "description": fields.get("description") or "", "email": fields.get("email") or "",
            "type": fields["type"], "companyname": fields.get("company_name") or "",
            "alloweddomains": fields.get("allowed_domains") or "", "inviteid": new_id(),
            "allowopeninvite": bool(fields.get("allow_open_invite")),
        }  # fmt: skip
        with self._database.transaction() as connection:
            insert(connection, "teams", team, "store.sql_team.save_team.existing.app_error")
            for default, title in _DEFAULT_CHANNELS.items():
                self._channels.insert(
                    connection, {"team_id": team["id"], "name": default, "display_name": title, "type": "O"}
                )
            if session.user_id:
                self._join(connection, str(team["id"]), session.user_id, admin=True)
        return self.get(str(team["id"]))

    def get(self, team_id: str) -> dict[str, Any]:
        return self._find("id", team_id, "app.team.get.find.app_error")

    def by_name(self, name: str) -> dict[str, Any]:
        return self._find("name", name, "app.team.get_by_name.missing.app_error")

    def _find(self, column: str, value: str, identifier: str) -> dict[str, Any]:
        with self._database.transaction() as connection:
            rows = connection.query(f"SELECT * FROM teams WHERE {column} = $1", value)  # noqa: S608
        if not rows:
            raise ApiError(identifier, 404, "Unable to find the existing team.")
        return _team(rows[0])

    def listing(self, query: Mapping[str, str]) -> list[dict[str, Any]]:
        with self._database.transaction() as connection:
            statement = "SELECT * FROM teams ORDER BY displayname LIMIT $1 OFFSET $2"
            return [_team(row) for row in connection.query(statement, *page(query))]

    def of_user(self, user_id: str) -> list[dict[str, Any]]:
        statement = (
            "SELECT t.* FROM teams t JOIN teammembers m ON m.teamid = t.id"
            " WHERE m.userid = $1 AND m.deleteat = 0 AND t.deleteat = 0 ORDER BY t.displayname"
        )
        with self._database.transaction() as connection:
            return [_team(row) for row in connection.query(statement, user_id)]

    def change(self, team_id: str, patch: Mapping[str, Any]) -> dict[str, Any]:
        self.get(team_id)
        columns = {
            "display_name": "displayname", "description": "description", "company_name": "companyname",
            "allowed_domains": "alloweddomains", "allow_open_invite": "allowopeninvite",
        }  # fmt: skip
        with self._database.transaction() as connection:
            for field, column in columns.items():
                if patch.get(field) is not None:
                    statement = f"UPDATE teams SET {column} = $1, updateat = $2 WHERE id = $3"  # noqa: S608
                    connection.query(statement, patch[field], now(), team_id)
        return self.get(team_id)

    def set_privacy(self, team_id: str, privacy: str) -> dict[str, Any]:
        if privacy not in ("O", "I"):
            raise invalid("privacy")
        self.get(team_id)
        with self._database.transaction() as connection:
            statement = "UPDATE teams SET type = $1, allowopeninvite = $2, updateat = $3 WHERE id = $4"
            connection.query(statement, privacy, privacy == "O", now(), team_id)
        return self.get(team_id)

    def set_archived(self, team_id: str, archived: bool) -> None:
        self.get(team_id)
        with self._database.transaction() as connection:
            statement = "UPDATE teams SET deleteat = $1, updateat = $2 WHERE id = $3"
            connection.query(statement, now() if archived else 0, now(), team_id)

    def delete(self, team_id: str) -> None:
        """Delete a team for good, with its channels and what was written there."""
        self.get(team_id)
        with self._database.transaction() as connection:
            for channel in connection.query("SELECT id FROM channels WHERE teamid = $1", team_id):
                delete_within(connection, channel["id"])
            connection.query("DELETE FROM teammembers WHERE teamid = $1", team_id)
            connection.query("DELETE FROM teams WHERE id = $1", team_id)

    def join(self, team_id: str, user_id: str) -> dict[str, Any]:
        """Let somebody into a team and into the channels that everybody of it is in."""
        self.get(team_id)
        with self._database.transaction() as connection:
            if not connection.query("SELECT id FROM users WHERE id = $1 AND deleteat = 0", user_id):
                raise ApiError("app.user.missing_account.const", 404, "Unable to find the user.")
            self._join(connection, team_id, user_id, admin=False)
        return self.member(team_id, user_id)

    def _join(self, connection: Connection, team_id: str, user_id: str, *, admin: bool) -> None:
        (found,) = connection.query(
            "SELECT count(*) AS members FROM teammembers WHERE teamid = $1 AND deleteat = 0 AND userid <> $2",
            team_id,
            user_id,
        )
        if found["members"] >= self._configuration["TeamSettings.MaxUsersPerTeam"]:
            raise ApiError(
                "app.team.join_user_to_team.max_accounts.app_error", 400, "This team has reached its limit."
            )
        statement = (
            "INSERT INTO teammembers (teamid, userid, roles, deleteat, schemeuser, schemeadmin, createat)"
            " VALUES ($1, $2, '', 0, true, $3, $4) ON CONFLICT (teamid, userid) DO UPDATE SET deleteat = 0"
        )
        connection.query(statement, team_id, user_id, admin, now())
        for name in _DEFAULT_CHANNELS:
            for channel in connection.query(
                "SELECT id FROM channels WHERE teamid = $1 AND name = $2", team_id, name
            ):
                join_within(connection, channel["id"], user_id, admin=admin)

    def leave(self, team_id: str, user_id: str) -> None:
        self.member(team_id, user_id)
        with self._database.transaction() as connection:
            connection.query(
                "DELETE FROM channelmembers WHERE userid = $1"
                " AND channelid IN (SELECT id FROM channels WHERE teamid = $2)",
                user_id, team_id,
            )  # fmt: skip
            connection.query(
                "UPDATE teammembers SET deleteat = $1 WHERE teamid = $2 AND userid = $3",
                now(),
                team_id,
                user_id,
            )

    def member(self, team_id: str, user_id: str) -> dict[str, Any]:
        statement = "SELECT * FROM teammembers WHERE teamid = $1 AND userid = $2 AND deleteat = 0"
        with self._database.transaction() as connection:
            rows = connection.query(statement, team_id, user_id)
        if not rows:
            raise ApiError("app.team.get_member.missing.app_error", 404, "No team member found.")
        return _team_member(rows[0])

    def members(self, team_id: str, query: Mapping[str, str]) -> list[dict[str, Any]]:
        statement = (
            "SELECT * FROM teammembers WHERE teamid = $1 AND deleteat = 0 ORDER BY userid LIMIT $2 OFFSET $3"
        )
        with self._database.transaction() as connection:
            return [_team_member(row) for row in connection.query(statement, team_id, *page(query))]


def _team(row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "id": row["id"], "create_at": row["createat"], "update_at": row["updateat"], "delete_at": row["deleteat"],
        "display_name": row["displayname"], "name": row["name"], "description": row["description"],
        "email": row["email"], "type": row["type"], "company_name": row["companyname"],
        "allowed_domains": row["alloweddomains"], "invite_id": row["inviteid"],
        "allow_open_invite": row["allowopeninvite"], "scheme_id": None, "group_constrained": None,
        "policy_id": None, "cloud_limits_archived": False,
    }  # fmt: skip


def _team_member(row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "team_id": row["teamid"], "user_id": row["userid"], "delete_at": row["deleteat"], "explicit_roles": "",
        "roles": "team_user team_admin" if row["schemeadmin"] else "team_user",
        "scheme_guest": False, "scheme_user": row["schemeuser"], "scheme_admin": row["schemeadmin"],
    }  # fmt: skip
