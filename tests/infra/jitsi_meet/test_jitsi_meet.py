"""Jitsi Meet's pages as the role promises them: they work with the profile's settings, and lead nowhere else."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable
from typing import Any

import pytest
from testinfra.host import Host

# Names that upstream's own defaults lead to or fetch from.
OTHERS = (
    r"[a-z0-9.-]*(?:jitsi\.(?:net|org)|8x8\.(?:com|vc)|gravatar\.com|giphy\.com|google(?:apis)?\.com"
    r"|github\.com|amplitude\.com|apple\.com)"
)


ROOM = "/overleg-dinsdag"
AGAIN = f"{ROOM}#again"  # what is after the # is not sent: the same page, asked for a second time
PATHS = (
    *("/", "/config.js", ROOM, AGAIN, "/http-bind", "/tenant/room"),
    *("/libs/absent.js", "/libs/app.bundle.min.js?v=1"),
)

# Requests that fail without a harm, with a canary where tokens are.
_FAIL = """
import glob, http.client, json, os, secrets, ssl

ends = {path: os.path.getsize(path) for path in glob.glob("/var/log/nginx/*.log")}
canary, statuses = secrets.token_hex(16), {}
for path, length in (("/xmpp-websocket", 2**40), ("/http-bind", 2**40), ("/libs/absent.js", 0)):
    connection = http.client.HTTPSConnection(NAME, timeout=20, context=ssl.create_default_context())
    connection.putrequest("GET", f"{path}?room=check&token={canary}&jwt={canary}")
    connection.putheader("Referer", f"https://{NAME}/check?jwt={canary}")
    connection.putheader("Content-Length", str(length))
    connection.endheaders()
    statuses[path] = connection.getresponse().status
    connection.close()

def written(path):
    with open(path, errors="replace") as log:
        log.seek(ends[path])
        return log.read()

print(json.dumps([statuses, [path for path in ends if canary in written(path)]]))
"""

Page = tuple[int, dict[str, str], str]


@pytest.fixture(scope="module")
def pages(fetch_all: Callable[..., list[Page]], deployment: dict[str, Any]) -> dict[str, Page]:
    """Status, headers and text of the site's pages, as the host itself sees them."""
    found = fetch_all(f"https://{deployment['jitsi_meet_hostname']}{path}" for path in PATHS)
    return dict(zip(PATHS, found, strict=True))


@pytest.fixture(scope="module")
def config(pages: dict[str, Page]) -> dict[str, Any]:
    """The settings that browsers get."""
    status, _, text = pages["/config.js"]
    assert status == 200, text
    settings: dict[str, Any] = json.loads(text.partition("var config = ")[2].rstrip().rstrip(";"))
    return settings


@pytest.mark.check(
    id="MEET-CONFIG",
    title="Browsers get the profile's settings for meetings",
    grade="observed on host",
    remedy="Run apply: it writes config.js.",
)
def test_settings(config: dict[str, Any], deployment: dict[str, Any]) -> None:
    name = deployment["jitsi_meet_hostname"]
    hosts = {"domain": name, "muc": f"conference.{name}"}
    if deployment["jitsi_meet_guests"]:
        hosts["anonymousdomain"] = f"guest.{name}"
    assert config["hosts"] == hosts
    assert config["websocket"] == f"wss://{name}/xmpp-websocket"
    assert config["defaultLanguage"] == deployment["jitsi_meet_language"]
    own = deployment["jitsi_meet_settings"]
    assert {key: config[key] for key in own if not isinstance(own[key], dict)} == {
        key: value for key, value in own.items() if not isinstance(value, dict)
    }


@pytest.mark.check(
    id="MEET-QUIET",
    title="Jitsi Meet's pages fetch nothing from others and lead to none of upstream's sites",
    grade="observed on host",
    remedy="Run apply. What is to be on belongs into the profile's settings, and why under reasons.",
)
def test_lockdown(config: dict[str, Any], deployment: dict[str, Any], pages: dict[str, Page]) -> None:
    wanted = {
        "disableThirdPartyRequests": True,
        "analytics": {"disabled": True},
        "gravatar": {"disabled": True},
        "giphy": {"enabled": False},
        "deeplinking": {"disabled": True},
    }
    wanted = {name: value for name, value in wanted.items() if name not in deployment["jitsi_meet_settings"]}
    assert {name: config.get(name) for name in wanted} == wanted
    # An absent list would mean upstream's servers.
    assert config["p2p"]["stunServers"]
    named = set(re.findall(OTHERS, json.dumps(config), re.IGNORECASE))
    assert named <= set(re.findall(OTHERS, json.dumps(deployment["jitsi_meet_settings"]), re.IGNORECASE))
    assert {"privacy", "terms", "security", "helpCentre"} <= config["legalUrls"].keys()
    # Upstream's interface_config.js has its own addresses; what comes after it takes their place.
    head = pages[ROOM][2].partition("interfaceConfig = ")[2]
    (own,) = re.findall(r"Object\.assign\(interfaceConfig, (\{.*?\})\);</script>", head)
    interface = json.loads(own)
    assert {"JITSI_WATERMARK_LINK", "SUPPORT_URL"} <= interface.keys()
    assert not re.findall(OTHERS, own, re.IGNORECASE)
    assert interface["SHARING_FEATURES"] == ["url"]  # mail is that of three companies of another country


