"""ansible-runner's dictionaries become typed events; the samples are shortened from real runs (2.4.3, core 2.19)."""

from __future__ import annotations

from typing import Any

import pytest

from provisioner.engine import events
from provisioner.engine.events import Event, Outcome
from provisioner.engine.translation import Translator

CENSORED = {
    "censored": "the output has been hidden due to the fact that 'no_log: true' was specified for this result"
}

HIDDEN = "VALUE_SPECIFIED_IN_NO_LOG_PARAMETER"


def raw(event: str, *, stdout: str = "", **data: Any) -> dict[str, Any]:
    base = {"host": "main", "play": "Site", "role": "nginx", "task": "Install", "task_uuid": "u1"}
    return {
        "event": event,
        "stdout": stdout,
        "created": "2026-11-24T08:00:00+00:00",
        "event_data": base | data,
    }


def translate(*raws: dict[str, Any]) -> list[Event]:
    translator = Translator()
    return [event for one in raws for event in translator.translate(one, now=5.0)]


@pytest.mark.parametrize(
    ("kind", "data", "outcome"),
    [
        ("runner_on_ok", {"res": {"changed": False}}, Outcome.OK),
        ("runner_on_ok", {"res": {"changed": True}}, Outcome.CHANGED),
        ("runner_on_ok", {}, Outcome.OK),
        ("runner_on_failed", {"res": {"msg": "no"}}, Outcome.FAILED),
        ("runner_on_failed", {"res": {"msg": "no"}, "ignore_errors": True}, Outcome.IGNORED),
        ("runner_on_skipped", {"res": {}}, Outcome.SKIPPED),
        ("runner_on_unreachable", {"res": {"msg": "gone"}}, Outcome.UNREACHABLE),
    ],
)
def test_outcomes(kind: str, data: dict[str, Any], outcome: Outcome) -> None:
    [event] = translate(raw(kind, duration=1.5, **data))
    assert isinstance(event, events.TaskFinished)
    assert (event.outcome, event.seconds, event.host, event.role) == (outcome, 1.5, "main", "nginx")
    assert event.time == 1795507200.0


def test_no_log_task_that_changed_something_counts_as_changed() -> None:
    [event] = translate(raw("runner_on_ok", stdout="changed: [main]", res=CENSORED))
    assert isinstance(event, events.TaskFinished)
    assert event.outcome is Outcome.CHANGED
    [event] = translate(raw("runner_on_ok", stdout="ok: [main]", res=CENSORED))
    assert isinstance(event, events.TaskFinished)
    assert event.outcome is Outcome.OK


def test_no_log_loop_counts_as_changed_when_one_item_did() -> None:
    changed = raw("runner_item_on_ok", stdout="changed: [main] => (item=None)", res=CENSORED)
    same = raw("runner_item_on_ok", stdout="ok: [main] => (item=None)", res=CENSORED)
    end = raw("runner_on_ok", res=CENSORED)
    *_, last = translate(changed, same, end)
    assert isinstance(last, events.TaskFinished)
    assert last.outcome is Outcome.CHANGED
    *_, last = translate(same, same, end)
    assert isinstance(last, events.TaskFinished)
    assert last.outcome is Outcome.OK


def test_a_result_that_was_too_long_to_be_passed_on_counts_all_the_same() -> None:
    *_, last = translate(
        raw("runner_item_on_ok", stdout="changed: [main] => (item=/opt)", res={}),
        raw("runner_on_ok", stdout="", res={}),
    )
    assert isinstance(last, events.TaskFinished)
    assert last.outcome is Outcome.CHANGED


def test_a_very_long_difference_is_cut() -> None:
    [event] = translate(raw("runner_on_file_diff", diff={"before": "a\n" * 3000, "after": ""}))
    assert isinstance(event, events.FileDiff)
    assert len(event.diff.splitlines()) == 1001
    assert event.diff.endswith("... and 2003 more lines")


def test_changed_item_of_one_host_says_nothing_about_another() -> None:
    changed = raw("runner_item_on_ok", stdout="changed: [main] => (item=None)", res=CENSORED)
    *_, last = translate(changed, raw("runner_on_ok", host="second", res=CENSORED))
    assert isinstance(last, events.TaskFinished)
    assert last.outcome is Outcome.OK


def test_handler_start_is_told_from_a_task() -> None:
    task, handler = translate(
        raw("playbook_on_task_start", name="Install", is_conditional=False),
        raw("playbook_on_task_start", name="Restart nginx", is_conditional=True),
    )
    assert isinstance(task, events.TaskStarted)
    assert isinstance(handler, events.TaskStarted)
    assert (task.handler, handler.handler, handler.task) == (False, True, "Restart nginx")


def test_failure_says_what_the_program_printed() -> None:
    result = {
        "msg": "non-zero return code",
        "stdout": "out",
        "stderr": "err",
        "exception": "(traceback unavailable)",
    }
    [event] = translate(raw("runner_on_failed", res=result, task_path="/r/tasks/main.yml:3"))
    assert isinstance(event, events.TaskFinished)
    assert (event.message, event.output, event.place) == (
        "non-zero return code",
        "out\nerr",
        "/r/tasks/main.yml:3",
    )


