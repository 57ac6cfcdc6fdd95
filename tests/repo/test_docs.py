"""What the documentation says exists, exists: links, commands, exit codes, make targets."""

from __future__ import annotations

import re
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from provisioner.cli import sovstack
from provisioner.errors import ExitCode

CHECKOUT = Path(__file__).resolve().parents[2]
DOCUMENTS = sorted(
    [*CHECKOUT.glob("*.md"), *(CHECKOUT / "docs").rglob("*.md"), *(CHECKOUT / "roles").glob("*/README.md")]
)


def relative(path: Path) -> str:
    return str(path.relative_to(CHECKOUT))


def anchors(document: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", document.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("document", DOCUMENTS, ids=relative)
def test_links_lead_somewhere(document: Path) -> None:
    for target in re.findall(r"\]\((?!https?:|mailto:)([^)\s]+)\)", document.read_text()):
        path, _, anchor = target.partition("#")
        file = (document.parent / path).resolve() if path else document
        assert file.exists(), f"{relative(document)} links to {target}"
        if anchor and file.suffix == ".md":
            assert anchor in anchors(file), f"{relative(document)} links to {target}"


@pytest.mark.parametrize("document", DOCUMENTS, ids=relative)
def test_named_files_exist(document: Path) -> None:
    tops = "script|provisioner|roles|playbooks|molecule|tests|docs|inventories|requirements|bench"
    for name in re.findall(rf"`((?:{tops})/[\w./-]+)`", document.read_text()):
        if not re.search(r"\bNAME\b", name):  # `inventories/NAME/profile.yml` stands for any name
            assert (CHECKOUT / name).exists(), f"{relative(document)} names {name}"


def test_exit_codes_are_documented_as_they_are() -> None:
    table = (CHECKOUT / "docs" / "operations" / "exit-codes.md").read_text()
    documented = {
        int(code): name for code, name in re.findall(r"^\| (\d+) \| `(\w+)` \|", table, re.MULTILINE)
    }
    assert documented == {code.value: code.name for code in ExitCode}


def verbs_of_documents() -> list[object]:
    pattern = re.compile(r"(?:^|`|\$ |sudo |/bin/)sovstack ([a-z]+)(?: ([a-z]+))?", re.MULTILINE)
    found: set[tuple[str, str]] = set()
    for document in DOCUMENTS:
        if "adr" not in document.parts:
            found |= set(pattern.findall(document.read_text()))
    return [pytest.param(verb, sub, id=f"{verb} {sub}".strip()) for verb, sub in sorted(found)]


@pytest.mark.parametrize(("verb", "sub"), verbs_of_documents())
def test_documented_command_exists(verb: str, sub: str) -> None:
    context = click.Context(sovstack)
    command = sovstack.get_command(context, verb)
    assert command is not None, f"no command: sovstack {verb}"
    if isinstance(command, click.Group) and sub:
        assert command.get_command(context, sub) is not None, f"no command: sovstack {verb} {sub}"
    assert CliRunner().invoke(command, ["--help"]).exit_code == 0


def test_make_targets_are_helped_and_named_in_documents_as_they_are() -> None:
    makefile = (CHECKOUT / "Makefile").read_text()
    phony = set(re.search(r"^\.PHONY: (.+)$", makefile, re.MULTILINE).group(1).split())  # type: ignore[union-attr]
    helped = set(re.findall(r"^([a-z-]+):.*## \S", makefile, re.MULTILINE))
    assert phony == helped
    for document in DOCUMENTS:
        for target in re.findall(r"`make ([a-z-]+)", document.read_text()):
            assert target in helped, f"{relative(document)} names make {target}"


def test_readme_names_the_two_commands() -> None:
    text = (CHECKOUT / "README.md").read_text()
    for command in ("script/demo", "script/test"):
        assert command in text
        assert (CHECKOUT / command).stat().st_mode & 0o100
