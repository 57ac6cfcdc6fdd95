"""Files are where and what docs/architecture.md says: sizes, names, nothing of one computer in them."""

from __future__ import annotations

import ast
import re
import subprocess
import tomllib
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[2]
LINES_PER_MODULE = 400
VAGUE_NAMES = {"base", "common", "core", "helper", "helpers", "lib", "manager", "misc", "util", "utils"}


def tracked_files(*patterns: str) -> list[Path]:
    listing = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", *patterns],
        cwd=CHECKOUT,
        check=True,
        capture_output=True,
        text=True,
    )
    files = (CHECKOUT / name for name in listing.stdout.split("\0") if name)
    return sorted(file for file in files if file.is_file())


def relative(path: Path) -> str:
    return str(path.relative_to(CHECKOUT))


PYTHON = [path for path in tracked_files("*.py") if path.relative_to(CHECKOUT).parts[0] != "tests"]


@pytest.mark.parametrize("path", PYTHON, ids=relative)
def test_module_stays_small_enough_to_read_at_once(path: Path) -> None:
    lines = len(path.read_text().splitlines())
    assert lines <= LINES_PER_MODULE, f"{lines} lines; split it by what it knows"


@pytest.mark.parametrize(
    "path", [path for path in PYTHON if path.is_relative_to(CHECKOUT / "provisioner")], ids=relative
)
def test_module_is_named_after_what_it_holds(path: Path) -> None:
    assert path.stem not in VAGUE_NAMES
    assert re.fullmatch(r"_*[a-z][a-z0-9_]*_*", path.stem)
    assert ast.get_docstring(ast.parse(path.read_text())), "a module says in its first line what it holds"


def test_nothing_names_a_computer_of_its_developers() -> None:
    checkout = re.escape(str(CHECKOUT).encode())
    places = re.compile(checkout + rb"(?![a-z0-9])|/home/[a-z]+/(?!\.)")
    found = [
        f"{relative(path)}: {match.group().decode()}"
        for path in tracked_files()
        if path != Path(__file__) and (match := places.search(path.read_bytes()))
    ]
    assert not found, "\n".join(found)


def test_no_registry_is_named_where_packages_are_pinned() -> None:
    for lock in (CHECKOUT / "requirements").glob("*.txt"):
        assert "://" not in lock.read_text(), (
            f"{relative(lock)} names an address; whoever installs chooses the index"
        )


def test_every_locked_package_is_exact_and_hashed() -> None:
    for name in ("runtime", "dev"):
        entries = re.split(r"\n(?=[a-z0-9])", (CHECKOUT / "requirements" / f"{name}.txt").read_text().strip())
        assert len(entries) > 20
        loose = [
            entry.split()[0]
            for entry in entries
            if "==" not in entry.split()[0] or "--hash=sha256:" not in entry
        ]
        assert not loose, f"requirements/{name}.txt: {loose}"


def test_dev_lock_installs_what_the_runtime_lock_ships() -> None:
    def pins(name: str) -> set[str]:
        text = (CHECKOUT / "requirements" / f"{name}.txt").read_text()
        return set(re.findall(r"^([a-z0-9.-]+)(?:\[[a-z,]+\])?(==\S+)", text, re.MULTILINE))

    assert pins("runtime") <= pins("dev")


def test_every_declared_dependency_is_locked() -> None:
    project = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["project"]
    locked = set(
        re.findall(r"^[a-z0-9.-]+", (CHECKOUT / "requirements" / "dev.txt").read_text(), re.MULTILINE)
    )
    declared = [*project["dependencies"], *project["optional-dependencies"]["dev"]]
    names = {re.split(r"[\[<>=!~ ]", name)[0] for name in declared}
    assert names - {"sovstack"} <= locked, "run script/lock"


def test_no_binary_and_no_archive_is_tracked() -> None:
    for path in tracked_files():
        assert path.stat().st_size < 500_000, f"{relative(path)} is large"
        assert path.suffix not in {".bz2", ".deb", ".gz", ".tar", ".whl", ".xz", ".zip", ".zst"}, relative(
            path
        )


@pytest.mark.parametrize("path", tracked_files("script/*", ".ci/run", "*.sh"), ids=relative)
def test_shell_script_is_runnable_and_strict(path: Path) -> None:
    text = path.read_text()
    if not text.startswith("#!"):
        return
    assert path.stat().st_mode & 0o100, "not executable"
    assert re.search(r"^set -eu", text, re.MULTILINE), "does not stop at the first error"


def test_adrs_are_numbered_without_gap_and_say_the_same_three_things() -> None:
    records = [path for path in sorted((CHECKOUT / "docs" / "adr").glob("*.md")) if path.name != "README.md"]
    assert [path.name[:4] for path in records] == [f"{number:04}" for number in range(1, len(records) + 1)]
    index = (CHECKOUT / "docs" / "adr" / "README.md").read_text()
    for path in records:
        text = path.read_text()
        assert text.startswith(f"# {int(path.name[:4])}. "), relative(path)
        for heading in ("## Seen", "## Decided", "## Price"):
            assert heading in text, f"{relative(path)} lacks {heading}"
        assert f"({path.name})" in index, f"docs/adr/README.md does not list {path.name}"


def test_changelog_fragments_are_of_a_known_kind() -> None:
    kinds = {
        kind["directory"]
        for kind in tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["tool"]["towncrier"]["type"]
    }
    for path in (CHECKOUT / "changelog.d").iterdir():
        if path.name != "README.md":
            assert re.fullmatch(rf"(\d+|\+[a-z0-9-]+)\.({'|'.join(kinds)})\.md", path.name), path.name
