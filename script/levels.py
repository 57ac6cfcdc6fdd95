"""The test levels: what each runs, how long it may take, and the summary of them all.

Called by ``script/test``, which prepares the virtual environment and documents the options.
"""

from __future__ import annotations

import argparse
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent.parent
LOGS = CHECKOUT / ".cache" / "test"
QUICK_FOLDERS = ("tests/repo", "tests/unit", "tests/cases", "tests/integration")
PARALLEL_SCENARIOS = 2
SCENARIO_BUDGET_SECONDS = 1200
LINES_OF_A_FAILURE = 60


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
class Level:
    """One level: ``run`` gets the seconds it may take and returns what came of it."""

    name: str
    run: Callable[[float], Tally]
    budget_seconds: int
    long: bool = False


class Processes:
    """The processes that are running, each in its own group, so that Ctrl-C and a budget end them whole."""

    def __init__(self) -> None:
        """Begin with nothing running."""
        self._running: set[subprocess.Popen[bytes]] = set()
        self._lock = threading.Lock()
        self._ending = threading.Event()

    def run(self, command: Sequence[str], budget_seconds: float, log: Path | None = None) -> int | None:
        """Run ``command`` in the checkout and return its exit status, or None when it was ended early."""
        if self._ending.is_set():
            return None
        output = log.open("wb") if log else None
        try:
            process = subprocess.Popen(
                command,
                cwd=CHECKOUT,
                env=environment(),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT if output else None,
                start_new_session=True,
            )
        finally:
            if output:
                output.close()
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


def run_pytest(arguments: Sequence[str], markers: str, budget_seconds: float) -> Tally:
    """Run pytest and count by its JUnit report; a run that ends without one, or runs no test, has failed."""
    with tempfile.TemporaryDirectory() as scratch:
        junit = Path(scratch) / "junit.xml"
        command = [sys.executable, "-m", "pytest", "-q", *arguments, f"--junit-xml={junit}", "--durations=5"]
        status = PROCESSES.run([*command, "-m", markers] if markers else command, budget_seconds)
        if status is None:
            say(f"exceeded its {budget_seconds:.0f} s and was ended")
        if not junit.exists():
            return Tally(failed=1)
        suites = ElementTree.parse(junit).getroot().iter("testsuite")  # noqa: S314  # pytest wrote it just now
        tally = Tally()
        for suite in suites:
            total, skipped = int(suite.get("tests", 0)), int(suite.get("skipped", 0))
            failed = int(suite.get("failures", 0)) + int(suite.get("errors", 0))
            tally += Tally(total - failed - skipped, failed, skipped)
    return tally if tally.failed or status == 0 else tally + Tally(failed=1)


def run_linters(budget_seconds: float) -> Tally:
    """Run every hook of .pre-commit-config.yaml over all tracked files."""
    log = LOGS / "lint.log"
    status = PROCESSES.run(["pre-commit", "run", "--all-files", "--color=never"], budget_seconds, log)
    text = log.read_text(errors="replace")
    say(text.rstrip())
    if status is None:
        say(f"exceeded its {budget_seconds:.0f} s and was ended")
    results = re.findall(
        r"\.(Passed|Failed|Skipped)$", text.replace("(no files to check)", "."), re.MULTILINE
    )
    tally = Tally(results.count("Passed"), results.count("Failed"), results.count("Skipped"))
    return tally if tally.failed or status == 0 else tally + Tally(failed=1)


def run_molecule(budget_seconds: float) -> Tally:
    """Run every scenario, at most two at a time; each writes its own log and shows its end when it fails."""
    deadline = time.monotonic() + budget_seconds
    scenarios = sorted(path.parent.name for path in (CHECKOUT / "molecule").glob("*/molecule.yml"))

    def test(scenario: str) -> Tally:
        log = LOGS / f"molecule-{scenario}.log"
        started = time.monotonic()
        budget = min(SCENARIO_BUDGET_SECONDS, deadline - started)
        if budget <= 0:
            say(f"  {scenario}: not started, the level's time is used up")
            return Tally(failed=1)
        say(f"  {scenario}: started")
        status = PROCESSES.run(["molecule", "test", "--scenario-name", scenario], budget, log)
        elapsed = time.monotonic() - started
        if status == 0:
            say(f"  {scenario}: passed in {elapsed:.0f} s")
            return Tally(passed=1)
        end = "\n".join(log.read_text(errors="replace").splitlines()[-LINES_OF_A_FAILURE:])
        what = f"exceeded its {budget:.0f} s" if status is None else f"failed after {elapsed:.0f} s"
        say(f"{end}\n  {scenario}: {what}; whole log: {log.relative_to(CHECKOUT)}")
        return Tally(failed=1)

    with ThreadPoolExecutor(PARALLEL_SCENARIOS) as pool:
        try:
            return sum(pool.map(test, scenarios), start=Tally() if scenarios else Tally(failed=1))
        except KeyboardInterrupt:
            PROCESSES.end()  # before the pool waits for its threads
            raise


def _pytest(*arguments: str, markers: str = "") -> Callable[[float], Tally]:
    return lambda budget_seconds: run_pytest(arguments, markers, budget_seconds)


LEVELS = (
    Level("repo", _pytest("tests/repo", markers="not slow"), 120),
    Level("lint", run_linters, 600),
    Level("unit", _pytest("tests/unit", markers="not slow"), 300),
    Level("cases", _pytest("tests/cases", markers="not slow"), 120),
    Level("integration", _pytest("tests/integration", markers="not slow"), 600),
    Level("slow", _pytest(*QUICK_FOLDERS, markers="slow"), 600, long=True),
    Level("molecule", run_molecule, 2100, long=True),
    Level("stack", _pytest("tests/stack"), 1500, long=True),
    # Two interruptions, one of each kind, fit into CI's hour; `pytest tests/resilience` alone makes ten.
    Level("resilience", _pytest("tests/resilience", "--interruptions=2"), 1200, long=True),
)


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
    total, lines = Tally(), []
    for level in levels:
        begun = time.monotonic()
        budget = min(level.budget_seconds, within_seconds - (begun - started))
        say(f"\n== {level.name} (at most {max(budget, 0):.0f} s)")
        if level.long and os.geteuid() != 0:
            tally = Tally(skipped=1)
            say("skipped: needs root; run: sudo script/test --long")
        elif budget <= 0:
            tally = Tally(failed=1)
            say("not run: the time for all levels is used up")
        else:
            tally = level.run(budget)
        lines.append(f"  {level.name:<12} {time.monotonic() - begun:6.1f} s  {tally}")
        say(lines[-1].strip())
        total += tally
    say(f"\n== summary after {time.monotonic() - started:.0f} s")
    say("\n".join(lines))
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
