"""Tests on hosts through pytest, with a stand-in for ssh that runs the remote shell on this computer."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from textwrap import dedent

import pytest

from provisioner.checks import infra
from provisioner.checks.result import Check, Grade, Verdict

CONFTEST = Path(__file__).parents[2] / "infra" / "conftest.py"
MARK = '@pytest.mark.check(id="{0}", title="{0} holds", grade="observed on host", remedy="mend it")'
Run = Callable[..., list[Check]]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Return a function that runs the body of a test file for the host ``main``."""
    programs, tests = tmp_path / "bin", tmp_path / "tests" / "infra"
    programs.mkdir()
    ssh = programs / "ssh"
    ssh.write_text('#!/bin/sh\nwhile [ "$1" != -- ]; do shift; done\nshift 2\nexec "$@"\n')
    ssh.chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}{os.pathsep}{os.environ['PATH']}")
    (tests / "base").mkdir(parents=True)
    (tests / "conftest.py").symlink_to(CONFTEST)
    defaults = tmp_path / "roles" / "base" / "defaults" / "main.yml"
    defaults.parent.mkdir(parents=True)
    defaults.write_text("base_timezone: UTC\nbase_size: 1\nbase_names: ['{{ base_timezone }}']\n")

    def run(body: str, *, roles: tuple[str, ...] = ("base",), **options: object) -> list[Check]:
        text = dedent(body)
        for name in ("A", "B", "C", "D"):
            text = text.replace(f"@{name}\n", MARK.format(name) + "\n")
        (tests / "base" / "test_base.py").write_text("import pytest\n\n" + text)
        machine = infra.Machine("main", roles, {"base_size": 2, "ansible_host": "192.0.2.1"})
        return list(infra.run(tests, [machine], **options))  # type: ignore[arg-type]

    return run


def test_outcomes_become_verdicts(run: Run) -> None:
    checks = run(
        """
        @A
        def test_a(host, record_property):
            record_property("actual", "seen so")
            assert host.run("echo é").stdout == "é\\n"

        @B
        def test_b(host):
            assert host.file("/etc/passwd").mode == 0o600

        @C
        def test_c(host):
            pytest.skip("nothing to look at")

        @D
        def test_d(host):
            raise KeyError("oops")
        """
    )
    verdicts = {check.id: check.verdict for check in checks}
    assert verdicts == {
        "A": Verdict.PASS, "B": Verdict.FAIL, "C": Verdict.NOT_ASSESSED, "D": Verdict.NOT_ASSESSED,
    }  # fmt: skip
    passed, failed, skipped, broken = checks
    assert passed.actual == "seen so"
    assert (passed.title, passed.target, passed.grade) == ("A holds", "main", Grade.OBSERVED_ON_HOST)
    assert passed.remedy == "mend it"
    assert "/etc/passwd" in failed.actual
    assert skipped.actual == "nothing to look at"
    assert "KeyError" in broken.actual


def test_what_does_not_apply_gives_no_check(run: Run) -> None:
    checks = run(
        """
        @A
        def test_a(not_applicable):
            not_applicable("no such thing here")

        @B
        def test_b():
            pass
        """
    )
    assert [check.id for check in checks] == ["B"]


def test_deployment_is_inventory_over_plain_defaults(run: Run) -> None:
    checks = run(
        """
        @A
        def test_a(deployment):
            assert deployment["base_timezone"] == "UTC"
            assert deployment["base_size"] == 2
            assert "base_names" not in deployment
        """
    )
    assert [check.verdict for check in checks] == [Verdict.PASS]


