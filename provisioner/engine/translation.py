"""From ansible-runner's event dictionaries to :mod:`provisioner.engine.events`. Pure."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from provisioner.engine import events
from provisioner.engine.events import Event, Outcome

_OUTCOMES = {
    "runner_on_ok": Outcome.OK,
    "runner_on_failed": Outcome.FAILED,
    "runner_on_skipped": Outcome.SKIPPED,
    "runner_on_unreachable": Outcome.UNREACHABLE,
    "runner_on_async_ok": Outcome.OK,
    "runner_on_async_failed": Outcome.FAILED,
}
_ITEM_OUTCOMES = {
    "runner_item_on_ok": Outcome.OK,
    "runner_item_on_failed": Outcome.FAILED,
    "runner_item_on_skipped": Outcome.SKIPPED,
}
# What Ansible writes in place of a value that no log may show.
_HIDDEN = "VALUE_SPECIFIED_IN_NO_LOG_PARAMETER"
_NOTES = ("warning", "deprecated", "system_warning", "error")
# Said by the frame of every run; nothing in it that the other events do not say.
_SILENT = ("playbook_on_start", "playbook_on_notify", "playbook_on_include", "EOF", "debug")

_Data = Mapping[str, Any]

# Removing a folder is told with every file that was in it.
_DIFF_LINES = 1000
# In the paths of files that Ansible makes on the controller on their way to a host.
_LOCAL_TEMPORARY = "/ansible-local-"
# How Ansible's default output begins the line of a task that changed something.
_PRINTED_CHANGED = re.compile(r"^changed: \[", re.MULTILINE)
# ansible-core 2.19 says this where a module gave none.
_NO_TRACEBACK = "(traceback unavailable)"
_STACK_HEADING = "Traceback (most recent call last):"
# A frame of the transport's own code: it breaks in many ways when a host goes away, none of them of use to a reader.
_TRANSPORT_FRAME = re.compile(r"^\s+File \".*/(?:ansible_)?mitogen/", re.MULTILINE)


class Translator:
    """Translate the events of one playbook run, in their order.

    It remembers one thing: which looped tasks changed something. ansible-runner 2.4.3 replaces the whole
    result of a ``no_log`` task, and one above 700,000 characters, ``changed`` included; what is left is the
    line that Ansible printed. A loop prints one per item and none for the task.
    """

    def __init__(self) -> None:
        """Begin a run."""
        self._changed_loops: set[tuple[str, str]] = set()

    def translate(self, raw: _Data, *, now: float) -> Iterator[Event]:
        """Yield what one event means.

        Args:
            raw: The dictionary as given to ansible-runner's event handler.
            now: Seconds since the epoch, for an event without a time of its own.
        """
        kind = str(raw.get("event", ""))
        data: _Data = raw.get("event_data") or {}
        time = _time(raw.get("created"), now)
        if kind in _OUTCOMES:
            finished = self._finished(raw, data, time)
            yield from _wish(data, time, finished.outcome)
            yield finished
        elif kind in _ITEM_OUTCOMES:
            item = self._item_finished(raw, data, time)
            yield from _wish(data, time, item.outcome)
            yield item
        elif kind in _NOTES:
            text = " ".join(str(raw.get("stdout") or "").split())
            if text := text.partition(f" {_STACK_HEADING}")[0]:  # mitogen logs its own
                yield events.Note(time=time, text=text, source="ansible")
        elif kind == "verbose":
            if text := str(raw.get("stdout") or "").rstrip():
                yield events.Output(time=time, text=text)
        elif kind not in _SILENT:
            yield from _translate_simple(kind, data, time)

    def _finished(self, raw: _Data, data: _Data, time: float) -> events.TaskFinished:
        outcome = _OUTCOMES[str(raw["event"])]
        if outcome is Outcome.OK and self._is_changed(raw, data):
            outcome = Outcome.CHANGED
        if outcome is Outcome.FAILED and data.get("ignore_errors"):
            outcome = Outcome.IGNORED
        bad = outcome in (Outcome.FAILED, Outcome.UNREACHABLE, Outcome.IGNORED)
        result = _result(data)
        return events.TaskFinished(
            time=time,
            play=str(data.get("play") or ""),
            outcome=outcome,
            seconds=float(data.get("duration") or 0.0),
            message=_message(result) if bad else "",
            output=_output(result) if bad else "",
            place=str(data.get("task_path") or "") if bad else "",
            **_where(data),
        )

    def _item_finished(self, raw: _Data, data: _Data, time: float) -> events.ItemFinished:
        outcome = _ITEM_OUTCOMES[str(raw["event"])]
        if outcome is Outcome.OK and self._is_changed(raw, data):
            outcome = Outcome.CHANGED
            self._changed_loops.add(_task_on_host(data))
        message = _message(_result(data)) if outcome is Outcome.FAILED else ""
        return events.ItemFinished(time=time, outcome=outcome, message=message, **_where(data))

    def _is_changed(self, raw: _Data, data: _Data) -> bool:
        result = _result(data)
        if "changed" in result:
            return result["changed"] is True
        printed = _PRINTED_CHANGED.search(str(raw.get("stdout") or ""))
        return bool(printed) or _task_on_host(data) in self._changed_loops


def _translate_simple(kind: str, data: _Data, time: float) -> Iterator[Event]:
    if kind in ("playbook_on_task_start", "playbook_on_handler_task_start"):
        yield events.TaskStarted(
            time=time,
            play=str(data.get("play") or ""),
            role=str(data.get("role") or ""),
            task=str(data.get("name") or data.get("task") or ""),
            # ansible-runner 2.4.3 sends a handler's start as a task's, marked so.
            handler=bool(data.get("is_conditional")) or kind == "playbook_on_handler_task_start",
        )
    elif kind == "runner_on_start":
        yield events.HostTaskStarted(time=time, **_where(data))
    elif kind == "playbook_on_play_start":
        yield events.PlayStarted(time=time, play=str(data.get("name") or data.get("play") or ""))
    elif kind == "runner_on_file_diff":
        if text := _diff(data.get("diff")):
            yield events.FileDiff(time=time, diff=text, **_where(data))
    elif kind == "runner_retry":
        yield events.TaskRetried(time=time, attempt=int(_result(data).get("attempts") or 0), **_where(data))
    elif kind == "playbook_on_stats":
        yield events.Totals(time=time, hosts=_totals(data))
    else:
        yield events.Unknown(time=time, kind=kind, data=dict(data))


def _task_on_host(data: _Data) -> tuple[str, str]:
    return str(data.get("host") or ""), str(data.get("task_uuid") or "")


def _where(data: _Data) -> dict[str, str]:
    return {
        "host": str(data.get("host") or ""),
        "role": str(data.get("role") or ""),
        "task": str(data.get("task") or ""),
    }


def _result(data: _Data) -> _Data:
    result = data.get("res")
    return result if isinstance(result, Mapping) else {}


def _message(result: _Data) -> str:
    """Return what a result says in words; a loop's result says it in its items."""
    if censored := result.get("censored"):
        return str(censored)
    own = _text(result.get("msg"))
    items = [item for item in _items(result) if item.get("failed") or item.get("unreachable")]
    if not items:
        return own
    said = [_text(item.get("msg")) or _text(item.get("censored")) for item in items]
    return "; ".join(dict.fromkeys(filter(None, said))) or own


