"""The running server: database, ways in, and what it tells systemd."""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from .api import Api
from .configuration import Configuration, split_address
from .contract import VERSION, new_id, now
from .database import Database, migrate
from .plugins import install_all
from .postgres import DatabaseError
from .web import LocalServer, NetworkServer, make_handler

_ATTEMPTS = 5
_SECONDS_BETWEEN = 2


def serve(configuration: Configuration) -> None:
    """Be the server until a signal ends it.

    Raises:
        DatabaseError: The database is not there, after a few attempts.
        OSError: An address or the local socket is not to be had.
    """
    ended = threading.Event()
    database = Database(
        configuration["SqlSettings.DataSource"],
        configuration["SqlSettings.ConnMaxLifetimeMilliseconds"] / 1000,
    )
    _prepare(database)
    for problem in install_all(configuration):
        log(configuration, problem)
    api = Api(configuration, database)
    host, port = split_address(configuration["ServiceSettings.ListenAddress"])
    servers: list[NetworkServer | LocalServer] = [NetworkServer(host, port, make_handler(api, local=False))]
    path = Path(configuration["ServiceSettings.LocalModeSocketLocation"])
    if configuration["ServiceSettings.EnableLocalMode"]:
        servers.append(LocalServer(path, make_handler(api, local=True)))
    for server in servers:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True).start()
    log(configuration, "Server is listening on", address=configuration["ServiceSettings.ListenAddress"])
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
    _notify("READY=1")
    ended.wait()
    log(configuration, "Stopping Server...")
    for server in servers:
        server.shutdown()
        server.server_close()
    path.unlink(missing_ok=True)
    database.close()


def _prepare(database: Database) -> None:
    for attempt in range(1, _ATTEMPTS + 1):
        try:
            migrate(database)
            break
        except DatabaseError as error:
            if error.state or attempt == _ATTEMPTS:
                raise
            time.sleep(_SECONDS_BETWEEN)
    first = {"DiagnosticId": new_id(), "FirstServerRunTimestamp": now()}
    with database.transaction() as connection:
        for name, value in first.items():
            connection.query("INSERT INTO systems VALUES ($1, $2) ON CONFLICT DO NOTHING", name, value)
        statement = "INSERT INTO systems VALUES ('Version', $1) ON CONFLICT (name) DO UPDATE SET value = $1"
        connection.query(statement, VERSION)


def _notify(state: str) -> None:
    """Tell systemd how far the server is (sd_notify)."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if address:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sink:
            sink.connect(f"\0{address[1:]}" if address.startswith("@") else address)
            sink.sendall(state.encode())


def log(configuration: Configuration, message: str, **more: object) -> None:
    """Write a line of the server's log where the settings want it."""
    if not configuration["LogSettings.EnableConsole"]:
        return
    fields: Mapping[str, object] = {
        "timestamp": datetime.now(UTC).isoformat(),
        "level": "info",
        "msg": message,
        **more,
    }
    if configuration["LogSettings.ConsoleJson"]:
        text = json.dumps(fields)
    else:
        text = f"info  [{fields['timestamp']}] {message} " + " ".join(
            f"{name}={value}" for name, value in more.items()
        )
    print(text.rstrip(), file=sys.stdout, flush=True)