def test_failure_of_a_fixture_is_no_evidence(run: Run) -> None:
    checks = run(
        """
        @pytest.fixture
        def broken():
            raise OSError("no")

        @A
        def test_a(broken):
            pass
        """
    )
    assert [(check.id, check.verdict) for check in checks] == [("A", Verdict.NOT_ASSESSED)]


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("def test_a(): pass", "no @pytest.mark.check"),
        ('@pytest.mark.check(id="A", title="t", grade="observed on host")\ndef test_a(): pass', "remedy"),
        ('@pytest.mark.check(id="A", title="t", grade="seen", remedy="r")\ndef test_a(): pass', "'seen'"),
        (
            '@pytest.mark.check(id="A", title="t", grade="declared", remedy="r", x=1)\ndef test_a(): pass',
            "unknown",
        ),
        ("@A\ndef test_a(): pass\n\n@A\ndef test_b(): pass\n", "id A belongs to"),
        ("def test_a(:", "SyntaxError"),
    ],
)
def test_wrong_tests_end_the_session_without_a_pass(body: str, said: str, run: Run) -> None:
    (check,) = run(body)
    assert check.verdict is Verdict.NOT_ASSESSED
    assert check.id == "HOST-TESTS"
    assert said in check.details


def test_parametrized_test_keeps_its_id_and_names_the_case(run: Run) -> None:
    checks = run('@A\n@pytest.mark.parametrize("n", ["x", "y"])\ndef test_a(host, n): pass')
    assert [(check.id, check.title) for check in checks] == [("A", "A holds [x]"), ("A", "A holds [y]")]


def test_role_without_tests_is_no_evidence(run: Run) -> None:
    checks = run("@A\ndef test_a(): pass", roles=("base", "nginx"))
    missing = next(check for check in checks if check.id == "HOST-TESTS-NGINX")
    assert missing.verdict is Verdict.NOT_ASSESSED
    assert any(check.id == "A" and check.verdict is Verdict.PASS for check in checks)


def test_unreachable_host_is_said_once(run: Run, tmp_path: Path) -> None:
    (tmp_path / "bin" / "ssh").write_text("#!/bin/sh\necho 'ssh: no route to host' >&2\nexit 255\n")
    checks = run("@A\ndef test_a(host): host.run('true')\n\n@B\ndef test_b(host): host.run('true')\n")
    assert [(check.id, check.verdict) for check in checks] == [("HOST-REACHABLE", Verdict.NOT_ASSESSED)]
    assert checks[0].actual == "ssh: no route to host"


@pytest.fixture
def nine_roles(run: Run, tmp_path: Path) -> tuple[str, ...]:
    """As many roles as take two sessions; each has a test that says in which process it runs."""
    run("@A\ndef test_a(): pass")
    names = tuple(f"role{number}" for number in range(9))
    for name in names:
        folder = tmp_path / "tests" / "infra" / name
        folder.mkdir()
        mark = MARK.format(name.upper())
        body = "def test_it(host, record_property):\n    record_property('actual', os.getpid())\n    host.run('true')\n"
        (folder / f"test_{name}.py").write_text(f"import os\nimport pytest\n\n{mark}\n{body}")
    return names


def test_many_roles_are_tested_in_several_sessions(run: Run, nine_roles: tuple[str, ...]) -> None:
    checks = run("@A\ndef test_a(): pass", roles=nine_roles)
    assert sorted(check.id for check in checks) == [name.upper() for name in nine_roles]
    assert len({check.actual for check in checks}) == 2


def test_unreachable_host_is_said_once_by_all_sessions(
    run: Run, nine_roles: tuple[str, ...], tmp_path: Path
) -> None:
    (tmp_path / "bin" / "ssh").write_text("#!/bin/sh\necho 'ssh: no route to host' >&2\nexit 255\n")
    checks = run("@A\ndef test_a(): pass", roles=nine_roles)
    assert [check.id for check in checks] == ["HOST-REACHABLE"]


def test_session_that_takes_too_long_is_ended(run: Run) -> None:
    started = time.monotonic()
    checks = run("import time\n\n@A\ndef test_a(): time.sleep(60)\n", timeout_seconds=3)
    assert time.monotonic() - started < 20
    assert [(check.id, check.verdict) for check in checks] == [("HOST-TESTS", Verdict.NOT_ASSESSED)]