def _output(result: _Data) -> str:
    """Return what the failed program printed: standard output, standard error, a module's traceback."""
    parts: list[str] = []
    for source in (result, *(item for item in _items(result) if item.get("failed"))):
        for key in ("stdout", "module_stdout", "stderr", "module_stderr", "exception"):
            text = _text(source.get(key)).rstrip()
            if text and text != _NO_TRACEBACK and text not in parts:
                parts.append(text)
    return "\n".join(parts)


def _items(result: _Data) -> list[_Data]:
    items = result.get("results")
    return [item for item in items if isinstance(item, Mapping)] if isinstance(items, list) else []


def _text(value: object) -> str:
    if value is None:
        return ""
    text = value if isinstance(value, str) else str(value)
    return _without_stack(text) if _TRANSPORT_FRAME.search(text) else text


def _without_stack(text: str) -> str:
    """Return the lines of a stack trace that name the error: those that stand at the left margin."""
    lines = text.strip().splitlines()
    return "\n".join(line for line in lines if line[:1].strip() and line != _STACK_HEADING)


def _time(created: object, now: float) -> float:
    try:
        return datetime.fromisoformat(str(created)).timestamp()
    except ValueError:
        return now


def _totals(data: _Data) -> dict[str, dict[str, int]]:
    """Turn Ansible's recap, which is kept per outcome, into one per host."""
    hosts: dict[str, dict[str, int]] = {}
    for outcome in ("ok", "changed", "failures", "dark", "skipped", "rescued", "ignored"):
        counts = data.get(outcome)
        if isinstance(counts, Mapping):
            for host, count in counts.items():
                hosts.setdefault(str(host), {})[outcome] = int(count)
    return hosts


def _wish(data: _Data, time: float, outcome: Outcome) -> Iterator[Event]:
    """Yield what a module that shows no difference changed: the statements that it ran, or else what it was told."""
    result = _result(data)
    if outcome is not Outcome.CHANGED or _diff(result.get("diff")) or _items(result):
        return
    said = result.get("queries") or result.get("executed_commands")
    if isinstance(said, list) and said:
        lines = [_text(statement) for statement in said]
    else:
        invocation = result.get("invocation")
        told = invocation.get("module_args") if isinstance(invocation, Mapping) else None
        lines = [
            f"{name}: {_text(value)}"
            for name, value in (told.items() if isinstance(told, Mapping) else ())
            if value not in (None, "", False, [], {}) and not str(name).startswith("_") and value != _HIDDEN
        ]
    if lines:
        yield events.FileDiff(time=time, diff="\n".join(f"+{line}" for line in lines), **_where(data))


def _diff(diff: object) -> str:
    """Return one unified diff of what a module reports: text given ready, or a state before and after."""
    entries = diff if isinstance(diff, list) else [diff]
    text = "\n".join(filter(None, (_one_diff(entry) for entry in entries if isinstance(entry, Mapping))))
    lines = text.split("\n")
    if len(lines) <= _DIFF_LINES:
        return text
    return "\n".join([*lines[:_DIFF_LINES], f"... and {len(lines) - _DIFF_LINES} more lines"])


def _one_diff(entry: _Data) -> str:
    if prepared := entry.get("prepared"):
        return _text(prepared).rstrip("\n")
    if "before" not in entry and "after" not in entry:
        return ""
    before, after = _lines(entry.get("before")), _lines(entry.get("after"))
    old = _text(entry.get("before_header")) or "before"
    new = _text(entry.get("after_header")) or "after"
    if _LOCAL_TEMPORARY in new:
        new = old  # a rendered template, named after where it was rendered on the controller
    return "\n".join(difflib.unified_diff(before, after, old, new, lineterm=""))


def _lines(state: object) -> list[str]:
    if isinstance(state, Mapping):
        return [f"{key}: {state[key]}" for key in sorted(state, key=str)]
    return _text(state).splitlines()
