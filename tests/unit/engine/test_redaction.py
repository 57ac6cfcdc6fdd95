"""A secret is masked in every form that a run may give it."""

from __future__ import annotations

import base64
import html
import json
import shlex
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from provisioner.engine import events
from provisioner.engine.redaction import MASK, Redactor

SECRET = 'p4ss "word" \\ & <é>\'/+='
KEY = "-----BEGIN PRIVATE KEY-----\nMIGHAgEAMBMGByqGSM49AgEGCCqG\nSM49AwEHBG0wawIBAQQg\n-----END PRIVATE KEY-----\n"


@pytest.mark.parametrize(
    "written",
    [
        SECRET,
        json.dumps({"a": SECRET}),
        json.dumps({"a": SECRET}, ensure_ascii=False),
        json.dumps(json.dumps({"a": SECRET})),
        repr(SECRET),
        quote(SECRET),
        quote(SECRET, safe=""),
        quote_plus(SECRET),
        html.escape(SECRET),
        shlex.quote(SECRET),
        base64.b64encode(SECRET.encode()).decode(),
        base64.urlsafe_b64encode(SECRET.encode()).decode(),
        base64.b64encode(f"admin:{SECRET}".encode()).decode(),
        base64.b64encode(f"ab:{SECRET}@host".encode()).decode(),
        base64.b64encode(f"x{SECRET}".encode()).decode(),
    ],
)
def test_masks_every_form(written: str) -> None:
    masked = Redactor([SECRET]).text(f"before {written} after")
    assert MASK in masked
    assert masked.startswith("before ")
    assert masked.endswith(" after")
    for piece in ("p4ss", quote("p4ss "), base64.b64encode(SECRET.encode()).decode()[4:20]):
        assert piece not in masked


def test_masks_what_php_writes_in_single_quotes() -> None:
    # With no double quote in it Python and JSON would not escape the single one.
    masked = Redactor(["it's \\ so"]).text(r"    'password' => 'it\'s \\ so',")
    assert masked == f"    'password' => '{MASK}',"


def test_masks_lines_of_a_key_however_indented() -> None:
    text = "  key: |\n" + "\n".join(f"      {line}" for line in KEY.splitlines())
    masked = Redactor([KEY]).text(text)
    assert "MIGHAgEAMBMGByqGSM49" not in masked
    assert "SM49AwEHBG0wawIBAQQg" not in masked
    assert "-----BEGIN PRIVATE KEY-----" in masked  # says what was masked, and is no secret


def test_masks_nested_data_keys_and_records() -> None:
    redactor = Redactor(["topsecret"])
    assert redactor.data({"a topsecret": [("x", "topsecret")], "n": 1, "z": None}) == {
        f"a {MASK}": [("x", MASK)],
        "n": 1,
        "z": None,
    }
    event = events.TaskFinished(
        time=1.0,
        host="main",
        play="p",
        role="r",
        task="t",
        outcome=events.Outcome.FAILED,
        seconds=1.0,
        message="wrong password topsecret",
    )
    masked = redactor.record(event)
    assert masked.message == f"wrong password {MASK}"
    assert masked.outcome is events.Outcome.FAILED


def test_an_untouched_record_is_the_same_object() -> None:
    event = events.Note(time=1.0, text="nothing here")
    assert Redactor(["topsecret"]).record(event) is event


def test_short_values_do_not_garble_the_log() -> None:
    assert Redactor(["", "a", "true", "12345"]).text("a true 12345") == "a true 12345"


@given(st.text(min_size=8, max_size=40), st.text(max_size=30), st.text(max_size=30))
def test_no_form_survives(secret: str, before: str, after: str) -> None:
    assume(len(secret.strip()) >= 8 and len(secret.splitlines()) == 1)
    secret = secret.strip()
    redactor = Redactor([secret])
    try:
        inside = f"{before}{secret}{after}".encode()
    except UnicodeEncodeError:
        return
    whole = base64.b64encode(secret.encode()).decode().rstrip("=")
    assert secret not in redactor.text(f"{before}{secret}{after}") or secret in MASK * 3
    assert json.dumps(secret)[1:-1] not in redactor.text(json.dumps(f"{before}{secret}{after}"))
    masked = redactor.text(base64.b64encode(inside).decode())
    assert whole not in masked
    assert MASK in masked
