"""The test levels: what each runs, how long it may take, and the summary of them all.

A level is one process or several (a molecule scenario each); two run at a time, for much of their time is spent
waiting for a machine. Each writes its own log. Called by ``script/test``, which prepares the virtual environment and
documents the options.
"""

from __future__ import annotations

import argparse
import os
import re
import signal
import subprocess
import sys
import threading
import time
import xml.etree.ElementTree as ElementTree
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent.parent
LOGS = CHECKOUT / ".cache" / "test"
QUICK_FOLDERS = ("tests/repo", "tests/unit", "tests/cases", "tests/integration")
JOBS_AT_ONCE = 2
LINES_OF_A_FAILURE = 100
SECONDS_BETWEEN_SIGNS_OF_LIFE = 60


@dataclass(frozen=True, slots=True)
class Tally:
    """How many tests, linters or scenarios passed, failed and were skipped."""

    passed: int = 0
    failed: int = 0
    skipped: int = 0

    def __add__(self, other: Tally) -> Tally:
        """Return the sum, number by number."""
        return Tally(self.passed + other.passed, self.failed + other.failed, self.skipped + other.skipped)

    def __str__(self) -> str:
        """Return the closing line that CI reads."""
        skipped = f", {self.skipped} skipped" if self.skipped else ""
        return f"{self.passed} passed, {self.failed} failed{skipped}"


@dataclass(frozen=True, slots=True)
class Job:
    """One process of a level.

    Attributes:
        name: What people see; its log is named after it.
        command: What to run.
        budget_seconds: How long it may take.
        count: What came of it, by its exit status (None when it was ended early) and its log.
    """

    name: str
    command: Sequence[str]
    budget_seconds: int
    count: Callable[[int | None, Path], Tally]

    @property
    def log(self) -> Path:
        """File with everything that it prints."""
        return LOGS / f"{self.name.replace(' ', '-')}.log"


@dataclass(frozen=True, slots=True)
class Level:
    """One level: the jobs that make it up. A ``long`` one needs root."""

    name: str
    jobs: Callable[[], list[Job]]
    long: bool = False


