"""The real ansible-runner and ansible-core: what they say arrives, and their habits are tamed."""

from __future__ import annotations

import os
import subprocess
import threading
import time
from pathlib import Path

import pytest

from provisioner.engine import events, runner
from provisioner.engine.events import Event, Outcome
from provisioner.engine.password_pipe import serve_password
from provisioner.engine.processes import MARK
from provisioner.engine.runner import Transport
from provisioner.profile import vault

from .conftest import Request, run


def finished(happened: list[Event]) -> dict[str, events.TaskFinished]:
    return {event.task: event for event in happened if isinstance(event, events.TaskFinished)}


def end(happened: list[Event]) -> events.PlaybookFinished:
    last = happened[-1]
    assert isinstance(last, events.PlaybookFinished)
    return last


def marked(scratch: Path) -> list[int]:
    found = []
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and f"{MARK}={scratch}".encode() in (entry / "environ").read_bytes():
                found.append(int(entry.name))
        except OSError:
            continue
    return found


def test_every_outcome_arrives(request_for: Request, transport: Transport, tmp_path: Path) -> None:
    happened = run(
        request_for(
            f"""
            handlers:
              - name: Say so
                listen: told
                ansible.builtin.debug: {{msg: told}}
            tasks:
              - name: Changes
                ansible.builtin.copy: {{content: "a\\n", dest: {tmp_path}/file, mode: "0600"}}
                notify: told
              - name: Changes secretly
                ansible.builtin.copy: {{content: "b\\n", dest: {tmp_path}/secret, mode: "0600"}}
                no_log: true
              - name: Changes secretly in a loop
                ansible.builtin.copy: {{content: "b", dest: "{tmp_path}/{{{{ item }}}}", mode: "0600"}}
                loop: [one, two]
                no_log: true
              - name: Looks
                ansible.builtin.stat: {{path: /}}
              - name: Skips
                ansible.builtin.command: "false"
                when: false
              - name: Falls and goes on
                ansible.builtin.command: "false"
                changed_when: false
                ignore_errors: true
              - name: Falls
                ansible.builtin.command: sh -c 'echo out; echo err >&2; exit 3'
            """,
            transport,
        )
    )
    tasks = finished(happened)
    assert {name: task.outcome for name, task in tasks.items()} == {
        "Changes": Outcome.CHANGED,
        "Changes secretly": Outcome.CHANGED,
        "Changes secretly in a loop": Outcome.CHANGED,
        "Looks": Outcome.OK,
        "Skips": Outcome.SKIPPED,
        "Falls and goes on": Outcome.IGNORED,
        "Falls": Outcome.FAILED,
    }
    assert tasks["Falls"].output == "out\nerr"
    assert "site.yml" in tasks["Falls"].place
    [diff] = [event for event in happened if isinstance(event, events.FileDiff)]
    assert (diff.task, diff.diff.splitlines()[-1]) == ("Changes", "+a")
    [totals] = [event for event in happened if isinstance(event, events.Totals)]
    changed = [task for task in tasks.values() if task.outcome is Outcome.CHANGED]
    assert totals.hosts["here"]["changed"] == len(changed)  # ours agrees with Ansible's own count
    assert not [event for event in happened if isinstance(event, events.Unknown)]
    assert (end(happened).status, end(happened).code) == ("failed", 2)


def test_handlers_are_told_from_tasks(request_for: Request, transport: Transport, tmp_path: Path) -> None:
    happened = run(
        request_for(
            f"""
            handlers:
              - name: Say so
                ansible.builtin.debug: {{msg: told}}
            tasks:
              - name: Changes
                ansible.builtin.copy: {{content: "a", dest: {tmp_path}/file, mode: "0600"}}
                notify: Say so
            """,
            transport,
        )
    )
    starts = [(event.task, event.handler) for event in happened if isinstance(event, events.TaskStarted)]
    assert starts == [("Changes", False), ("Say so", True)]
    assert end(happened).code == 0


def test_check_mode_predicts_and_changes_nothing(
    request_for: Request, transport: Transport, tmp_path: Path
) -> None:
    tasks = (
        f"tasks: [{{name: Writes, ansible.builtin.copy: {{content: x, dest: {tmp_path}/new, mode: '0600'}}}}]"
    )
    happened = run(request_for(tasks, transport, check=True))
    assert finished(happened)["Writes"].outcome is Outcome.CHANGED
    assert not (tmp_path / "new").exists()


def test_a_broken_playbook_says_why(request_for: Request) -> None:
    happened = run(request_for("tasks: [{name: Bad, ansible.builtin.no_such_module: {}}]"))
    said = " ".join(event.text for event in happened if isinstance(event, events.Note | events.Output))
    assert "no_such_module" in said
    assert end(happened).code not in (0, 2)


