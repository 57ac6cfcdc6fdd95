"""The database: one session that is shared and made anew when it is lost, and its tables by migrations.

Tables and columns are those of the real server that the double needs; migrations keep the numbers and names they have
there, and are counted in the same tables.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from .contract import ApiError
from .postgres import Connection, DatabaseError

UNIQUE_VIOLATION = "23505"

_MIGRATIONS = Path(__file__).parent / "migrations"
_OLDEST = 140000  # PostgreSQL 14, as 11.7 asks
_LOCK = 0x6D6D  # any number that is ours: one migration at a time


class Database:
    """A database of PostgreSQL, used by one thread at a time.

    A session ends after ``lifetime_seconds``, as the real server's do after its setting ConnMaxLifetimeMilliseconds:
    PostgreSQL that is told to stop waits for it.
    """

    def __init__(self, source: str, lifetime_seconds: float) -> None:
        self._source = source
        self._lifetime_seconds = lifetime_seconds
        self._lock = threading.RLock()
        self._connection: Connection | None = None

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """Give the session for the block; what it did holds when the block ends well.

        Raises:
            DatabaseError: The database is not there, or said no.
        """
        with self._lock:
            if self._connection is None:
                self._connection = self._connect()
            connection = self._connection
            try:
                connection.run("BEGIN")
                yield connection
                connection.run("COMMIT")
            except DatabaseError as error:
                if not error.state or error.state.startswith(("08", "57P")):
                    self.close()
                else:
                    connection.run("ROLLBACK")
                raise
            except BaseException:
                connection.run("ROLLBACK")
                raise

    def _connect(self) -> Connection:
        connection = Connection(self._source)
        (found,) = connection.query("SELECT current_setting('server_version_num')::int AS number")
        if found["number"] < _OLDEST:
            raise DatabaseError(
                f"PostgreSQL {found['number'] // 10000} is too old: 14 is the oldest that Mattermost takes"
            )
        timer = threading.Timer(self._lifetime_seconds, self._expire, (connection,))
        timer.daemon = True
        timer.start()
        return connection

    def _expire(self, connection: Connection) -> None:
        with self._lock:
            if self._connection is connection:
                self.close()

    def close(self) -> None:
        """End the session; the next use makes another."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def migrate(database: Database, *, configuration: bool = False, dry_run: bool = False) -> list[str]:
    """Apply the migrations that are missing, each in a transaction of its own, and return their names.

    Args:
        configuration: Those of a configuration that is kept in the database, in place of the server's own.
        dry_run: Only say which are missing.
    """
    table, folder = (
        ("db_config_migrations", _MIGRATIONS / "config") if configuration else ("db_migrations", _MIGRATIONS)
    )
    applied = []
    with database.transaction() as connection:
        connection.query("SELECT pg_advisory_xact_lock($1)", _LOCK)
        connection.run(
            f"CREATE TABLE IF NOT EXISTS {table} (version bigint PRIMARY KEY, name varchar NOT NULL)"
        )
    for path in sorted(folder.glob("*.sql")):
        number, _, name = path.stem.partition("_")
        with database.transaction() as connection:
            connection.query("SELECT pg_advisory_xact_lock($1)", _LOCK)
            if connection.query(f"SELECT version FROM {table} WHERE version = $1", int(number)):  # noqa: S608
                continue
            applied.append(path.stem)
            if not dry_run:
                connection.run(path.read_text())
                connection.query(f"INSERT INTO {table} VALUES ($1, $2)", int(number), name)  # noqa: S608
    return applied


def applied_migrations(database: Database) -> list[tuple[int, str]]:
    """Return the migrations that were applied, the newest first."""
    with database.transaction() as connection:
        rows = connection.query("SELECT version, name FROM db_migrations ORDER BY version DESC")
    return [(row["version"], row["name"]) for row in rows]


def drop_all(database: Database) -> None:
    """Empty every table of the server, as ``mattermost db reset`` does."""
    with database.transaction() as connection:
        rows = connection.query("SELECT tablename FROM pg_tables WHERE schemaname = current_schema()")
        tables = [row["tablename"] for row in rows if row["tablename"] != "db_migrations"]
        connection.run(f"TRUNCATE {', '.join(tables)}")


def insert(
    connection: Connection, table: str, row: Mapping[str, object], exists: str, named: Sequence[str] = ()
) -> None:
    """Insert a row; where it exists already, ``exists`` is the answer, with the name of the column in it."""
    places = ", ".join(f"${number}" for number in range(1, len(row) + 1))
    try:
        connection.query(f"INSERT INTO {table} ({', '.join(row)}) VALUES ({places})", *row.values())  # noqa: S608
    except DatabaseError as error:
        if error.state != UNIQUE_VIOLATION:
            raise
        column = next((name for name in named if name in str(error)), "id")
        raise ApiError(exists.format(column), 400, "There is one by that name already.") from error


def page(query: Mapping[str, str]) -> tuple[int, int]:
    """Return how many rows a page has, and how many to pass over, from the API's ``page`` and ``per_page``."""
    try:
        number, size = int(query.get("page", 0)), int(query.get("per_page", 60))
    except ValueError:
        number, size = 0, 60
    size = min(max(size, 1), 200)
    return size, max(number, 0) * size
