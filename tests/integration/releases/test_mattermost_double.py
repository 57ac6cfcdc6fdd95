"""The contract double of Mattermost: it knows what the real one knows, refuses the rest, and answers alike."""

from __future__ import annotations

import base64
import hashlib
import http.client
import io
import json
import os
import re
import shutil
import signal
import socket
import stat
import struct
import subprocess
import tarfile
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from doubles.database import find_server, running
from doubles.mattermost.build import HERE, LINES, build

from provisioner.releases.catalogue import Catalogue

CHECKOUT = HERE.parents[2]
INTERFACE = json.loads((HERE / "interface.json").read_text())
SOURCES = HERE / "tree/lib/double"
MAGIC = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
PASSWORD = "Vrij-lang-wachtwoord-9471"


def read_tree(archive: Path) -> dict[str, tarfile.TarInfo]:
    with tarfile.open(archive) as content:
        return {entry.name: entry for entry in content}


def test_the_archive_is_the_same_whoever_builds_it(tmp_path: Path) -> None:
    first = build(tmp_path / "1")
    assert first.read_bytes() == build(tmp_path / "2").read_bytes()
    assert first.name == "mattermost-team-11.7.9-linux-amd64.tar.gz"


def test_the_archive_has_the_layout_of_a_team_edition(tmp_path: Path) -> None:
    tree = read_tree(build(tmp_path))
    assert next(iter(tree)) == "mattermost"
    assert {"mattermost/SOVSTACK-CONTRACT-DOUBLE", "mattermost/MIT-COMPILED-LICENSE.md"} <= set(tree)
    assert "mattermost/ENTERPRISE-EDITION-LICENSE.txt" not in tree
    for folder in ("client", "config", "fonts", "i18n", "logs", "prepackaged_plugins", "templates"):
        assert tree[f"mattermost/{folder}"].isdir()
    assert {name for name, entry in tree.items() if entry.isfile() and entry.mode & 0o111} == {
        "mattermost/bin/mattermost",
        "mattermost/bin/mmctl",
    }
    assert tree["mattermost/config/config.json"].mode == 0o600


def test_it_stands_for_the_lines_of_the_catalogue_and_bears_as_many_users(tmp_path: Path) -> None:
    for release in Catalogue.load().releases("mattermost"):
        limit = release.unlicensed_users
        assert limit
        assert LINES[".".join(release.version.split(".")[:2])] == (limit.warns_from, limit.most)
    with pytest.raises(KeyError):
        build(tmp_path, "12.0.1")


def test_it_plays_only_what_the_real_one_has() -> None:
    text = "".join(path.read_text() for path in sorted(SOURCES.glob("**/*.py")))
    routes = set(re.findall(r'"((?:GET|POST|PUT|DELETE) /api/v4/[^"]*)"', text))
    commands = set(re.findall(r'^@command\("([^"]+)"\)|^PLAYED\["([^"]+)"\]', text, re.M))
    assert len(routes) > 60
    assert routes <= {*INTERFACE["routes"]["public"], *INTERFACE["routes"]["local"]}
    assert len(commands) > 20
    assert {first or second for first, second in commands} <= set(INTERFACE["mmctl"]["commands"])
    for section, key in re.findall(r'"(\w+(?:Settings|Requirements))\.(\w+)"', text):
        assert key in INTERFACE["settings"][section]


def test_the_role_sets_only_what_mattermost_has() -> None:
    role = yaml.safe_load((CHECKOUT / "roles/mattermost/vars/main.yml").read_text())
    known = {f"{section}.{key}".upper() for section, keys in INTERFACE["settings"].items() for key in keys}
    known |= {variable.removeprefix("MM_") for variable in INTERFACE["environment"]}
    assert len(role["__mattermost_settings"]) > 20
    assert {name for name in role["__mattermost_settings"] if name.upper() not in known} == set()