def test_a_broken_transport_is_told_without_its_stack() -> None:
    stack = (
        'Task failed: AttributeError: no attribute\n  File "/venv/lib/mitogen/service.py", line 619, in call\n'
        "    return invoker.invoke()\n           ^^^^^"
    )
    trace = f'Traceback (most recent call last):\n  File "/venv/ansible_mitogen/mixins.py", line 1\n{stack}'
    [event] = translate(raw("runner_on_failed", res={"msg": stack, "exception": trace}))
    assert isinstance(event, events.TaskFinished)
    assert event.message == event.output == "Task failed: AttributeError: no attribute"


def test_failure_of_a_loop_is_told_by_its_items() -> None:
    result = {
        "msg": "One or more items failed",
        "results": [{"failed": False}, {"failed": True, "msg": "disk full"}],
    }
    [event] = translate(raw("runner_on_failed", res=result))
    assert isinstance(event, events.TaskFinished)
    assert event.message == "disk full"


def test_diffs_of_files_of_states_and_prepared_ones() -> None:
    diff = [
        {"before": "a\n", "after": "b\n", "before_header": "/etc/x", "after_header": "/etc/x"},
        {"before": {"mode": "0600"}, "after": {"mode": "0644"}},
        {"prepared": "ready made\n"},
        {"before_header": "/etc/x (file attributes)"},
    ]
    [event] = translate(raw("runner_on_file_diff", diff=diff))
    assert isinstance(event, events.FileDiff)
    assert event.diff == (
        "--- /etc/x\n+++ /etc/x\n@@ -1 +1 @@\n-a\n+b\n"
        "--- before\n+++ after\n@@ -1 +1 @@\n-mode: 0600\n+mode: 0644\n"
        "ready made"
    )


def test_a_rendered_template_is_named_after_its_place_on_the_host() -> None:
    diff = {
        "before": "a\n",
        "after": "b\n",
        "before_header": "/etc/x",
        "after_header": "/dev/shm/s/ansible-local-1x/tmp/x.j2",
    }
    [event] = translate(raw("runner_on_file_diff", diff=diff))
    assert isinstance(event, events.FileDiff)
    assert event.diff.splitlines()[:2] == ["--- /etc/x", "+++ /etc/x"]


@pytest.mark.parametrize("diff", [None, [], {}, [{"before": "same", "after": "same"}]])
def test_no_difference_is_no_event(diff: object) -> None:
    assert translate(raw("runner_on_file_diff", diff=diff)) == []


def test_recap_becomes_one_count_per_host() -> None:
    [event] = translate(raw("playbook_on_stats", ok={"main": 3, "b": 1}, changed={"main": 2}, dark={"b": 1}))
    assert isinstance(event, events.Totals)
    assert event.hosts == {"main": {"ok": 3, "changed": 2}, "b": {"ok": 1, "dark": 1}}


def test_warnings_lose_the_terminal_s_line_breaks() -> None:
    [event] = translate({"event": "warning", "stdout": "[WARNING]: a long\r\nsentence "})
    assert event == events.Note(time=5.0, text="[WARNING]: a long sentence", source="ansible")


def test_a_logged_stack_is_cut_from_a_note() -> None:
    logged = '[ERROR]: [mux 1] while invoking x Traceback (most recent call last):\n  File "/a/b.py", line 1'
    [note] = translate({"event": "error", "stdout": logged})
    assert isinstance(note, events.Note)
    assert note.text == "[ERROR]: [mux 1] while invoking x"


def test_unknown_kinds_are_kept_and_the_end_is_silent() -> None:
    [event] = translate({"event": "playbook_on_novelty", "event_data": {"x": 1}})
    assert event == events.Unknown(time=5.0, kind="playbook_on_novelty", data={"x": 1})
    assert translate({"event": "EOF"}) == []


@pytest.mark.parametrize(
    "broken", [{}, {"event": "runner_on_ok"}, {"event": "runner_on_failed", "event_data": {"res": "text"}}]
)
def test_incomplete_events_do_not_raise(broken: dict[str, Any]) -> None:
    translate(broken)


def test_a_change_without_a_difference_is_told_by_what_was_run_or_wanted() -> None:
    statement = 'ALTER USER "nextcloud" WITH NOCREATEDB'
    ran = {"changed": True, "queries": [statement], "invocation": {"module_args": {"name": "nextcloud"}}}
    [event, _] = translate(raw("runner_item_on_ok", res=ran))
    assert isinstance(event, events.FileDiff)
    assert event.diff == f"+{statement}"

    told = {"name": "www-data", "groups": ["valkey"], "shell": None, "password": HIDDEN, "_diff": True}
    [event, _] = translate(raw("runner_on_ok", res={"changed": True, "invocation": {"module_args": told}}))
    assert isinstance(event, events.FileDiff)
    assert event.diff == "+name: www-data\n+groups: ['valkey']"


def test_only_a_change_without_a_difference_is_told_so() -> None:
    arguments = {"invocation": {"module_args": {"name": "x"}}}
    shown = {"changed": True, "diff": {"before": "a\n", "after": "b\n"}, **arguments}
    for result in ({"changed": False, **arguments}, shown, CENSORED | {"changed": True}):
        assert len(translate(raw("runner_on_ok", res=result))) == 1
