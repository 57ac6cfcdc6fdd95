"""The Mattermost role's modules: versions, names and quoting, and a server that is asked over its socket."""

from __future__ import annotations

import importlib.util
import json
import shlex
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from socketserver import ThreadingMixIn, UnixStreamServer
from types import ModuleType
from typing import Any

import pytest

CHECKOUT = Path(__file__).resolve().parents[3]
BROKEN = [{"from": ">=10.11.17,<11.0", "to": ">=11.0,<11.7.3"}]


def load(path: str) -> ModuleType:
    """Import a file of a role under its own name."""
    name = Path(path).stem
    spec = importlib.util.spec_from_file_location(name, CHECKOUT / "roles" / path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


preflight = load("mattermost/library/mattermost_preflight.py")
teams = load("mattermost/library/mattermost_teams.py")
environment = load("mattermost/library/mattermost_environment.py")
unpacked = load("base/library/release_unpacked.py")


@pytest.mark.parametrize(
    ("installed", "wanted", "reason"),
    [
        ("11.7.9", "11.7.9", ""),
        ("11.7.8", "11.7.9", ""),
        ("10.11.16", "11.7.9", ""),
        ("10.11.17", "11.7.3", ""),
        ("11.9.0", "11.10.0", ""),
        ("11.10.0", "11.9.0", "cannot go back"),
        ("11.7.9", "11.7.8", "cannot go back"),
        ("9.11.3", "11.7.9", "one major version at a time"),
        ("10.11.17", "11.7.2", "known to fail"),
        ("10.11.21", "11.0.0", "known to fail"),
    ],
)
def test_upgrade_goes_forward_and_in_steps(installed: str, wanted: str, reason: str) -> None:
    problem = preflight.upgrade_problem(installed, wanted, BROKEN)
    assert reason in problem
    assert bool(problem) is bool(reason)


def test_setting_has_a_section_and_a_name() -> None:
    good = ["ServiceSettings.EnableLinkPreviews", "PluginSettings.Plugins"]
    bad = ["EnableLinkPreviews", "SERVICESETTINGS_ENABLELINKPREVIEWS", "service.enable", "A.B=1\nMM_X", ""]
    assert preflight.setting_problems(good) == []
    assert len(preflight.setting_problems([*good, *bad])) == len(bad)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (True, "true"),
        (False, "false"),
        (0, "0"),
        ("", ""),
        (["X-Real-IP", "X-Forwarded-For"], "X-Real-IP X-Forwarded-For"),
        ({}, "{}"),
        ({"b": {"Enable": True}, "a": 1}, '{"a": 1, "b": {"Enable": true}}'),
    ],
)
def test_value_is_written_as_mattermost_reads_it(value: Any, text: str) -> None:
    assert environment.text_of(value) == text


@pytest.mark.parametrize(
    "text",
    ["", "plain", "two words", "it's", 'say "x"', "back\\slash", "$HOME ${X} `id`", "ends with \\", "a\nb"],
)
def test_quoted_text_comes_out_as_it_went_in(text: str) -> None:
    # Inside double quotes the shell takes backslashes away where systemd does.
    assert shlex.split(environment.quoted(text).replace("\\$", "$").replace("\\`", "`")) == [text]


def test_environment_is_sorted_and_named_as_mattermost_names_it() -> None:
    text = environment.render({"TeamSettings.SiteName": "B", "Config": "postgres:///x"})
    assert text.splitlines()[1:] == ['MM_CONFIG="postgres:///x"', 'MM_TEAMSETTINGS_SITENAME="B"']


def test_difference_of_secrets_shows_names_and_no_values() -> None:
    before = environment.render({"EmailSettings.SMTPPassword": "old-one", "License": "same"}) + "by hand\n"
    after = environment.render({"EmailSettings.SMTPPassword": "new-one", "License": "same"})
    was, wanted = (
        environment.hidden(before, after, "as it was"),
        environment.hidden(after, before, "as wanted"),
    )
    assert was.splitlines()[1:] == [
        "MM_EMAILSETTINGS_SMTPPASSWORD (hidden, as it was)",
        "MM_LICENSE (hidden)",
        "(a line) (hidden, as it was)",
    ]
    assert wanted.splitlines()[1:] == [
        "MM_EMAILSETTINGS_SMTPPASSWORD (hidden, as wanted)",
        "MM_LICENSE (hidden)",
    ]


def test_release_is_known_by_the_lines_that_it_prints() -> None:
    output = "Version: 11.7.9\nBuild Number: 11.7.9\nBuild Enterprise Ready: false\n"
    assert unpacked.missing_lines(["Version: 11.7.9", "Build Enterprise Ready: false"], output) == []
    assert unpacked.missing_lines(["Version: 11.7"], output) == ["Version: 11.7"]


