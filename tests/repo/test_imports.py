"""The floors of docs/architecture.md: rooms import only from below; pure modules touch nothing outside."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[2]
MODULES = sorted((CHECKOUT / "provisioner").rglob("*.py"))

# Room -> what it may import besides itself. The first prefix that fits a module names its room, so a module
# that is stricter than its room stands before it.
FLOOR_1 = {"provisioner.errors", "provisioner.paths", "provisioner.sizing"}
CATALOGUE = {"provisioner.releases.catalogue", "provisioner.releases.fit", "provisioner.releases.versions"}
FLOOR_2 = FLOOR_1 | {"provisioner.profile", "provisioner.inventory", "provisioner.plan", "provisioner.lab"}
FLOOR_2 |= {"provisioner.releases"}
FLOOR_3 = FLOOR_2 | {"provisioner.engine", "provisioner.checks", "provisioner.reporting"}
ROOMS = {
    "provisioner.errors": set(),
    "provisioner.paths": set(),
    "provisioner.sizing": set(),
    "provisioner.profile": FLOOR_1 | CATALOGUE,
    "provisioner.inventory": FLOOR_1 | {"provisioner.profile", *CATALOGUE},
    "provisioner.plan": FLOOR_1 | {"provisioner.profile", "provisioner.inventory", *CATALOGUE},
    "provisioner.lab": FLOOR_1,
    "provisioner.releases": FLOOR_1,
    "provisioner.engine": FLOOR_1,
    "provisioner.checks": FLOOR_1,
    "provisioner.reporting": FLOOR_1 | {"provisioner.engine.events", "provisioner.checks.result"},
    "provisioner.deployment": FLOOR_3,
    "provisioner.cli": FLOOR_3 | {"provisioner.deployment"},
    "provisioner.__main__": {"provisioner.cli"},
}

PURE = (
    "provisioner.errors",
    "provisioner.sizing",
    "provisioner.profile.memory",
    "provisioner.profile.model",
    "provisioner.profile.placement",
    "provisioner.profile.rules",
    "provisioner.profile.editions",
    "provisioner.profile.fields",
    "provisioner.profile.services",
    "provisioner.profile.settings",
    "provisioner.profile.switches",
    "provisioner.profile.traffic",
    "provisioner.inventory",
    "provisioner.plan",
    "provisioner.engine.events",
    "provisioner.checks.result",
)
IO_MODULES = {
    "asyncio", "fcntl", "glob", "http", "importlib", "io", "logging", "multiprocessing", "os",
    "provisioner.paths", "selectors", "shutil", "signal", "socket", "ssl", "subprocess", "sys", "tempfile",
    "threading", "time", "urllib.request",
}  # fmt: skip
IO_CALLS = {
    "chmod", "exists", "glob", "is_dir", "is_file", "iterdir", "mkdir", "open", "print",
    "read_bytes", "read_text", "resolve", "rglob", "stat", "touch", "unlink", "write_bytes", "write_text",
}  # fmt: skip

# Third-party package -> the only modules that may import it.
SEAMS = {
    "click": "provisioner.cli",
    "ansible_runner": "provisioner.engine.runner",
    "testinfra": "provisioner.checks",
    "pytest": "provisioner.checks",
    "rich": ("provisioner.reporting", "provisioner.cli"),
    "pydantic": "provisioner.profile",
    "websockets": "provisioner.checks",
}


def module_name(path: Path) -> str:
    parts = path.relative_to(CHECKOUT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


NAMES = {module_name(path) for path in MODULES} | {"provisioner.__version__"}


def is_within(name: str, *prefixes: str) -> bool:
    return any(name == prefix or name.startswith(f"{prefix}.") for prefix in prefixes)


def imports(path: Path) -> Iterator[tuple[int, str]]:
    """Yield line and full name of everything imported anywhere in the file, type-checking blocks included."""
    package = path.relative_to(CHECKOUT).parent.parts
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(package[: len(package) - node.level + 1]) + "." if node.level else ""
            source = f"{base}{node.module or ''}".rstrip(".")
            # A module of the package, as in `from provisioner.engine import events`, or a name out of one.
            for alias in node.names:
                full = f"{source}.{alias.name}"
                yield node.lineno, full if full in NAMES else source


def modules() -> list[object]:
    return [pytest.param(path, id=module_name(path)) for path in MODULES]


@pytest.mark.parametrize("path", modules())
def test_room_imports_only_from_floors_below(path: Path) -> None:
    name = module_name(path)
    if name == "provisioner":
        assert not [target for _, target in imports(path) if is_within(target, "provisioner")]
        return
    room = next((room for room in ROOMS if is_within(name, room)), None)
    assert room, f"{name} belongs to no room; docs/architecture.md and ROOMS say which there are"
    allowed = ROOMS[room] | {room, "provisioner.__version__"}
    wrong = [
        f"{path.relative_to(CHECKOUT)}:{line} imports {target}"
        for line, target in imports(path)
        if is_within(target, "provisioner") and target != "provisioner" and not is_within(target, *allowed)
    ]
    assert not wrong, f"{room} may import {', '.join(sorted(allowed))}:\n" + "\n".join(wrong)


@pytest.mark.parametrize("path", modules())
def test_third_party_packages_stay_behind_their_seam(path: Path) -> None:
    name = module_name(path)
    for line, target in imports(path):
        seam = SEAMS.get(target.split(".")[0])
        seams = (seam,) if isinstance(seam, str) else seam
        assert not seams or is_within(name, *seams), f"{name}:{line} imports {target}, only {seams} may"


@pytest.mark.parametrize("prefix", PURE)
def test_pure_modules_exist(prefix: str) -> None:
    assert prefix in NAMES


@pytest.mark.parametrize(
    "path", [path for path in MODULES if is_within(module_name(path), *PURE)], ids=module_name
)
def test_pure_module_has_no_input_or_output(path: Path) -> None:
    name = module_name(path)
    # os.path is arithmetic on text; what looks at a file there is among the calls below.
    wrong = [
        f"{name}:{line} imports {target}"
        for line, target in imports(path)
        if target != "os.path" and is_within(target, *IO_MODULES)
    ]
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call):
            called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if called in IO_CALLS:
                wrong.append(f"{name}:{node.lineno} calls {called}()")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("path", modules())
def test_only_the_command_line_exits(path: Path) -> None:
    if is_within(module_name(path), "provisioner.cli", "provisioner.__main__"):
        return
    module = ast.parse(path.read_text())
    # A module that is also a program of its own ends as one; that is not the package exiting.
    program = [
        node for node in module.body if isinstance(node, ast.If) and "__main__" in ast.unparse(node.test)
    ]
    own = {id(node) for part in program for node in ast.walk(part)}
    for node in ast.walk(module):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and id(node) not in own:
            called = ast.unparse(node.func)
            assert called not in {"sys.exit", "os._exit"}, f"{module_name(path)}:{node.lineno} exits"
