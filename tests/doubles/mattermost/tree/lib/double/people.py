"""Accounts, passwords and sessions."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .configuration import Configuration
from .contract import MOST_USERS, ApiError, is_id, new_id, now
from .database import UNIQUE_VIOLATION, Database, insert, page
from .passwords import check_password, hash_password
from .postgres import Connection, DatabaseError

_LONGEST_PASSWORD = 72
_SYMBOLS = " !\"\\#$%&'()*+,-./:;<=>?@[]^_`|~"
_RESERVED = ("all", "channel", "matterbot", "system")
_TIMEZONE = {"automaticTimezone": "", "manualTimezone": "", "useAutomaticTimezone": "true"}
_NOTIFY = {
    "channel": "true", "comments": "never", "desktop": "mention", "desktop_sound": "true", "desktop_threads": "all",
    "email": "true", "email_threads": "all", "first_name": "false", "mention_keys": "", "push": "mention",
    "push_status": "online", "push_threads": "all",
}  # fmt: skip
_MAY_CHANGE = (
    "email", "first_name", "last_name", "locale", "nickname", "notify_props", "position", "props", "timezone",
    "username",
)  # fmt: skip


@dataclass(frozen=True)
class Session:
    """Who asks: a log-in, or nobody in particular on the local socket."""

    identifier: str
    user_id: str
    roles: str
    token: str = ""
    csrf: str = ""

    @property
    def is_admin(self) -> bool:
        return "system_admin" in self.roles.split()


LOCAL = Session("", "", "system_admin")


class People:
    """The accounts of the server."""

    def __init__(self, database: Database, configuration: Configuration) -> None:
        self._database = database
        self._configuration = configuration

    def create(self, fields: Mapping[str, Any], *, by_admin: bool) -> dict[str, Any]:
        """Make an account; the first one of a server is its administrator.

        Raises:
            ApiError: The server is full, signing up is off, or a field is not as it must be.
        """
        if not by_admin:
            self._require_sign_up()
        self._require_password(str(fields.get("password") or ""))
        user = {
            "id": new_id(),
            "username": str(fields.get("username") or "").lower(),
            "email": str(fields.get("email") or "").lower(),
            "emailverified": bool(fields.get("email_verified")) and by_admin,
            "nickname": fields.get("nickname") or "",
            "firstname": fields.get("first_name") or "",
            "lastname": fields.get("last_name") or "",
            "position": fields.get("position") or "",
            "locale": fields.get("locale") or self._configuration["LocalizationSettings.DefaultClientLocale"],
            "authservice": "",
            "props": json.dumps(fields.get("props") or {}),
            "notifyprops": json.dumps(fields.get("notify_props") or _NOTIFY),
            "timezone": json.dumps(fields.get("timezone") or _TIMEZONE),
            "password": hash_password(str(fields["password"])),
            "createat": now(),
            "updateat": now(),
            "deleteat": 0,
            "lastpasswordupdate": now(),
            "failedattempts": 0,
            "mfaactive": False,
        }
        self._require_valid(user)
        with self._database.transaction() as connection:
            # Two at once shall not both be the last that fits, nor both be the first.
            connection.run("LOCK TABLE users IN SHARE ROW EXCLUSIVE MODE")
            self._require_room(connection, "api.user.create_user.user_limits.exceeded")
            first = not connection.query("SELECT id FROM users LIMIT 1")
            if not by_admin and not first and not self._configuration["TeamSettings.EnableOpenServer"]:
                raise ApiError("api.user.create_user.no_open_server", 403, detail=f"email={user['email']}")
            user["roles"] = "system_admin system_user" if first else "system_user"
            insert(connection, "users", user, "app.user.save.{}_exists.app_error", ("email", "username"))
        return self.get(str(user["id"]))

    def _require_sign_up(self) -> None:
        if not (
            self._configuration["EmailSettings.EnableSignUpWithEmail"]
            and self._configuration["TeamSettings.EnableUserCreation"]
        ):
            raise ApiError("api.user.create_user.signup_email_disabled.app_error", 501)

    def _require_room(self, connection: Connection, identifier: str) -> None:
        (found,) = connection.query("SELECT count(*) AS active FROM users WHERE deleteat = 0")
        if found["active"] >= MOST_USERS:
            raise ApiError(identifier, 400, f"Team Edition takes at most {MOST_USERS} active users.")

    def _require_password(self, password: str) -> None:
        least = self._configuration["PasswordSettings.MinimumLength"]
        problems = [
            name
            for name, fine in (
                ("_min_length", len(password.encode()) >= least),
                ("_max_length", len(password.encode()) <= _LONGEST_PASSWORD),
            )
            if not fine
        ] or [
            f"_{kind.lower()}"
            for kind, letters in (
                ("Lowercase", "abcdefghijklmnopqrstuvwxyz"),
                ("Uppercase", "ABCDEFGHIJKLMNOPQRSTUVWXYZ"),
                ("Number", "0123456789"),
                ("Symbol", _SYMBOLS),
            )
            if self._configuration[f"PasswordSettings.{kind}"] and not set(letters) & set(password)
        ]
        if problems:
            message = (
                f"Your password must contain at least {least} characters, and what else the settings ask."
            )
            raise ApiError(f"model.user.is_valid.pwd{''.join(problems)}.app_error", 400, message)

    def _require_valid(self, user: Mapping[str, Any]) -> None:
        limits = {"nickname": 64, "firstname": 64, "lastname": 64, "position": 128}
        name = user["username"]
        problems = {
            "username": not re.fullmatch(r"[a-z0-9._-]{1,64}", name) or name in _RESERVED,
            "email": not re.fullmatch(r"[^@\s<>]+@[^@\s<>]+", user["email"]) or len(user["email"]) > 128,
            "locale": not re.fullmatch(r"[a-z]{2,3}(-[A-Za-z]{2,4})?", user["locale"]),
        } | {field: len(user[field]) > most for field, most in limits.items()}
        for field, wrong in problems.items():
            if wrong:
                raise ApiError(f"model.user.is_valid.{field}.app_error", 400, detail=f"{field}={user[field]}")
        domains = re.split(
            r"[\s,@]+", self._configuration["TeamSettings.RestrictCreationToDomains"].lower().strip()
        )
        if any(domains) and user["email"].rpartition("@")[2] not in domains:
            raise ApiError("api.user.create_user.accepted_domain.app_error")

    def get(self, user_id: str) -> dict[str, Any]:
        """Return an account by its identifier, without its secrets."""
        return self._find("id", user_id, "app.user.missing_account.const")

    def by_name(self, name: str) -> dict[str, Any]:
        return self._find("username", name.lower(), "app.user.get_by_username.app_error")

    def by_email(self, email: str) -> dict[str, Any]:
        return self._find("email", email.lower(), "app.user.missing_account.const")

    def _find(self, column: str, value: str, identifier: str) -> dict[str, Any]:
        with self._database.transaction() as connection:
            rows = connection.query(f"SELECT * FROM users WHERE {column} = $1", value)  # noqa: S608
        if not rows:
            raise ApiError(identifier, 404, "Unable to find the user.", f"{column}={value}")
        return _as_json(rows[0])

    def listing(self, query: Mapping[str, str]) -> list[dict[str, Any]]:
        """Return a page of accounts, by name; ``query`` is the API's: page, per_page, in_team, in_channel, ..."""
        conditions, values = ["true"], []
        for name, column, table in (
            ("in_team", "teamid", "teammembers"),
            ("in_channel", "channelid", "channelmembers"),
        ):
            if query.get(name):
                values.append(query[name])
                alive = "AND m.deleteat = 0" if table == "teammembers" else ""
                conditions.append(
                    f"id IN (SELECT userid FROM {table} m WHERE m.{column} = ${len(values)} {alive})"  # noqa: S608
                )
        if query.get("role"):
            values.append(query["role"])
            conditions.append(f"${len(values)} = ANY (string_to_array(roles, ' '))")
        if query.get("active") == "true":
            conditions.append("deleteat = 0")
        if query.get("inactive") == "true":
            conditions.append("deleteat <> 0")
        most, skip = page(query)
        statement = f"SELECT * FROM users WHERE {' AND '.join(conditions)} ORDER BY username LIMIT {most} OFFSET {skip}"  # noqa: S608
        with self._database.transaction() as connection:
            return [_as_json(row) for row in connection.query(statement, *values)]

    def several(self, column: str, values: Sequence[str]) -> list[dict[str, Any]]:
        """Return the accounts whose ``id`` or ``username`` is one of the values."""
        condition = f"{column} IN (SELECT jsonb_array_elements_text($1::jsonb))"
        statement = f"SELECT * FROM users WHERE {condition} ORDER BY username"  # noqa: S608
        with self._database.transaction() as connection:
            return [_as_json(row) for row in connection.query(statement, json.dumps(values))]

    def search(self, term: str, *, inactive: bool, most: int) -> list[dict[str, Any]]:
        """Return the accounts one of whose names begins with the term."""
        statement = (
            "SELECT * FROM users WHERE (deleteat = 0 OR $2::boolean) AND EXISTS (SELECT FROM unnest("
            "ARRAY[username, email, nickname, firstname, lastname]) AS name WHERE starts_with(lower(name), $1))"
            " ORDER BY username LIMIT $3"
        )
        with self._database.transaction() as connection:
            return [_as_json(row) for row in connection.query(statement, term.lower(), inactive, most)]

    def change(self, user_id: str, patch: Mapping[str, Any]) -> dict[str, Any]:
        """Change what is named of the fields that an account may have changed."""
        user = self.get(user_id)
        columns = {name: patch[name] for name in _MAY_CHANGE if patch.get(name) is not None}
        merged = user | columns
        self._require_valid(
            {name.replace("_", ""): value for name, value in merged.items()} | {"id": user_id}
        )
        texts = {
            name.replace("_", ""): json.dumps(value) if isinstance(value, dict) else str(value)
            for name, value in columns.items()
        }
        self._update(user_id, texts)
        return self.get(user_id)

    def set_roles(self, user_id: str, roles: str) -> None:
        known = {"system_user", "system_admin", "system_guest", "system_post_all", "system_user_access_token"}
        if not roles.split() or not set(roles.split()) <= known:
            raise ApiError("app.role.check_roles_exist.role_not_found", 400, "There is no such role.")
        self.get(user_id)
        self._update(user_id, {"roles": roles})
        with self._database.transaction() as connection:
            connection.query("UPDATE sessions SET roles = $1 WHERE userid = $2", roles, user_id)

    def set_active(self, user_id: str, active: bool) -> None:
        """Let an account in again, or close it and end its sessions."""
        self.get(user_id)
        with self._database.transaction() as connection:
            if active:
                connection.run("LOCK TABLE users IN SHARE ROW EXCLUSIVE MODE")
                self._require_room(connection, "app.user.update_active.user_limit.exceeded")
            connection.query(
                "UPDATE users SET deleteat = $1, updateat = $2 WHERE id = $3",
                0 if active else now(),
                now(),
                user_id,
            )
            if not active:
                connection.query("DELETE FROM sessions WHERE userid = $1", user_id)

    def set_password(self, user_id: str, password: str) -> None:
        self.get(user_id)
        self._require_password(password)
        self._update(
            user_id, {"password": hash_password(password), "failedattempts": 0, "lastpasswordupdate": now()}
        )
        if self._configuration["ServiceSettings.TerminateSessionsOnPasswordChange"]:
            self.end_sessions(user_id)

    def verify_email(self, user_id: str) -> None:
        self.get(user_id)
        self._update(user_id, {"emailverified": True})

    def _update(self, user_id: str, columns: Mapping[str, object]) -> None:
        assignments = ", ".join(f"{name} = ${number}" for number, name in enumerate(columns, 3))
        statement = f"UPDATE users SET updateat = $2, {assignments} WHERE id = $1"  # noqa: S608
        try:
            with self._database.transaction() as connection:
                connection.query(statement, user_id, now(), *columns.values())
        except DatabaseError as error:
            if error.state == UNIQUE_VIOLATION:
                raise ApiError("app.user.save.existing.app_error") from error
            raise

    def delete(self, user_id: str) -> None:
        """Delete an account for good, with everything it wrote."""
        self.get(user_id)
        with self._database.transaction() as connection:
            for table in ("posts", "sessions", "channelmembers", "teammembers"):
                connection.query(f"DELETE FROM {table} WHERE userid = $1", user_id)  # noqa: S608
            connection.query("DELETE FROM users WHERE id = $1", user_id)

    def count_active(self) -> int:
        with self._database.transaction() as connection:
            (found,) = connection.query("SELECT count(*) AS active FROM users WHERE deleteat = 0")
        return int(found["active"])

    def log_in(self, login: str, password: str) -> tuple[dict[str, Any], Session]:
        """Open a session for whom the name or mail address and the password belong to.

        Raises:
            ApiError: They do not, too often already, or the account is closed or not yet verified.
        """
        settings = self._configuration
        by_name = settings["EmailSettings.EnableSignInWithUsername"]
        by_email = settings["EmailSettings.EnableSignInWithEmail"]
        ways = [way for way, allowed in (("email", by_email), ("username", by_name)) if allowed]
        refusal = ApiError(
            f"api.user.login.invalid_credentials_{'_'.join(ways)}",
            401,
            "Enter a valid email or username and/or password.",
        )
        if not password:
            raise ApiError("api.user.login.blank_pwd.app_error", 400, "Password field must not be blank")
        with self._database.transaction() as connection:
            rows = [
                row
                for way in ways
                for row in connection.query(f"SELECT * FROM users WHERE {way} = $1", login.lower())  # noqa: S608
            ]
        if not rows:
            raise refusal
        user = rows[0]
        if user["failedattempts"] >= settings["ServiceSettings.MaximumLoginAttempts"]:
            raise ApiError("api.user.check_user_login_attempts.too_many.app_error", 401)
        if not check_password(password, user["password"]):
            with self._database.transaction() as connection:
                connection.query(
                    "UPDATE users SET failedattempts = failedattempts + 1 WHERE id = $1", user["id"]
                )
            raise refusal
        if user["deleteat"]:
            raise ApiError(
                "api.user.login.inactive.app_error", 401, "Login failed because your account is deactivated."
            )
        if settings["EmailSettings.RequireEmailVerification"] and not user["emailverified"]:
            raise ApiError("api.user.login.not_verified.app_error", 401)
        return self.get(user["id"]), self._open_session(user)

    def _open_session(self, user: Mapping[str, Any]) -> Session:
        session = Session(new_id(), user["id"], user["roles"], new_id(), new_id())
        hours = self._configuration["ServiceSettings.SessionLengthWebInHours"]
        with self._database.transaction() as connection:
            connection.query("UPDATE users SET failedattempts = 0 WHERE id = $1", user["id"])
            row = {
                "id": session.identifier, "token": session.token, "createat": now(), "lastactivityat": now(),
                "expiresat": now() + hours * 3_600_000, "userid": session.user_id, "deviceid": "",
                "roles": session.roles, "isoauth": False, "props": json.dumps({"csrf": session.csrf}),
            }  # fmt: skip
            insert(connection, "sessions", row, "app.session.save.existing.app_error")
        return session

    def session(self, token: str) -> Session | None:
        """Return the session that a token belongs to, while it lasts."""
        if not is_id(token):
            return None
        with self._database.transaction() as connection:
            rows = connection.query(
                "SELECT * FROM sessions WHERE token = $1 AND expiresat > $2", token, now()
            )
        if not rows:
            return None
        row = rows[0]
        return Session(row["id"], row["userid"], row["roles"], row["token"], json.loads(row["props"])["csrf"])

    def end_session(self, session: Session) -> None:
        with self._database.transaction() as connection:
            connection.query("DELETE FROM sessions WHERE id = $1", session.identifier)

    def end_sessions(self, user_id: str) -> None:
        with self._database.transaction() as connection:
            connection.query("DELETE FROM sessions WHERE userid = $1", user_id)


def _as_json(row: Mapping[str, Any]) -> dict[str, Any]:
    user = {
        "id": row["id"], "create_at": row["createat"], "update_at": row["updateat"], "delete_at": row["deleteat"],
        "username": row["username"], "auth_data": "", "auth_service": row["authservice"], "email": row["email"],
        "nickname": row["nickname"], "first_name": row["firstname"], "last_name": row["lastname"],
        "position": row["position"], "roles": row["roles"], "notify_props": json.loads(row["notifyprops"]),
        "last_password_update": row["lastpasswordupdate"], "locale": row["locale"],
        "timezone": json.loads(row["timezone"]), "disable_welcome_email": False, "remote_id": "",
    }  # fmt: skip
    if row["emailverified"]:
        user["email_verified"] = True
    return user
