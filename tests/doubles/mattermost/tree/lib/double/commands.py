"""The program ``mattermost``."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from .configuration import Configuration, DatabaseStore, open_store
from .contract import INTERFACE, ROOT, VERSION, ApiError, Refusal, now
from .database import Database, applied_migrations, drop_all, migrate
from .flags import Invocation, read
from .postgres import DatabaseError
from .server import serve


def main() -> None:
    """Run one command and exit as the real program does."""
    try:
        invocation = read("mattermost", sys.argv[1:], INTERFACE["mattermost"], default="server")
        _run(invocation)
    except (Refusal, ApiError, DatabaseError, OSError) as error:
        print(f"Error: {error}", file=sys.stderr)
        sys.exit(1)


def _run(invocation: Invocation) -> None:
    match invocation.command:
        case "version":
            _print_version()
        case "server":
            serve(_load(invocation, read_only=False))
        case "db init":
            if not isinstance(open_store(_store_name(invocation)), DatabaseStore):
                raise Refusal("this command should be run using a database configuration DSN")
            migrate(_database(_load(invocation, read_only=False)))
            print("Database store correctly initialised")
        case "db migrate":
            _migrate(invocation)
        case "db version":
            _print_database_version(
                _database(_load(invocation)), everything=bool(invocation.flags.get("all"))
            )
        case "db reset":
            if not invocation.flags.get("confirm"):
                raise Refusal("ABORTED: You did not answer YES exactly, in all capitals.")
            drop_all(_database(_load(invocation)))
            print("Database successfully reset")
        case command:
            raise Refusal(f"the double does not play mattermost {command}")


def _print_version() -> None:
    release = {
        "Version": VERSION,
        "Build Number": VERSION,
        "Build Date": "contract double of sovstack",
        "Build Hash": "double",
        "Build Enterprise Ready": "false",
    }
    for name, value in release.items():
        print(f"{name}: {value}")


def _store_name(invocation: Invocation) -> str:
    return str(invocation.flags.get("config") or os.environ.get("MM_CONFIG") or "config.json")


def _load(invocation: Invocation, *, read_only: bool = True) -> Configuration:
    if os.environ.get("MM_LICENSE"):
        raise Refusal("Team Edition takes no licence, and this double plays no other edition")
    if os.environ.get("MM_CUSTOM_DEFAULTS_PATH"):
        raise Refusal("the double does not play MM_CUSTOM_DEFAULTS_PATH")
    return Configuration(open_store(_store_name(invocation)), os.environ, read_only=read_only)


def _database(configuration: Configuration) -> Database:
    return Database(
        configuration["SqlSettings.DataSource"],
        configuration["SqlSettings.ConnMaxLifetimeMilliseconds"] / 1000,
    )


def _migrate(invocation: Invocation) -> None:
    configuration = _load(invocation)
    dry_run = bool(invocation.flags.get("dry-run"))
    database = _database(configuration)
    missing = migrate(database, dry_run=True)
    if not missing:
        print("No migrations to apply.")
        return
    if invocation.flags.get("save-plan") or invocation.flags.get("auto-recover"):
        folder = Path(configuration["FileSettings.Directory"])
        path = (folder if folder.is_absolute() else ROOT / folder) / f"migration_plan_{now()}.json"
        path.write_text(json.dumps({"migrations": missing}))
        print(f"The migration plan has been saved. File: {path.name!r}.")
    migrate(database, dry_run=dry_run)
    print("Database successfully migrated")


def _print_database_version(database: Database, *, everything: bool) -> None:
    applied = applied_migrations(database)
    if everything:
        for number, name in applied:
            print(f"Varsion: {number}, Name: {name}")  # the real one spells it so
    else:
        print(f"Current database schema version is: {applied[0][0]}")