class Refusal(Exception):
    """What a module says when it fails."""


class Module:
    """As much of an Ansible module as these functions use."""

    def __init__(self, socket: Path, *, check_mode: bool = False) -> None:
        """With the server's socket as its argument."""
        self.params = {"socket": str(socket)}
        self.check_mode = check_mode
        self.warnings: list[str] = []

    def fail_json(self, msg: str) -> None:
        """End as a failing module does."""
        raise Refusal(msg)

    def warn(self, text: str) -> None:
        """Keep a warning."""
        self.warnings.append(text)


class UnixServer(ThreadingMixIn, UnixStreamServer):
    """A server on a socket, one thread per connection."""

    daemon_threads = True


class Mattermost:
    """A server that answers GET from `known` and remembers what else it was asked."""

    def __init__(self) -> None:
        """Know nothing."""
        self.known: dict[str, Any] = {}
        self.changes: list[tuple[str, str, Any]] = []
        self.refused = ""

    def handler(self) -> type[BaseHTTPRequestHandler]:
        """Class that answers for this server."""
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self, status: int, content: Any) -> None:
                body = json.dumps(content).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def do_GET(self) -> None:
                path = self.path.removeprefix("/api/v4/")
                found = path in server.known
                self.answer(200 if found else 404, server.known.get(path, {"message": "nothing here"}))

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                if server.refused:
                    self.answer(400, {"message": server.refused})
                    return
                server.changes.append((self.command, self.path.removeprefix("/api/v4/"), body))
                self.answer(201, {"id": "new"})

            def do_PUT(self) -> None:
                self.do_POST()

            def log_message(self, format: str, *args: Any) -> None:
                pass

            def address_string(self) -> str:
                return "socket"

        return Handler


@pytest.fixture
def mattermost(tmp_path: Path) -> Iterator[tuple[Mattermost, Path]]:
    server, path = Mattermost(), tmp_path / "local.socket"
    with UnixServer(str(path), server.handler()) as listener:
        threading.Thread(target=listener.serve_forever, args=[0.01], daemon=True).start()
        yield server, path
        listener.shutdown()


ADMINISTRATORS = "users?role=system_admin&active=true&per_page=1"
ACCOUNT = {"username": "admin", "email": "ict@x.example", "password": "secret", "locale": "nl"}
TEAM = {
    "name": "zorg",
    "display_name": "Zorg",
    "channels": [{"name": "wmo", "display_name": "Wmo", "private": True}],
}


def test_administrator_is_made_where_none_is(mattermost: tuple[Mattermost, Path]) -> None:
    server, path = mattermost
    server.known = {ADMINISTRATORS: []}
    client = teams.Server(Module(path))
    teams.ensure_administrator(client, ACCOUNT)
    roles = {"roles": "system_user system_admin"}
    assert server.changes == [("POST", "users", ACCOUNT), ("PUT", "users/new/roles", roles)]
    assert "secret" not in " ".join(client.actions)


def test_account_of_a_run_that_was_cut_off_becomes_administrator(mattermost: tuple[Mattermost, Path]) -> None:
    server, path = mattermost
    server.known = {ADMINISTRATORS: [], "users/username/admin": {"id": "half"}}
    teams.ensure_administrator(teams.Server(Module(path)), ACCOUNT)
    assert [change[:2] for change in server.changes] == [("PUT", "users/half/roles")]


def test_administrator_is_left_alone_where_one_is(mattermost: tuple[Mattermost, Path]) -> None:
    server, path = mattermost
    server.known = {ADMINISTRATORS: [{"id": "somebody"}]}
    client = teams.Server(Module(path))
    teams.ensure_administrator(client, ACCOUNT)
    assert (server.changes, client.actions) == ([], [])


def test_team_is_made_closed_with_its_channels(mattermost: tuple[Mattermost, Path]) -> None:
    server, path = mattermost
    teams.ensure_team(teams.Server(Module(path)), TEAM)
    assert [(method, where) for method, where, _ in server.changes] == [
        ("POST", "teams"),
        ("POST", "channels"),
    ]
    assert [body["type"] for _, _, body in server.changes] == ["I", "P"]


def known_team(kind: str = "P", shown: str = "Wmo", delete_at: int = 0) -> dict[str, Any]:
    """Answers of a server that has the team and its channel."""
    channel = {"id": "c", "display_name": shown, "type": kind, "delete_at": delete_at}
    return {
        "teams/name/zorg": {"id": "t", "display_name": "Zorg", "delete_at": 0},
        "teams/t/channels/name/wmo?include_deleted=true": channel,
    }


