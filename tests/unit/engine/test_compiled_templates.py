"""What the templates say does not depend on whether they were compiled before."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible._internal._templating import _engine
from ansible.errors import AnsibleError
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar, trust_as_template

from provisioner.engine.compiled_templates import CachingEnvironment

VARIABLES = {"count": 3, "names": ["a", "b"], "nested": trust_as_template("{{ count + 1 }}")}


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setattr(CachingEnvironment, "directory", tmp_path, raising=False)
    monkeypatch.setattr(_engine, "AnsibleEnvironment", CachingEnvironment)
    yield tmp_path


def templar() -> Templar:
    # A new one each time, as every worker of Ansible's has.
    return Templar(loader=DataLoader(), variables=VARIABLES)


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("{{ count }}", 3),
        ("{{ nested }}", 4),
        ("{% for name in names %}{{ name }};{% endfor %}", "a;b;"),
        (r"{{ 'a\\d' }}", r"a\\d"),
        ("{{ names | map('upper') | list }}", ["A", "B"]),
    ],
)
def test_a_template_gives_the_same_from_the_cache(cache: Path, template: str, expected: object) -> None:
    text = trust_as_template(template)
    assert templar().template(text) == expected
    kept = {file: file.stat().st_mtime_ns for file in cache.iterdir()}
    assert kept
    assert templar().template(text) == expected
    assert {file: file.stat().st_mtime_ns for file in cache.iterdir()} == kept, "compiled again"


@pytest.mark.parametrize(("condition", "expected"), [("count == 3", True), ("'c' in names", False)])
def test_a_condition_gives_the_same_from_the_cache(cache: Path, condition: str, expected: bool) -> None:
    text = trust_as_template(condition)
    assert templar().evaluate_conditional(text) is expected
    kept = {file: file.stat().st_mtime_ns for file in cache.iterdir()}
    assert len(kept) == 1
    assert templar().evaluate_conditional(text) is expected
    assert {file: file.stat().st_mtime_ns for file in cache.iterdir()} == kept, "compiled again"


def test_the_same_text_under_other_rules_is_another_template(cache: Path) -> None:
    text = "{% if true %}\nx\n{% endif %}\n"
    for rule, expected in (("True", "x\n"), ("False", "\nx\n")) * 2:
        assert templar().template(trust_as_template(f"#jinja2: trim_blocks:{rule}\n{text}")) == expected


def test_what_cannot_be_compiled_is_an_error_each_time(cache: Path) -> None:
    for _ in range(2):
        with pytest.raises(AnsibleError):
            templar().template(trust_as_template("{{ count + }}"))
    assert not list(cache.iterdir())


def test_a_damaged_cache_is_no_reason_to_stop(cache: Path) -> None:
    text = trust_as_template("{{ count }}")
    templar().template(text)
    for file in cache.iterdir():
        file.write_bytes(b"damaged")
    assert templar().template(text) == 3
