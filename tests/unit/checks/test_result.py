from __future__ import annotations

import json
from dataclasses import FrozenInstanceError, replace
from itertools import permutations

import pytest

from provisioner.checks.result import Check, Grade, Verdict, roll_up

CHECK = Check("TLS-VER", "t", "main", Grade.OBSERVED_FROM_OUTSIDE, Verdict.PASS, "r", "e", "a", 0.25, "d")


def _with(*verdicts: Verdict) -> list[Check]:
    return [replace(CHECK, verdict=verdict) for verdict in verdicts]


def test_check_survives_json() -> None:
    assert Check.from_json(CHECK.as_json()) == CHECK
    pictured = replace(CHECK, screenshots=("screenshots/portal.jpg",))
    assert Check.from_json(json.loads(json.dumps(pictured.as_json()))) == pictured


def test_check_of_a_run_before_there_were_screenshots_is_read() -> None:
    data = CHECK.as_json()
    del data["screenshots"]
    assert Check.from_json(data) == CHECK


def test_json_holds_plain_values() -> None:
    data = CHECK.as_json()
    assert type(data["grade"]) is str and data["grade"] == "observed_from_outside"
    assert type(data["verdict"]) is str and data["verdict"] == "pass"


def test_unknown_verdict_is_refused() -> None:
    with pytest.raises(ValueError, match="splendid"):
        Check.from_json(CHECK.as_json() | {"verdict": "splendid"})


def test_check_cannot_be_altered() -> None:
    with pytest.raises(FrozenInstanceError):
        CHECK.verdict = Verdict.FAIL  # type: ignore[misc]


@pytest.mark.parametrize("text", ["observed on host", "observed_on_host", " Observed on host "])
def test_grade_is_read_as_people_write_it(text: str) -> None:
    assert Grade.read(text) is Grade.OBSERVED_ON_HOST
    assert Grade.OBSERVED_ON_HOST.label == "observed on host"


def test_unknown_grade_is_refused() -> None:
    with pytest.raises(ValueError, match="guessed"):
        Grade.read("guessed")


def test_worst_verdict_wins_in_any_order() -> None:
    ranking = [Verdict.FAIL, Verdict.NOT_ASSESSED, Verdict.WARN, Verdict.PASS]
    for number, worst in enumerate(ranking):
        for order in permutations(ranking[number:]):
            assert roll_up(_with(*order)) is worst


def test_no_check_is_no_pass() -> None:
    assert roll_up([]) is Verdict.NOT_ASSESSED