def test_team_as_wanted_is_not_touched(mattermost: tuple[Mattermost, Path]) -> None:
    server, path = mattermost
    server.known = known_team()
    teams.ensure_team(teams.Server(Module(path)), TEAM)
    assert server.changes == []


def test_channel_takes_its_name_and_its_privacy_back(mattermost: tuple[Mattermost, Path]) -> None:
    server, path = mattermost
    server.known = known_team(kind="O", shown="Anders")
    teams.ensure_team(teams.Server(Module(path)), TEAM)
    assert server.changes == [
        ("PUT", "channels/c/patch", {"display_name": "Wmo"}),
        ("PUT", "channels/c/privacy", {"privacy": "P"}),
    ]


def test_private_channel_is_never_opened(mattermost: tuple[Mattermost, Path]) -> None:
    server, path = mattermost
    server.known = known_team(kind="P")
    module = Module(path)
    wanted = TEAM | {"channels": [{"name": "wmo", "display_name": "Wmo"}]}
    teams.ensure_team(teams.Server(module), wanted)
    assert server.changes == []
    assert module.warnings == ["The channel zorg/wmo was made private, and stays so."]


def test_archived_channel_stays_archived(mattermost: tuple[Mattermost, Path]) -> None:
    server, path = mattermost
    server.known = known_team(kind="O", shown="Anders", delete_at=1)
    module = Module(path)
    teams.ensure_team(teams.Server(module), TEAM)
    assert server.changes == []
    assert "archived" in module.warnings[0]


def test_archived_team_stays_archived(mattermost: tuple[Mattermost, Path]) -> None:
    server, path = mattermost
    server.known = {"teams/name/zorg": {"id": "t", "display_name": "Anders", "delete_at": 1}}
    module = Module(path)
    teams.ensure_team(teams.Server(module), TEAM)
    assert server.changes == []
    assert module.warnings == ["The team zorg is archived, and stays so."]


ANNA = {
    "name": "anna.devries",
    "email": "anna@x.example",
    "password": "first-password",
    "teams": [{"name": "zorg", "channels": ["wmo"]}],
}
PLACES = {("zorg",): "t", ("zorg", "wmo"): "c"}
EVERYBODY = "users?page=0&per_page=200"
OF_TEAM, OF_CHANNEL = "users?in_team=t&page=0&per_page=200", "users?in_channel=c&page=0&per_page=200"


def test_missing_person_gets_an_account_and_joins_the_team_before_its_channel(
    mattermost: tuple[Mattermost, Path],
) -> None:
    server, path = mattermost
    server.known = {EVERYBODY: [], OF_TEAM: [], OF_CHANNEL: []}
    client = teams.Server(Module(path))
    teams.ensure_users(client, [ANNA], "nl", PLACES)
    account = {"username": "anna.devries", "email": "anna@x.example", "password": "first-password"}
    assert server.changes == [
        ("POST", "users", account | {"first_name": "", "last_name": "", "locale": "nl"}),
        ("POST", "teams/t/members", {"user_id": "new", "team_id": "t"}),
        ("POST", "channels/c/members", {"user_id": "new"}),
    ]
    assert client.actions == [
        "make the account anna.devries",
        "add anna.devries to zorg",
        "add anna.devries to zorg/wmo",
    ]


def test_person_who_is_there_is_not_touched(mattermost: tuple[Mattermost, Path]) -> None:
    server, path = mattermost
    account = {"id": "a", "username": "anna.devries", "email": "changed@x.example", "delete_at": 0}
    server.known = {EVERYBODY: [account], OF_TEAM: [account], OF_CHANNEL: [account]}
    teams.ensure_users(teams.Server(Module(path)), [ANNA], "nl", PLACES)
    assert server.changes == []


def test_closed_account_stays_closed(mattermost: tuple[Mattermost, Path]) -> None:
    server, path = mattermost
    server.known = {EVERYBODY: [{"id": "a", "username": "anna.devries", "delete_at": 1}]}
    module = Module(path)
    teams.ensure_users(teams.Server(module), [ANNA], "nl", PLACES)
    assert server.changes == []
    assert module.warnings == ["The account anna.devries is closed, and stays so."]


def test_everybody_is_known_page_by_page(mattermost: tuple[Mattermost, Path]) -> None:
    server, path = mattermost
    accounts = [{"id": str(number), "username": f"person{number}", "delete_at": 0} for number in range(400)]
    server.known = {
        EVERYBODY: accounts[:200],
        "users?page=1&per_page=200": accounts[200:],
        "users?page=2&per_page=200": [],
    }
    assert teams.Server(Module(path)).users() == accounts


