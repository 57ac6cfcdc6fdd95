"""Whatever a file holds: a profile or clear problems, within a second, and never another exception."""

from __future__ import annotations

import re
import time
from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from provisioner import inventory, plan
from provisioner.profile import InvalidProfile, Problem
from provisioner.profile.document import MAX_BYTES
from provisioner.profile.load import read_content
from provisioner.releases.catalogue import Catalogue

CASES = Path(__file__).parents[2] / "cases"
BASE = (CASES / "profile_base.yml").read_text()
FULL = yaml.safe_load((CASES / "profile/valid_every_option.yml").read_text())["text"]
FOLDER = Path("/srv/inventories/zonnedael")
RELEASE = inventory.ReleaseRef("34.0.1", "/cache/release.tar.bz2", "0" * 64)
SECONDS = 1.0
EVERY_KEY = re.compile(r"([a-z_]+):(?= |$)", re.MULTILINE)
FOREIGN_WORDS = ("pydantic", "input should", "validation error", "traceback", "nonetype", "is not usable")


def examine(content: bytes) -> tuple[Problem, ...]:
    """Read the bytes, hold the answer against what every answer must be, and return the problems."""
    begun = time.process_time()
    try:
        reading = read_content("profile.yml", content, FOLDER)
    except InvalidProfile as error:
        problems = error.problems
        assert problems
        assert len(error.details or "") < 3 * MAX_BYTES
    else:
        problems = reading.warnings
        wanted = inventory.wanted_releases(reading.profile, Catalogue.load())
        releases = {release.name: RELEASE for release in wanted}
        for file in inventory.build(reading.profile, releases, deployment="x").files().values():
            assert yaml.safe_load(inventory.dump(file)) == file
        assert plan.build(reading.profile).steps
    assert time.process_time() - begun < SECONDS
    ends = sum(content.count(end) for end in (b"\n", b"\r", b"\xc2\x85"))
    for problem in problems:
        assert 0 <= problem.line <= ends + 2  # what is missing at the end is missing in the line after it
        assert problem.message.strip()
        told = str(problem).lower()
        assert not any(word in told for word in FOREIGN_WORDS), told
    return problems


MANY = settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow])


@MANY
@given(st.binary(max_size=400))
def test_any_bytes(content: bytes) -> None:
    examine(content)


@MANY
@given(
    st.text(
        alphabet=st.sampled_from(" \n\t-:?,[]{}#&*!|>'\"%@`<~=\\0123456789abcnull\u202e\u0430é"), max_size=300
    )
)
def test_any_text_of_yaml_signs(text: str) -> None:
    examine(text.encode())


SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=True),
    st.text(max_size=30),
    st.sampled_from(["nextcloud", "main", "10.0.0.1", "eu-owned", "hetzner", "NL", "{{ x }}", "~", "<<"]),
)
KEYS = st.one_of(
    st.text(max_size=12),
    st.sampled_from(sorted({*EVERY_KEY.findall(FULL), "provided", "file", "env"})),
)
TREES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(KEYS, inner, max_size=6)),
    max_leaves=30,
)


@MANY
@given(TREES)
def test_any_structure(tree: object) -> None:
    examine(yaml.safe_dump(tree, allow_unicode=True).encode())


@MANY
@given(st.data(), st.sampled_from([BASE, FULL]))
def test_valid_profile_with_values_exchanged(data: st.DataObject, text: str) -> None:
    tree = yaml.load(text, yaml.BaseLoader)  # noqa: S506  a test's own text, and everything stays text
    for _ in range(data.draw(st.integers(1, 3))):
        branch = tree
        key = data.draw(st.sampled_from(sorted(branch)))
        while isinstance(branch[key], dict) and branch[key] and data.draw(st.booleans()):
            branch = branch[key]
            key = data.draw(st.sampled_from(sorted(branch)))
        branch[key] = data.draw(TREES)
    examine(yaml.safe_dump(tree, allow_unicode=True).encode())


@MANY
@given(st.data(), st.sampled_from([BASE, FULL]))
def test_valid_profile_with_text_damaged(data: st.DataObject, text: str) -> None:
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, len(text)))
        length = data.draw(st.integers(0, 12))
        text = text[:start] + data.draw(st.text(max_size=6)) + text[start + length :]
    examine(text.encode("utf-8", "surrogatepass"))


def fill(unit: str, before: str = "", after: str = "") -> bytes:
    room = MAX_BYTES - len(before.encode()) - len(after.encode())
    return (before + unit * (room // len(unit.encode())) + after).encode()


BOMB = "k0: &a0 [x, x]\n" + "".join(f"k{n + 1}: &a{n + 1} [*a{n}, *a{n}]\n" for n in range(40))
HOSTILE = {
    "a megabyte of junk": b"junk " * 200_000,
    "zeros": bytes(100_000),
    "binary": bytes(range(256)) * 500,
    "utf-16": BASE.encode("utf-16"),
    "latin-1": BASE.replace("Gemeente", "Gemeenté").encode("latin-1"),
    "alias bomb": BOMB.encode(),
    "one long word": fill("a"),
    "one long line of words": fill("a "),
    "open lists": fill("["),
    "open mappings": fill("{a: "),
    "block lists": fill("- "),
    "complex keys": fill("? "),
    "open quote": fill("a", before='name: "'),
    "list of lists": fill("[],", before="version: [", after="]"),
    "colons": fill(":"),
    "anchors": fill("&a "),
    "tags": fill("!a "),
    "documents": fill("---\n"),
    "comments": fill("#\n", after="a"),
    "directives": fill("%YAML 1.1\n"),
    "escapes": fill("\\u200b", before='name: "', after='"'),
    "long key": fill("a", after=": 1"),
    "long number": fill("9", before="version: "),
    "indentation": fill(" ", after="a: b"),
    "line separators": fill("\u2028"),
    "many unknown keys": "".join(f"organisatio{n}: 1\n" for n in range(4900)).encode(),
    "many hosts": (BASE + "".join(f"  h{n}:\n" for n in range(3000))).encode(),
    "many malformed hosts": BASE.replace(
        "hosts:\n", "hosts:\n" + "".join(f"  H{n}: {{ addres: x }}\n" for n in range(2000))
    ).encode(),
    "many valid hosts": BASE.replace(
        "hosts:\n",
        "hosts:\n"
        + "".join(
            f"  h{n}: {{ address: 10.1.{n // 250}.{n % 250}, provider: hetznr, location: US }}\n"
            for n in range(1000)
        ),
    ).encode(),
    "long key over many": ("a" * 100_000 + ":\n" + "".join(f"  k{n}: 1\n" for n in range(4000))).encode(),
    "many duplicates": (BASE + "version: 1\n" * 4000).encode(),
    "long host name": BASE.replace("cloud.", "a" * 200_000 + ".").encode(),
    "long labels": BASE.replace("cloud.", "a." * 100_000).encode(),
    "long address": BASE.replace("10.77.0.11", "1." * 100_000).encode(),
    "long mail address": BASE.replace("ict@", "a" * 200_000 + "@").encode(),
    "long provider": BASE.replace("on-premise", "a b " * 50_000).encode(),
    "long time zone": BASE.replace("users: 180", "users: 180\n  timezone: Europe/" + "A" * 200_000).encode(),
    "long path": BASE.replace("env: ", "file: " + "a/" * 100_000).encode(),
}


@pytest.mark.parametrize("content", HOSTILE.values(), ids=HOSTILE)
def test_hostile_input_is_refused_in_a_second(content: bytes) -> None:
    problems = examine(content)
    assert any(problem.severity == "error" for problem in problems)