@dataclass
class Reply:
    """What the API answered."""

    status: int
    content: Any
    headers: Mapping[str, str]


class Websocket:
    """As much of a client as hears events: RFC 6455 with short frames."""

    def __init__(self, port: int, token: str) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), 20)
        key = base64.b64encode(os.urandom(16)).decode()
        lines = (
            "GET /api/v4/websocket HTTP/1.1", f"Host: 127.0.0.1:{port}", "Upgrade: websocket", "Connection: Upgrade",
            f"Sec-WebSocket-Key: {key}", "Sec-WebSocket-Version: 13", "", "",
        )  # fmt: skip
        self._socket.sendall("\r\n".join(lines).encode())
        self._stream = self._socket.makefile("rb")
        assert b" 101 " in self._stream.readline()
        headers = dict(iter(self._read_header, ("", "")))
        wanted = base64.b64encode(hashlib.sha1((key + MAGIC).encode()).digest())  # noqa: S324
        assert headers["sec-websocket-accept"] == wanted.decode()
        self.send({"seq": 1, "action": "authentication_challenge", "data": {"token": token}})

    def _read_header(self) -> tuple[str, str]:
        name, _, value = self._stream.readline().decode().strip().partition(": ")
        return name.lower(), value

    def send(self, message: Mapping[str, Any]) -> None:
        data, mask = json.dumps(message).encode(), os.urandom(4)
        masked = bytes(byte ^ mask[place % 4] for place, byte in enumerate(data))
        size = (
            bytes([0x80 | len(data)])
            if len(data) < 126
            else bytes([0x80 | 126]) + struct.pack("!H", len(data))
        )
        self._socket.sendall(b"\x81" + size + mask + masked)

    def read(self) -> dict[str, Any]:
        """Return the next message; an empty one when the server has hung up."""
        head = self._stream.read(2)
        if len(head) < 2 or head[0] & 0x0F == 8:
            return {}
        length = head[1]
        if length > 125:
            length = int.from_bytes(self._stream.read(2 if length == 126 else 8))
        message: dict[str, Any] = json.loads(self._stream.read(length))
        return message

    def wait_for(self, event: str, kind: str = "") -> dict[str, Any]:
        """Return the next event of that name; of posts, the next one of that type."""
        while True:
            message = self.read()
            assert message, f"hung up before {event}"
            if message.get("event") != event:
                continue
            if event != "posted" or json.loads(message["data"]["post"])["type"] == kind:
                return message

    def close(self) -> None:
        self._stream.close()
        self._socket.close()