class Processes:
    """The processes that are running, each in its own group, so that Ctrl-C and a budget end them whole."""

    def __init__(self) -> None:
        """Begin with nothing running."""
        self._running: set[subprocess.Popen[bytes]] = set()
        self._lock = threading.Lock()
        self._ending = threading.Event()

    def run(self, command: Sequence[str], budget_seconds: float, log: Path) -> int | None:
        """Run ``command`` in the checkout and return its exit status, or None when it was ended early."""
        if self._ending.is_set():
            return None
        with log.open("wb") as output:
            process = subprocess.Popen(
                command,
                cwd=CHECKOUT,
                env=environment(),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        with self._lock:
            self._running.add(process)
        with suppress(subprocess.TimeoutExpired):
            process.wait(timeout=budget_seconds)
        in_time = process.poll() is not None and not self._ending.is_set()
        if not in_time:
            _end(process)
        with self._lock:
            self._running.discard(process)
        return process.returncode if in_time else None

    def end(self) -> None:
        """End everything that runs, and start nothing any more."""
        self._ending.set()
        with self._lock:
            running = list(self._running)
        for process in running:
            _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    """Interrupt the process, so that fixtures take lab machines down; insist when that is not enough."""
    for number, patience_seconds in ((signal.SIGINT, 30), (signal.SIGTERM, 5), (signal.SIGKILL, 5)):
        if process.poll() is None:
            _signal_group(process, number)
            with suppress(subprocess.TimeoutExpired):
                process.wait(timeout=patience_seconds)
    _signal_group(process, signal.SIGKILL)  # what it started and left behind


def _signal_group(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, number)


PROCESSES = Processes()


def environment() -> Mapping[str, str]:
    """Return the environment of every test: this .venv first, UTF-8, plain output."""
    return {
        **os.environ,
        "PATH": f"{CHECKOUT / '.venv' / 'bin'}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
        "LC_ALL": "C.UTF-8",  # Ansible refuses to start in a locale that is not UTF-8
        "PYTHONUNBUFFERED": "1",
    }


def say(text: str) -> None:
    """Print a line of progress at once."""
    print(text, flush=True)


def pytest_job(name: str, *arguments: str, markers: str = "", budget_seconds: int) -> Callable[[], list[Job]]:
    """Return a level of one pytest run, counted by its JUnit report."""
    junit = LOGS / f"{name}.xml"

    def count(status: int | None, _log: Path) -> Tally:
        if not junit.exists():
            return Tally(failed=1)  # a run that ends without a report has failed
        tally = Tally()
        for suite in ElementTree.parse(junit).getroot().iter("testsuite"):  # noqa: S314  # pytest wrote it just now
            total, skipped = int(suite.get("tests", 0)), int(suite.get("skipped", 0))
            failed = int(suite.get("failures", 0)) + int(suite.get("errors", 0))
            tally += Tally(total - failed - skipped, failed, skipped)
        return tally if tally.failed or status == 0 else tally + Tally(failed=1)

    def jobs() -> list[Job]:
        junit.unlink(missing_ok=True)
        command = [sys.executable, "-m", "pytest", "-q", *arguments, f"--junit-xml={junit}", "--durations=5"]
        return [Job(name, [*command, "-m", markers] if markers else command, budget_seconds, count)]

    return jobs


def linters() -> list[Job]:
    """Return the one job that runs every hook of .pre-commit-config.yaml over all tracked files."""

    def count(status: int | None, log: Path) -> Tally:
        text = log.read_text(errors="replace").replace("(no files to check)", ".")
        results = re.findall(r"\.(Passed|Failed|Skipped)$", text, re.MULTILINE)
        tally = Tally(results.count("Passed"), results.count("Failed"), results.count("Skipped"))
        return tally if tally.failed or status == 0 else tally + Tally(failed=1)

    return [Job("lint", ["pre-commit", "run", "--all-files", "--color=never"], 600, count)]


def scenarios() -> list[Job]:
    """Return a job for every molecule scenario."""

    def count(status: int | None, _log: Path) -> Tally:
        return Tally(passed=1) if status == 0 else Tally(failed=1)

    names = sorted(path.parent.name for path in (CHECKOUT / "molecule").glob("*/molecule.yml"))
    return [
        Job(f"molecule {name}", ["molecule", "test", "--scenario-name", name], 1200, count) for name in names
    ]


# The longest come first among the long ones: what runs alone at the end should be short.
LEVELS = (
    Level("lint", linters),
    Level("repo", pytest_job("repo", "tests/repo", markers="not slow", budget_seconds=120)),
    Level("unit", pytest_job("unit", "tests/unit", markers="not slow", budget_seconds=300)),
    Level("cases", pytest_job("cases", "tests/cases", markers="not slow", budget_seconds=120)),
    Level(
        "integration", pytest_job("integration", "tests/integration", markers="not slow", budget_seconds=600)
    ),
    Level("stack", pytest_job("stack", "tests/stack", budget_seconds=2700), long=True),
    # Two interruptions, one of each kind, and the outages of one machine fit into CI's hour; `pytest tests/resilience`
    # alone makes ten interruptions, and the outages of every machine.
    Level(
        "resilience",
        pytest_job("resilience", "tests/resilience", "--interruptions=2", "--outages=1", budget_seconds=1800),
        long=True,
    ),
    Level("slow", pytest_job("slow", *QUICK_FOLDERS, markers="slow", budget_seconds=900), long=True),
    Level("molecule", scenarios, long=True),
)


class Board:
    """What runs at the moment, told every minute: a silent hour looks like a hang."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self._started = time.monotonic()
        self._running: dict[str, float] = {}
        self._ended = threading.Event()

    @contextmanager
    def shown(self) -> Iterator[None]:
        """Tell what runs while the block runs."""
        teller = threading.Thread(target=self._tell, daemon=True)
        teller.start()
        try:
            yield
        finally:
            self._ended.set()
            teller.join()

    @contextmanager
    def running(self, name: str) -> Iterator[None]:
        """Count ``name`` among what runs while the block runs."""
        self._running[name] = time.monotonic()
        self.say(f"{name}: started")
        try:
            yield
        finally:
            del self._running[name]

    def say(self, text: str) -> None:
        """Print a line with the seconds since the beginning."""
        say(f"[{time.monotonic() - self._started:4.0f} s] {text}")

    def _tell(self) -> None:
        while not self._ended.wait(SECONDS_BETWEEN_SIGNS_OF_LIFE):
            now = time.monotonic()
            running = ", ".join(
                f"{name} for {now - since:.0f} s" for name, since in list(self._running.items())
            )
            self.say(f"running: {running or 'nothing'}")


def run_job(job: Job, deadline: float, board: Board) -> tuple[float, Tally]:
    """Run a job; return the seconds that it took, and what came of it. What failed shows the end of its log."""
    started = time.monotonic()
    budget = min(job.budget_seconds, deadline - started)
    if budget <= 0:
        board.say(f"{job.name}: not started, the time is used up")
        return 0.0, Tally(failed=1)
    with board.running(job.name):
        status = PROCESSES.run(job.command, budget, job.log)
    seconds = time.monotonic() - started
    tally = job.count(status, job.log) if job.log.exists() else Tally(failed=1)
    lines = job.log.read_text(errors="replace").splitlines() if job.log.exists() else []
    shown = (
        lines[-LINES_OF_A_FAILURE:]
        if tally.failed
        else [line for line in lines if line.startswith("SKIPPED")]
    )
    for line in shown:
        say(f"    {line}")
    ended = f" (ended: it had {budget:.0f} s)" if status is None else ""
    where = f"; whole log: {job.log.relative_to(CHECKOUT)}" if tally.failed else ""
    board.say(f"{job.name}: {tally} in {seconds:.0f} s{ended}{where}")
    return seconds, tally


def choose(arguments: Sequence[str]) -> tuple[list[Level], float]:
    """Return the levels that the command line asks for, and the seconds that all of them may take."""
    parser = argparse.ArgumentParser(prog="script/test", exit_on_error=False, add_help=False)
    group = parser.add_mutually_exclusive_group()
    group.add_argument("--all", action="store_true")
    group.add_argument("--long", action="store_true")
    group.add_argument("--only", type=lambda text: text.split(","))
    parser.add_argument("--within", type=float, default=float("inf"))
    try:
        options = parser.parse_args(arguments)
    except (argparse.ArgumentError, SystemExit):
        print("see script/test --help", file=sys.stderr)
        sys.exit(64)
    if options.only:
        known = {level.name: level for level in LEVELS}
        if unknown := set(options.only) - set(known):
            print(
                f"no such level: {', '.join(sorted(unknown))}; there are {', '.join(known)}", file=sys.stderr
            )
            sys.exit(64)
        return [level for level in LEVELS if level.name in options.only], options.within
    return [level for level in LEVELS if options.all or level.long == options.long], options.within


def main() -> int:
    """Run the chosen levels, all of them even when one fails, and print the summary."""
    levels, within_seconds = choose(sys.argv[1:])
    LOGS.mkdir(parents=True, exist_ok=True)
    started = time.monotonic()
    seconds: dict[str, float] = defaultdict(float)
    tallies: dict[str, Tally] = defaultdict(Tally)
    board = Board()
    jobs: list[tuple[Level, Job]] = []
    for level in levels:
        if level.long and os.geteuid() != 0:
            tallies[level.name] = Tally(skipped=1)
            say(f"{level.name}: skipped, needs root; run: sudo script/test --long")
        else:
            jobs += [(level, job) for job in level.jobs()]
    with board.shown(), ThreadPoolExecutor(JOBS_AT_ONCE) as pool:
        try:
            done = pool.map(lambda pair: run_job(pair[1], started + within_seconds, board), jobs)
            for (level, _), (took, tally) in zip(jobs, done, strict=True):
                seconds[level.name] += took
                tallies[level.name] += tally
        except KeyboardInterrupt:
            pool.shutdown(wait=False, cancel_futures=True)
            PROCESSES.end()  # before the pool waits for its threads
            raise
    say(f"\n== summary after {time.monotonic() - started:.0f} s")
    for level in levels:
        say(f"  {level.name:<12} {seconds[level.name]:6.1f} s  {tallies[level.name]}")
    total = sum(tallies.values(), start=Tally())
    say(str(total))
    return 1 if total.failed or total == Tally() else 0


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        say("interrupted: ending what runs")
        PROCESSES.end()
        sys.exit(130)