def test_journal_of_the_unit_goes_with_the_failure(run: Run, tmp_path: Path) -> None:
    journal = tmp_path / "bin" / "journalctl"
    journal.write_text('#!/bin/sh\necho "journal called with $*"\n')
    journal.chmod(0o755)
    mark = MARK.format("A").replace(")", ', unit="nginx.service")')
    (check,) = run(f"{mark}\ndef test_a(host): assert False, 'down'\n")
    assert check.actual.startswith("down")
    assert "journal of nginx.service" in check.details


def test_closing_ends_a_session_that_waits(run: Run, tmp_path: Path) -> None:
    run("@A\ndef test_a(): pass\n")
    file = tmp_path / "tests" / "infra" / "base" / "test_base.py"
    mark = MARK.format("B")
    file.write_text(file.read_text() + f"\n{mark}\ndef test_b(host): host.run('sleep 20')\n")
    stream = infra.run(file.parents[1], [infra.Machine("main", ("base",), {})])
    assert next(stream).id == "A"
    started = time.monotonic()
    stream.close()
    assert list(stream) == []
    assert time.monotonic() - started < 10


def test_own_output_of_pytest_goes_to_the_log(run: Run, tmp_path: Path) -> None:
    run("@A\ndef test_a(): pass", log=tmp_path / "verify.log")
    assert "1 passed" in (tmp_path / "verify.log").read_text()


def test_nothing_is_asked_of_a_host_before_the_tests_may_begin(run: Run, tmp_path: Path) -> None:
    asked = tmp_path / "asked"
    run(f"@A\ndef test_a(host): host.run('touch {asked}')\n")
    asked.unlink()
    begin = threading.Event()
    stream = infra.run(tmp_path / "tests" / "infra", [infra.Machine("main", ("base",), {})], begin=begin)
    time.sleep(3)
    assert not asked.exists()
    begin.set()
    assert [check.id for check in stream] == ["A"]
    assert asked.exists()


def test_closing_ends_a_session_that_never_began(run: Run, tmp_path: Path) -> None:
    run("@A\ndef test_a(): pass\n")
    stream = infra.run(
        tmp_path / "tests" / "infra", [infra.Machine("main", ("base",), {})], begin=threading.Event()
    )
    stream.close()
    assert list(stream) == []


def test_scripts_on_the_host_take_constants_and_say_why_they_fail(run: Run) -> None:
    checks = run(
        """
        @A
        def test_a(run_python):
            library = "import json\\ntwice = 'ab'.__mul__"
            assert run_python("print(json.dumps([twice(X), Y]))", library, X=2, Y="'") == ["abab", "'"]

        @B
        def test_b(run_python):
            run_python("raise ValueError('this is why')")

        @C
        def test_c(fetch):
            assert fetch("http://127.0.0.1:1/") == (0, {}, "<urlopen error [Errno 111] Connection refused>")
        """
    )
    assert [check.verdict for check in checks] == [Verdict.PASS, Verdict.FAIL, Verdict.PASS], checks
    assert checks[1].actual == "ValueError: this is why"


def test_all_that_wait_for_java_wait_for_the_same_time(run: Run) -> None:
    checks = run(
        """
        import time
        seen = []

        @A
        def test_a(java_deadline):
            seen.append(java_deadline)
            assert 0 < java_deadline - time.monotonic() <= 60

        @B
        def test_b(java_deadline):
            assert seen == [java_deadline]
        """
    )
    assert [check.verdict for check in checks] == [Verdict.PASS, Verdict.PASS], checks


def test_what_a_check_saw_is_told_without_advice_to_programmers(run: Run) -> None:
    [check] = run(
        """
        @A
        def test_a():
            assert {"a": 1, "b": list(range(9))} == {"a": 1, "b": []}
        """
    )
    assert "Differing items" in check.actual
    assert "-v" not in check.actual