def test_nobody_is_added_to_what_is_archived(mattermost: tuple[Mattermost, Path]) -> None:
    server, path = mattermost
    server.known = {EVERYBODY: [{"id": "a", "username": "anna.devries", "delete_at": 0}]}
    teams.ensure_users(teams.Server(Module(path)), [ANNA], "nl", {})
    assert server.changes == []


def test_dry_run_on_a_bare_server_names_people_and_places(mattermost: tuple[Mattermost, Path]) -> None:
    server, path = mattermost
    server.known = {EVERYBODY: []}
    client = teams.Server(Module(path, check_mode=True))
    teams.ensure_users(client, [ANNA], "nl", teams.ensure_team(client, TEAM))
    assert server.changes == []
    assert client.actions[2:] == [
        "make the account anna.devries",
        "add anna.devries to zorg",
        "add anna.devries to zorg/wmo",
    ]


def test_dry_run_says_what_it_would_do_and_does_nothing(mattermost: tuple[Mattermost, Path]) -> None:
    server, path = mattermost
    server.known = {ADMINISTRATORS: []}
    client = teams.Server(Module(path, check_mode=True))
    teams.ensure_administrator(client, ACCOUNT)
    teams.ensure_team(client, TEAM)
    assert server.changes == []
    assert client.actions == [
        "make the account admin",
        "make admin an administrator",
        "make the team zorg",
        "make the channel zorg/wmo",
    ]


def test_refusal_of_the_server_is_told(mattermost: tuple[Mattermost, Path]) -> None:
    server, path = mattermost
    server.known, server.refused = {ADMINISTRATORS: []}, "password too short"
    with pytest.raises(Refusal, match="refused POST users with 400: password too short"):
        teams.ensure_administrator(teams.Server(Module(path)), ACCOUNT)


def test_server_that_is_away_is_told(tmp_path: Path) -> None:
    with pytest.raises(Refusal, match="does not answer over its local socket"):
        teams.ensure_administrator(teams.Server(Module(tmp_path / "absent")), ACCOUNT)


@pytest.mark.parametrize(
    ("source", "host"),
    [
        ("postgres://mattermost@/mattermost?host=/run/postgresql&sslmode=disable", "/run/postgresql"),
        (
            "postgres://mattermost:pass%2Fword@data.internal.example/chat?sslmode=verify-full",
            "data.internal.example",
        ),
    ],
)
def test_database_of_an_earlier_run_is_read_from_its_environment(source: str, host: str) -> None:
    text = environment.render(
        {"SqlSettings.DataSource": source, "ServiceSettings.SiteURL": "https://x.example"}
    )
    assert preflight.recorded_database(text) == host
    assert preflight.database_problem(host, host) == ""
    assert "is not moved to elsewhere" in preflight.database_problem(host, "elsewhere")


def test_host_without_a_database_yet_may_have_any() -> None:
    assert preflight.recorded_database("") == ""
    assert preflight.database_problem("", "/run/postgresql") == ""


def test_files_of_an_earlier_run_are_not_moved_by_naming_another_folder() -> None:
    text = environment.render({"FileSettings.Directory": "/srv/mattermost/data"})
    recorded = preflight.recorded_data(text)
    assert preflight.data_problem(recorded, "/srv/mattermost/data/") == ""
    assert "mv /srv/mattermost/data /big/files" in preflight.data_problem(recorded, "/big/files")
    assert preflight.data_problem(preflight.recorded_data(""), "/big/files") == ""


def test_version_in_use_is_read_off_the_folder_of_the_release(tmp_path: Path) -> None:
    link = tmp_path / "current"
    assert preflight.installed_version(link) == ""
    link.symlink_to(tmp_path / "releases" / "11.7.9-df9b6a42c1e7")
    assert preflight.installed_version(link) == "11.7.9"


def test_whatever_lies_where_plugins_do_and_is_not_wanted_has_to_go(tmp_path: Path) -> None:
    archives, unpacked, client = (tmp_path / name for name in ("archives", "unpacked", "client"))
    for path in (
        *(archives / "one.tar.gz", archives / "two.tar.gz", archives / "one", archives / ".hidden"),
        *(unpacked / "one/plugin.json", unpacked / "two/plugin.json", unpacked / "one.tar.gz"),
    ):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("")
    found = preflight.unwanted_plugins(["one"], str(archives), [str(unpacked), str(client)])
    assert found == [
        *(f"{unpacked}/one.tar.gz", f"{unpacked}/two"),
        *(f"{archives}/.hidden", f"{archives}/one", f"{archives}/two.tar.gz"),
    ]