@dataclass
class Server:
    """A server that is unpacked, with a database of its own, and no more than that until it is started."""

    tree: Path
    folder: Path
    sockets: Path
    database: str
    port: int

    @property
    def is_double(self) -> bool:
        return (self.tree / "SOVSTACK-CONTRACT-DOUBLE").exists()

    @property
    def source(self) -> str:
        return f"postgres://postgres@/{self.database}?host={self.sockets}&sslmode=disable"

    @property
    def local_socket(self) -> Path:
        return self.folder / "local.socket"

    @property
    def environment(self) -> dict[str, str]:
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self.folder),
            "MM_CONFIG": self.source,
            "MM_SQLSETTINGS_DATASOURCE": self.source,
            "MM_SERVICESETTINGS_LISTENADDRESS": f"127.0.0.1:{self.port}",
            "MM_SERVICESETTINGS_ENABLELOCALMODE": "true",
            "MM_SERVICESETTINGS_LOCALMODESOCKETLOCATION": str(self.local_socket),
            "MM_SERVICESETTINGS_ENABLESECURITYFIXALERT": "false",
            "MM_ANNOUNCEMENTSETTINGS_ADMINNOTICESENABLED": "false",
            "MM_ANNOUNCEMENTSETTINGS_USERNOTICESENABLED": "false",
            "MM_LOGSETTINGS_ENABLEDIAGNOSTICS": "false",
            "MM_LOGSETTINGS_ENABLESENTRY": "false",
            "MM_LOGSETTINGS_ENABLEFILE": "false",
            "MM_FILESETTINGS_DIRECTORY": f"{self.folder}/data",
            "MM_PLUGINSETTINGS_ENABLE": "false",
        }

    def mattermost(self, *arguments: str, code: int = 0, **environment: str) -> str:
        """Run a command of the server, expect its exit code, and return what it said."""
        return self._run("mattermost", arguments, code, environment)

    def mmctl(self, *arguments: str, code: int = 0, **environment: str) -> str:
        """Run a command over the local socket, expect its exit code, and return what it said, complaints last."""
        own = {"MMCTL_LOCAL": "true", "MMCTL_LOCAL_SOCKET_PATH": str(self.local_socket)}
        return self._run("mmctl", arguments, code, own | environment)

    def _run(
        self, program: str, arguments: tuple[str, ...], code: int, environment: Mapping[str, str]
    ) -> str:
        result = subprocess.run(
            [self.tree / "bin" / program, *arguments],
            env=self.environment | environment,
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert result.returncode == code, result.stdout + result.stderr
        return result.stdout + result.stderr

    @contextmanager
    def started(self, **environment: str) -> Iterator[subprocess.Popen[bytes]]:
        """Run the server for the block; it is there when it has told systemd so."""
        notices = self.folder / "notices"
        notices.unlink(missing_ok=True)
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
            systemd.bind(str(notices))
            systemd.settimeout(60)
            with (self.folder / "log").open("wb") as log:
                process = subprocess.Popen(
                    [self.tree / "bin/mattermost"],
                    env=self.environment | {"NOTIFY_SOCKET": str(notices)} | environment,
                    cwd=self.folder,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                )
            try:
                assert systemd.recv(100) == b"READY=1"
                yield process
            finally:
                process.send_signal(signal.SIGTERM)
                # Between saying that it is ready and heeding signals, the real one dies of them or gives up with 1.
                ends = (0,) if self.is_double else (0, 1, -signal.SIGTERM)
                assert process.wait(60) in ends, (self.folder / "log").read_text()

    def ask(self, method: str, path: str, body: object = None, token: str = "") -> Reply:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        with closing(connection):
            text = None if body is None else json.dumps(body)
            connection.request(method, f"/api/v4{path}", text, headers)
            answer = connection.getresponse()
            return Reply(answer.status, json.loads(answer.read() or b"null"), dict(answer.headers))

    def log_in(self, name: str) -> str:
        """Return a token of a session."""
        reply = self.ask("POST", "/users/login", {"login_id": name, "password": PASSWORD})
        assert reply.status == 200, reply.content
        return reply.headers["Token"]

    def make_user(self, name: str, *more: str) -> dict[str, Any]:
        arguments = (
            "--username",
            name,
            "--email",
            f"{name}@zonnedael.example",
            "--password",
            PASSWORD,
            *more,
        )
        user: dict[str, Any] = json.loads(self.mmctl("user", "create", *arguments, "--json"))
        return user

    def query(self, statement: str) -> str:
        """Return what the database answers to a statement."""
        psql = ["psql", "--no-psqlrc", "--tuples-only", "--no-align", self.source, "--command", statement]
        return subprocess.run(psql, check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A release that is unpacked: the double, or the real one where somebody names its archive."""
    folder = tmp_path_factory.mktemp("release")
    archive = Path(os.environ.get("SOVSTACK_TEST_MATTERMOST") or build(folder))
    with tarfile.open(archive) as content:
        content.extractall(folder, filter="data")
    return folder / "mattermost"


@pytest.fixture(scope="module")
def sockets() -> Iterator[Path]:
    programs = find_server()
    if programs is None or shutil.which("psql") is None:
        pytest.skip("needs apt install postgresql")
    with running(programs) as folder:
        yield folder


@pytest.fixture
def server(tree: Path, sockets: Path, tmp_path: Path) -> Server:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    (tmp_path / "data").mkdir()
    Server(tree, tmp_path, sockets, "postgres", port).query(f"CREATE DATABASE chat_{port}")
    return Server(tree, tmp_path, sockets, f"chat_{port}", port)


@pytest.fixture
def served(server: Server) -> Iterator[Server]:
    with server.started():
        yield server


def require_double(server: Server) -> None:
    """Skip what the real server passes over and the double refuses."""
    if not server.is_double:
        pytest.skip("the real server is not as strict")


@pytest.mark.parametrize(
    ("variable", "value", "complaint"),
    [
        ("MM_SERVICESETTINGS_SITEURI", "x", "Mattermost has no setting MM_SERVICESETTINGS_SITEURI"),
        ("MM_SITEURL", "x", "Mattermost has no setting MM_SITEURL"),
        ("MM_TEAMSETTINGS_ENABLEOPENSERVER", "no", "must be of type boolean"),
        ("MM_TEAMSETTINGS_MAXUSERSPERTEAM", "many", "must be of type integer"),
        ("MM_PLUGINSETTINGS_PLUGINSTATES", "{", "holds no JSON"),
        ("MM_TEAMSETTINGS_MAXUSERSPERTEAM", "0", "invalid config: TeamSettings.MaxUsersPerTeam=0"),
        ("MM_SQLSETTINGS_DRIVERNAME", "mysql", "invalid config: SqlSettings.DriverName='mysql'"),
        ("MM_SERVICESETTINGS_LOCALMODESOCKETLOCATION", "/nowhere/s", "LocalModeSocketLocation='/nowhere/s'"),
        ("MM_LICENSE", "text", "Team Edition takes no licence"),
    ],
)
def test_it_does_not_start_with_what_mattermost_does_not_have(
    server: Server, variable: str, value: str, complaint: str
) -> None:
    require_double(server)
    assert complaint in server.mattermost("server", code=1, **{variable: value})


def test_it_does_not_start_with_a_stored_setting_that_mattermost_does_not_have(server: Server) -> None:
    require_double(server)
    stored = server.folder / "config.json"
    stored.write_text('{"ServiceSettings": {"SiteURI": "https://chat.zonnedael.example"}}')
    assert "no setting ServiceSettings.SiteURI" in server.mattermost("server", code=1, MM_CONFIG=str(stored))


def test_a_database_that_is_not_there_ends_it(server: Server) -> None:
    require_double(server)
    nowhere = "postgres://postgres@/postgres?host=/nowhere"
    assert "cannot reach the database" in server.mattermost("db", "migrate", code=1, MM_CONFIG=nowhere)


def test_migrations_are_applied_once(server: Server) -> None:
    assert "Database successfully migrated" in server.mattermost("db", "migrate")
    tables = "SELECT string_agg(tablename, ',' ORDER BY tablename) FROM pg_tables WHERE schemaname = 'public'"
    before = server.query(tables)
    assert {"channels", "configurations", "db_migrations", "posts", "users"} <= set(before.split(","))
    assert "No migrations to apply." in server.mattermost("db", "migrate")
    assert "Current database schema version is: " in server.mattermost("db", "version")
    assert server.query(tables) == before


def test_it_tells_systemd_then_answers_and_ends_on_a_signal(server: Server) -> None:
    with server.started():
        reply = server.ask("GET", "/system/ping?get_server_status=true")
        assert reply.status == 200
        states = {reply.content[name] for name in ("status", "database_status", "filestore_status")}
        assert states == {"OK"}
        assert re.match(r"\d+\.\d+\.\d+\.", reply.headers["X-Version-Id"])
        mode = server.local_socket.stat().st_mode
        assert stat.S_ISSOCK(mode)
        assert stat.S_IMODE(mode) == 0o600
        (server.folder / "data").rename(server.folder / "elsewhere")
        (server.folder / "data").touch()
        assert (
            server.ask("GET", "/system/ping?get_server_status=true").content["filestore_status"]
            == "UNHEALTHY"
        )
    assert not server.local_socket.exists()
    assert "doesn't exist" in server.mmctl("system", "status", code=1)


def test_mmctl_makes_what_it_lists(served: Server) -> None:
    admin = served.make_user("Beheer", "--system-admin", "--email-verified")
    assert (admin["username"], admin["email"]) == ("beheer", "beheer@zonnedael.example")
    served.make_user("jan")
    assert "username: jan" in served.mmctl("user", "search", "jan")
    listed = served.mmctl("user", "list", "--json").partition("There are")[0]
    assert [user["username"] for user in json.loads(listed)] == ["beheer", "jan"]
    served.mmctl("team", "create", "--name", "zorg", "--display-name", "Zorg", "--private")
    served.mmctl("channel", "create", "--team", "zorg", "--name", "wmo", "--display-name", "Wmo", "--private")
    served.mmctl("team", "users", "add", "zorg", "jan")
    served.mmctl("channel", "users", "add", "zorg:wmo", "jan")
    assert served.mmctl("team", "list").splitlines() == ["zorg", "There are 1 teams on local instance"]
    names = served.mmctl("channel", "list", "zorg").splitlines()
    assert sorted(names[:3]) == ["off-topic", "town-square", "wmo (private)"]
    assert "Server status: OK" in served.mmctl("system", "status")
    assert json.loads(served.mmctl("config", "get", "ServiceSettings.EnableLocalMode")) is True
    assert json.loads(served.mmctl("config", "show"))["SqlSettings"]["DriverName"] == "postgres"


def test_mmctl_refuses_what_the_real_one_does_not_have(served: Server) -> None:
    assert "unknown flag: --bogus" in served.mmctl("user", "list", "--bogus", code=1)
    assert 'required flag(s) "email", "password" not set' in served.mmctl(
        "user", "create", "--username", "x", code=1
    )
    assert 'unknown command "bogus" for "mmctl"' in served.mmctl("bogus", code=1)
    assert "invalid key" in served.mmctl("config", "get", "ServiceSettings.SiteURI", code=1)
    assert "unable to find team" in served.mmctl("channel", "list", "nowhere", code=1)
    served.local_socket.chmod(0o666)
    assert "must be a socket with 0600 permissions" in served.mmctl("team", "list", code=1)
    require_double(served)
    served.local_socket.chmod(0o600)
    assert 'unknown command "team bogus"' in served.mmctl("team", "bogus", code=1)
    assert "mmctl has no setting MMCTL_SOCKET" in served.mmctl("team", "list", code=1, MMCTL_SOCKET="x")


def test_what_the_environment_sets_is_locked_and_the_rest_is_kept(server: Server) -> None:
    locked, free = "TeamSettings.EnableOpenServer", "TeamSettings.MaxUsersPerTeam"
    with server.started(MM_TEAMSETTINGS_ENABLEOPENSERVER="false"):
        server.mmctl("config", "set", locked, "true")
        server.mmctl("config", "set", free, "77")
        assert json.loads(server.mmctl("config", "get", locked)) is False
    with server.started():
        assert json.loads(server.mmctl("config", "get", free)) == 77
        assert json.loads(server.mmctl("config", "get", locked)) is False


def test_signing_up_is_for_whom_the_settings_say(server: Server) -> None:
    someone = {"username": "eerste", "email": "eerste@zonnedael.example", "password": PASSWORD}
    other = someone | {"username": "tweede", "email": "tweede@zonnedael.example"}
    with server.started(MM_TEAMSETTINGS_ENABLEUSERCREATION="false"):
        refused = server.ask("POST", "/users", someone)
        assert (refused.status, refused.content["id"]) == (
            501,
            "api.user.create_user.signup_email_disabled.app_error",
        )
    with server.started():
        # The first one may, and looks after the server.
        assert server.ask("POST", "/users", someone).status == 201
        first = server.ask("GET", "/users/me", token=server.log_in("eerste")).content
        assert first["roles"] == "system_admin system_user"
        refused = server.ask("POST", "/users", other)
        assert (refused.status, refused.content["id"]) == (403, "api.user.create_user.no_open_server")
    with server.started(MM_TEAMSETTINGS_ENABLEOPENSERVER="true"):
        assert server.ask("POST", "/users", other).status == 201
        short = other | {"username": "derde", "email": "derde@zonnedael.example", "password": "kort"}
        assert (
            server.ask("POST", "/users", short).content["id"]
            == "model.user.is_valid.pwd_min_length.app_error"
        )
        assert server.ask("POST", "/users", other).content["id"] == "app.user.save.username_exists.app_error"
        told = server.ask("GET", "/config/client?format=old").content
        assert (told["EnableOpenServer"], told["SiteName"]) == ("true", "Mattermost")
        assert "EnableLinkPreviews" not in told


def test_a_message_reaches_the_channel_and_nobody_else(served: Server) -> None:
    served.mmctl("team", "create", "--name", "zorg", "--display-name", "Zorg", "--private")
    people = {name: served.make_user(name) for name in ("beheer", "jan", "piet", "buiten")}
    served.mmctl("team", "users", "add", "zorg", "jan", "piet")
    tokens = {name: served.log_in(name) for name in people}
    team = served.ask("GET", "/teams/name/zorg", token=tokens["jan"]).content
    fresh = {"team_id": team["id"], "name": "wmo", "display_name": "Wmo", "type": "P"}
    channel = served.ask("POST", "/channels", fresh, tokens["jan"]).content
    members = f"/channels/{channel['id']}/members"
    listener, stranger = Websocket(served.port, tokens["piet"]), Websocket(served.port, tokens["buiten"])
    try:
        assert listener.wait_for("hello")["data"]["connection_id"]
        stranger.wait_for("hello")
        assert served.ask("POST", members, {"user_id": people["piet"]["id"]}, tokens["jan"]).status == 201
        arrival = json.loads(listener.wait_for("posted", "system_add_to_channel")["data"]["post"])
        assert arrival["message"] == "piet added to the channel by jan."
        message = {"channel_id": channel["id"], "message": "Goedemorgen \u2603"}
        post = served.ask("POST", "/posts", message, tokens["jan"])
        assert post.status == 201
        heard = listener.wait_for("posted")
        assert json.loads(heard["data"]["post"])["message"] == "Goedemorgen \u2603"
        assert heard["data"]["sender_name"] == "@jan"
        assert heard["broadcast"]["channel_id"] == channel["id"]
        stranger.send({"seq": 2, "action": "ping"})
        while (said := stranger.read()).get("seq_reply") != 2:
            assert said.get("event") != "posted"
    finally:
        listener.close()
        stranger.close()
    kept = served.ask("GET", f"/channels/{channel['id']}/posts", token=tokens["piet"]).content
    assert kept["posts"][post.content["id"]]["message"] == "Goedemorgen \u2603"
    assert served.ask("POST", "/posts", message, tokens["buiten"]).status == 403
    assert served.ask("GET", f"/channels/{channel['id']}/posts", token=tokens["buiten"]).status == 403
    assert served.ask("GET", "/teams/name/zorg", token=tokens["buiten"]).status in (403, 404)
    assert served.ask("GET", f"/channels/{channel['id']}/posts").status == 401


def test_a_wrong_token_hears_nothing(served: Server) -> None:
    intruder = Websocket(served.port, "a" * 26)
    assert intruder.read() == {}
    intruder.close()


def test_accounts_end_as_the_settings_allow(server: Server) -> None:
    with server.started():
        server.make_user("beheer")
        jan, piet = server.make_user("jan"), server.make_user("piet")
        admin, token = server.log_in("beheer"), server.log_in("jan")
        wrong = server.ask("POST", "/users/login", {"login_id": "jan", "password": "iets anders"})
        assert (wrong.status, wrong.content["id"]) == (
            401,
            "api.user.login.invalid_credentials_email_username",
        )
        assert server.ask("DELETE", f"/users/{piet['id']}", token=token).status == 403
        assert server.ask("DELETE", f"/users/{jan['id']}", token=admin).status == 200
        assert server.ask("GET", "/users/me", token=token).status == 401
        closed = server.ask("POST", "/users/login", {"login_id": "jan", "password": PASSWORD})
        assert closed.content["id"] == "api.user.login.inactive.app_error"
        assert server.ask("PUT", f"/users/{jan['id']}/active", {"active": True}, admin).status == 200
        refused = server.ask("DELETE", f"/users/{jan['id']}?permanent=true", token=admin)
        assert (refused.status, refused.content["id"]) == (401, "api.user.delete_user.not_enabled.app_error")
    with server.started(MM_SERVICESETTINGS_ENABLEAPIUSERDELETION="true"):
        admin = server.log_in("beheer")
        assert server.ask("DELETE", f"/users/{jan['id']}?permanent=true", token=admin).status == 200
        assert server.ask("GET", f"/users/{jan['id']}", token=admin).status == 404
        server.mmctl("user", "delete", "piet", "--confirm")
        assert server.query("SELECT username FROM users WHERE username IN ('jan', 'piet')") == ""


def test_passwords_are_not_kept_as_they_are(served: Server) -> None:
    served.make_user("jan")
    kept = served.query("SELECT password FROM users WHERE username = 'jan'")
    assert kept.startswith("$")
    assert PASSWORD not in served.query("SELECT json_agg(users) FROM users")


def test_team_edition_takes_no_more_people_than_it_takes(served: Server) -> None:
    require_double(served)
    beheer = served.make_user("beheer")
    # Copies of one that was made properly, but for what must differ.
    served.query(
        "INSERT INTO users SELECT (jsonb_populate_record(u, jsonb_build_object('id', lpad(n::text, 26, 'x'), "
        "'username', 'user' || n, 'email', n || '@x.nl', 'roles', 'system_user'))).* "
        "FROM users u, generate_series(2, 250) AS n"
    )
    arguments = ("--username", "toch", "--email", "toch@zonnedael.example", "--password", PASSWORD)
    assert "at most 250 active users" in served.mmctl("user", "create", *arguments, code=1)
    served.query("UPDATE users SET deleteat = 1 WHERE username IN ('user2')")
    toch = served.make_user("toch")
    admin = served.log_in("beheer")
    full = served.ask("PUT", f"/users/{'2'.rjust(26, 'x')}/active", {"active": True}, admin)
    assert (full.status, full.content["id"]) == (400, "app.user.update_active.user_limit.exceeded")
    limits = served.ask("GET", "/limits/server", token=admin).content
    assert limits == {"maxUsersLimit": 200, "maxUsersHardLimit": 250, "activeUserCount": 250}
    assert {beheer["id"], toch["id"]} <= set(
        served.query("SELECT id FROM users WHERE deleteat = 0").splitlines()
    )


def test_routes_and_fields_that_are_not_there_or_not_played(served: Server) -> None:
    token = ""
    nowhere = served.ask("GET", "/nowhere", token=token)
    assert (nowhere.status, nowhere.content["id"]) == (404, "api.context.404.app_error")
    assert served.ask("DELETE", "/system/ping").status == 404
    require_double(served)
    served.make_user("beheer")
    token = served.log_in("beheer")
    assert served.ask("GET", "/emoji", token=token).status == 501
    odd = served.ask(
        "POST", "/teams", {"name": "zorg", "display_name": "Zorg", "type": "O", "colour": "red"}, token
    )
    assert (odd.status, odd.content["id"]) == (400, "api.double.unknown_field.app_error")


def test_a_page_says_what_it_is(served: Server) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", served.port, timeout=30)
    with closing(connection):
        connection.request("GET", "/login")
        answer = connection.getresponse()
        assert answer.status == 200
        assert answer.headers["Content-Type"].startswith("text/html")
        text = answer.read().decode()
    require_double(served)
    assert "contract double" in text


def pack_plugin(
    folder: Path, name: str, *, version: str = "1.0.0", needs: str = "9.0.0", folders: bool = True
) -> None:
    """Put a plugin of ours among the files of a server: a script for browsers, which is never run here."""
    manifest = {"id": name, "name": "Ours", "version": version, "min_server_version": needs}
    files = {
        "plugin.json": json.dumps(manifest | {"webapp": {"bundle_path": "webapp/main.js"}}),
        "webapp/main.js": f"window.registerPlugin('{name}', {{initialize() {{}}}});\n",
    }
    folder.mkdir(parents=True, exist_ok=True)
    with tarfile.open(folder / f"{name}.tar.gz", "w:gz") as archive:
        for path in (name, f"{name}/webapp") if folders else ():
            entry = tarfile.TarInfo(path)
            entry.type, entry.mode = tarfile.DIRTYPE, 0o755
            archive.addfile(entry)
        for path, text in files.items():
            entry = tarfile.TarInfo(f"{name}/{path}")
            entry.size, entry.mode = len(text), 0o644
            archive.addfile(entry, io.BytesIO(text.encode()))


def test_plugins_are_what_lies_among_the_files_at_the_start(server: Server) -> None:
    archives, unpacked, client = (
        server.folder / name for name in ("data/plugins", "plugins", "client-plugins")
    )
    for folder in (unpacked, client):
        folder.mkdir()
    pack_plugin(archives, "example.on")
    pack_plugin(archives, "example.off")
    pack_plugin(archives, "example.later", needs="99.0.0")
    pack_plugin(archives, "example.flat", folders=False)
    states = {
        name: {"Enable": name != "example.off"}
        for name in ("example.on", "example.off", "example.later", "example.flat")
    }
    environment = {
        "MM_PLUGINSETTINGS_ENABLE": "true",
        "MM_PLUGINSETTINGS_AUTOMATICPREPACKAGEDPLUGINS": "false",
        "MM_PLUGINSETTINGS_DIRECTORY": str(unpacked),
        "MM_PLUGINSETTINGS_CLIENTDIRECTORY": str(client),
        "MM_PLUGINSETTINGS_PLUGINSTATES": json.dumps(states),
    }

    def listed() -> dict[str, dict[str, str]]:
        [listing], _ = json.JSONDecoder().raw_decode(server.mmctl("plugin", "list", "--json"))
        return {side: {one["id"]: one["version"] for one in listing[side]} for side in ("active", "inactive")}

    with server.started(**environment):
        assert listed() == {
            "active": {"example.flat": "1.0.0", "example.on": "1.0.0"},
            "inactive": {"example.later": "1.0.0", "example.off": "1.0.0"},
        }
        assert sorted(path.name for path in client.iterdir()) == sorted(states)
    (unpacked / "example.byhand").mkdir()
    by_hand = (unpacked / "example.off/plugin.json").read_text().replace("example.off", "example.byhand")
    (unpacked / "example.byhand/plugin.json").write_text(by_hand)
    (archives / "example.off.tar.gz").unlink()
    pack_plugin(archives, "example.on", version="1.1.0")
    with server.started(**environment):
        assert listed()["active"] == {"example.flat": "1.0.0", "example.on": "1.1.0"}
        left = ["example.byhand", "example.flat", "example.later", "example.on"]
        assert sorted(path.name for path in unpacked.iterdir()) == left
        assert sorted(path.name for path in client.iterdir()) == sorted(states)