def test_the_environment_is_ours(request_for: Request, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANSIBLE_HOST_KEY_CHECKING", "False")
    monkeypatch.setenv("ANSIBLE_CALLBACKS_ENABLED", "ansible.builtin.tree")
    monkeypatch.setenv("VAULT_PASSWORD_OF_THE_CUSTOMER", "geheim-42")
    happened = run(
        request_for(
            """
            tasks:
              - name: Sees
                ansible.builtin.assert:
                  that:
                    - lookup('ansible.builtin.config', 'HOST_KEY_CHECKING')
                    - not lookup('ansible.builtin.config', 'INJECT_FACTS_AS_VARS')
                    - lookup('ansible.builtin.env', 'VAULT_PASSWORD_OF_THE_CUSTOMER', default='unset') == 'unset'
                    - lookup('ansible.builtin.env', 'ANSIBLE_CALLBACKS_ENABLED', default='unset') == 'unset'
                    - lookup('ansible.builtin.config', 'DEFAULT_GATHERING') == 'smart'
            """
        )
    )
    assert end(happened).code == 0, finished(happened)["Sees"]


def test_runs_without_the_virtual_environment_in_path(
    request_for: Request, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    assert end(run(request_for("tasks: [{name: Looks, ansible.builtin.stat: {path: /}}]"))).code == 0


def test_vaulted_variables_are_read_through_the_pipe(request_for: Request, tmp_path: Path) -> None:
    secrets = tmp_path / "secrets.yml"
    secrets.write_text(vault.encrypt("stack_secrets: {word: open sesame}\n", "pass word"))
    scratch = tmp_path / "scratch"
    with serve_password(scratch / "password", "pass word") as pipe:
        request = request_for(
            "tasks: [{name: Knows, ansible.builtin.assert: {that: stack_secrets.word == 'open sesame'}}]",
            variable_files=(secrets,),
            password_pipe=pipe,
        )
        assert end(run(request)).code == 0
    with serve_password(scratch / "password", "wrong") as pipe:
        (scratch / "ansible-site").rename(scratch / "first")
        request = request_for("tasks: []", variable_files=(secrets,), password_pipe=pipe)
        happened = run(request)
    assert end(happened).code != 0
    assert "Decryption failed" in " ".join(
        event.text for event in happened if isinstance(event, events.Note | events.Output)
    )


def test_ansible_reads_its_inventory_when_it_has_the_password(request_for: Request, tmp_path: Path) -> None:
    """A playbook is started before its inventory is written (``deployment.steps.started``)."""
    hosts = tmp_path / "inventory" / "hosts.yml"
    written = hosts.read_text()
    hosts.unlink()
    go = threading.Event()
    with serve_password(tmp_path / "password", "pass word", go) as pipe:
        request = request_for("tasks: [{name: Pings, ansible.builtin.ping: {}}]", password_pipe=pipe)
        with runner.run(request) as happenings:
            time.sleep(2)  # longer than it takes to find no hosts
            assert marked(request.scratch)
            hosts.write_text(written)
            go.set()
            happened = list(happenings)
    assert end(happened).code == 0
    assert finished(happened)["Pings"].outcome is Outcome.OK


def test_leaving_before_it_began_ends_everything(request_for: Request, tmp_path: Path) -> None:
    with serve_password(tmp_path / "password", "pass word", threading.Event()) as pipe:
        request = request_for("tasks: []", password_pipe=pipe)
        with runner.run(request):
            while not marked(request.scratch):
                time.sleep(0.1)
        assert marked(request.scratch) == []


def test_leaving_early_ends_everything_at_once(
    request_for: Request, transport: Transport, tmp_path: Path
) -> None:
    request = request_for(
        """
        tasks:
          - name: Sleeps
            ansible.builtin.command: sleep 61
        """,
        transport,
    )
    with runner.run(request) as happenings:
        for event in happenings:
            if isinstance(event, events.HostTaskStarted):
                break
        deadline = time.monotonic() + 20
        while not subprocess.run(["pgrep", "-f", "sleep 61"], capture_output=True, check=False).stdout:
            assert time.monotonic() < deadline
            time.sleep(0.1)
        started = time.monotonic()
    assert time.monotonic() - started < 5
    assert marked(request.scratch) == []
    assert subprocess.run(["pgrep", "-f", "sleep 61"], capture_output=True, check=False).stdout == b""


def test_an_exception_of_the_reader_ends_everything(request_for: Request) -> None:
    request = request_for("tasks: [{name: Sleeps, ansible.builtin.command: sleep 62}]")

    def read() -> None:
        with runner.run(request) as happenings:
            for event in happenings:
                if isinstance(event, events.HostTaskStarted):
                    raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        read()
    assert marked(request.scratch) == []


def test_a_killed_ansible_is_a_failure_and_not_a_hang(request_for: Request) -> None:
    request = request_for("tasks: [{name: Sleeps, ansible.builtin.command: sleep 63}]")
    happened = []
    with runner.run(request) as happenings:
        for event in happenings:
            happened.append(event)
            if isinstance(event, events.HostTaskStarted):
                for process in marked(request.scratch):
                    os.kill(process, 9)
    assert end(happened).code != 0
    assert end(happened).status == "failed"


def test_nothing_unredacted_is_left_in_files(request_for: Request) -> None:
    request = request_for("tasks: [{name: Says, ansible.builtin.debug: {msg: word-of-a-result}}]")
    run(request)
    for path in request.scratch.rglob("*"):
        if path.is_file():
            assert b"word-of-a-result" not in path.read_bytes()