@pytest.mark.check(
    id="MEET-PAGE",
    title="The page of a meeting comes whole, with a policy that lets its own scripts run and no others",
    grade="observed on host",
    remedy="Run apply: it writes nginx's configuration.",
)
def test_page_and_its_policy(pages: dict[str, Page]) -> None:
    # The bare address leads there, past a policy that lets nothing run.
    assert pages["/"][0] == 200
    status, headers, text = pages[ROOM]
    assert status == 200
    assert "<!--#" not in text, "a part of the page was not put in"
    assert "var config = " in text
    (nonce,) = set(re.findall(r"'nonce-([0-9a-f]{32})'", headers["content-security-policy"]))
    inline = re.findall(r"<script((?: [^>]*)?)>", text)
    assert all(f'nonce="{nonce}"' in attributes or "src=" in attributes for attributes in inline)
    assert any("nonce=" in attributes for attributes in inline)
    assert nonce not in pages[AGAIN][1]["content-security-policy"]
    assert (
        "unsafe-inline" not in headers["content-security-policy"].partition("script-src")[2].partition(";")[0]
    )
    assert "camera=(self)" in headers["permissions-policy"]
    assert headers["strict-transport-security"]


@pytest.mark.check(
    id="MEET-WAYS",
    title="nginx leads browsers to Prosody, keeps what has a version, and knows no other addresses",
    grade="observed on host",
    remedy="Run apply: it writes nginx's configuration; `systemctl status prosody` says whether Prosody runs.",
)
def test_ways(pages: dict[str, Page]) -> None:
    assert pages["/http-bind"][0] == 200
    assert pages["/tenant/room"][0] == 404
    assert pages["/libs/absent.js"][0] == 404
    status, headers, _ = pages["/libs/app.bundle.min.js?v=1"]
    assert status == 200
    assert headers["cache-control"] == "max-age=31536000"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["content-security-policy"]


@pytest.mark.check(
    id="MEET-WEBSOCKET",
    title="A browser's websocket reaches Prosody through nginx",
    grade="observed on host",
    remedy="Run apply.",
)
def test_websocket(host: Host, deployment: dict[str, Any]) -> None:
    name = deployment["jitsi_meet_hostname"]
    headers = {
        "Host": name,
        "Origin": f"https://{name}",
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Protocol": "xmpp",
        "Sec-WebSocket-Key": "MDEyMzQ1Njc4OWFiY2RlZg==",
    }
    lines = [
        "GET /xmpp-websocket?room=check HTTP/1.1",
        *(f"{key}: {value}" for key, value in headers.items()),
        "",
        "",
    ]
    script = (
        "import socket, ssl\n"
        f"plain = socket.create_connection(({name!r}, 443), 20)\n"
        f"secure = ssl.create_default_context().wrap_socket(plain, server_hostname={name!r})\n"
        f"secure.sendall({chr(13) + chr(10)!r}.join({lines!r}).encode())\n"
        "print(secure.recv(4096).decode())"
    )
    answer = host.check_output(f"python3 -c {shlex.quote(script)}")
    assert answer.startswith("HTTP/1.1 101 ")
    assert "sec-websocket-protocol: xmpp" in answer.lower()


@pytest.mark.check(
    id="MEET-LOGS",
    title="nginx's logs hold no token of a meeting, also where something fails",
    grade="observed on host",
    remedy="Run apply: it writes nginx's configuration. Tokens in older logs hold until they end, 31 days at most.",
)
def test_logs_hold_no_token(run_python: Callable[..., Any], deployment: dict[str, Any]) -> None:
    statuses, found = run_python(_FAIL, NAME=deployment["jitsi_meet_hostname"])
    assert statuses == {"/xmpp-websocket": 413, "/http-bind": 413, "/libs/absent.js": 404}
    assert found == []
