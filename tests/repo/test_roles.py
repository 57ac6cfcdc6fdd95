"""One shape for every role (docs/architecture.md), held by machines instead of by review."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

CHECKOUT = Path(__file__).resolve().parents[2]
ROLES = sorted(path.name for path in (CHECKOUT / "roles").iterdir() if path.is_dir())
PHASES = ("preflight", "install", "configure", "service", "bootstrap")
OTHER_TASK_FILES = {"main", "verify", "exports", "destroy"}
BLOCK_KEYS = ("block", "rescue", "always")
TASK_KEYWORDS = {
    "always", "any_errors_fatal", "args", "async", "become", "become_user", "block", "changed_when",
    "check_mode", "delay", "delegate_facts", "delegate_to", "diff", "environment", "failed_when",
    "ignore_errors", "listen", "loop", "loop_control", "module_defaults", "name", "no_log", "notify",
    "poll", "register", "rescue", "retries", "run_once", "tags", "throttle", "until", "vars", "when",
}  # fmt: skip


class _Loader(yaml.SafeLoader):
    """YAML with Ansible's tags (!vault, !unsafe) read as plain text."""


_Loader.add_multi_constructor("!", lambda loader, suffix, node: loader.construct_scalar(node))


def read(path: Path) -> Any:
    return yaml.load(path.read_text(), Loader=_Loader)  # noqa: S506  # a SafeLoader


def role_path(role: str) -> Path:
    return CHECKOUT / "roles" / role


def variables(role: str, folder: str) -> dict[str, Any]:
    root = role_path(role) / folder
    files = sorted([*root.glob("main.yml"), *root.glob("main/*.yml")])
    return {key: value for file in files for key, value in (read(file) or {}).items()}


def required_variables(role: str) -> set[str]:
    """Return variables without a default: they stand in the defaults as comments, to be seen."""
    root = role_path(role) / "defaults"
    files = [*root.glob("main.yml"), *root.glob("main/*.yml")]
    return {
        name for file in files for name in re.findall(rf"^# ?({role}_\w+):", file.read_text(), re.MULTILINE)
    }


def specification(role: str) -> dict[str, Any]:
    options: dict[str, Any] = read(role_path(role) / "meta" / "argument_specs.yml")["argument_specs"]["main"][
        "options"
    ]
    return options


def tasks_of(file: Path) -> Iterator[dict[str, Any]]:
    """Yield every task of a file, those in blocks too."""

    def walk(tasks: list[dict[str, Any]] | None) -> Iterator[dict[str, Any]]:
        for task in tasks or []:
            yield task
            for key in BLOCK_KEYS:
                yield from walk(task.get(key))

    yield from walk(read(file))


def task_files(role: str) -> list[Path]:
    return sorted((role_path(role) / "tasks").glob("*.yml"))


def sources(role: str) -> Iterator[Path]:
    for path in sorted(role_path(role).rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts and path.suffix != ".pyc":
            yield path


def covered_by_a_scenario(role: str) -> bool:
    """Return whether a scenario is the role's own, or runs the role's tests on a host that carries it."""
    if (CHECKOUT / "molecule" / role / "molecule.yml").is_file():
        return True
    for file in CHECKOUT.glob("molecule/*/molecule.yml"):
        scenario = read(file)
        carried = scenario["provisioner"]["inventory"]["group_vars"]["all"].get("lab_roles", [])
        verifier = scenario.get("verifier", {})
        tests = [verifier.get("directory", ""), *verifier.get("additional_files_or_dirs", [])]
        if role in carried and any(role in Path(path).parts for path in tests):
            return True
    return False


roles = pytest.mark.parametrize("role", ROLES)


@roles
def test_role_has_every_part(role: str) -> None:
    expected = [
        *(f"roles/{role}/{file}" for file in ("README.md", "meta/main.yml", "meta/argument_specs.yml")),
        *(f"roles/{role}/tasks/{file}.yml" for file in ("main", "preflight", "verify", "exports")),
    ]
    missing = [file for file in expected if not (CHECKOUT / file).is_file()]
    if not covered_by_a_scenario(role):
        missing.append(f"molecule/{role}/molecule.yml")
    if not list((CHECKOUT / "tests" / "infra" / role).glob("test_*.py")):
        missing.append(f"tests/infra/{role}/test_*.py")
    assert not missing
    assert re.fullmatch(r"[a-z][a-z0-9_]*", role)


@roles
def test_specification_and_defaults_name_the_same_variables(role: str) -> None:
    options, defaults, required = specification(role), variables(role, "defaults"), required_variables(role)
    assert not set(defaults) & required, "both commented out and set"
    assert set(options) == set(defaults) | required
    assert {name for name, option in options.items() if option.get("required")} == required
    undescribed = [
        name for name, option in options.items() if not option.get("description") or "type" not in option
    ]
    assert not undescribed


@roles
def test_specified_default_is_the_default(role: str) -> None:
    defaults = variables(role, "defaults")
    for name, option in specification(role).items():
        if "default" in option:
            assert option["default"] == defaults.get(name), name


@roles
def test_secret_is_never_quoted_by_the_validation_of_arguments(role: str) -> None:
    # An error of the generated validation task prints the value it refuses, and that task has no no_log.
    for name, option in specification(role).items():
        if re.search(r"_(password|secret)$|_ca_key$", name):
            assert option["type"] == "str"
            assert "choices" not in option


@roles
def test_variables_are_named_after_their_role(role: str) -> None:
    assert all(re.fullmatch(rf"{role}_[a-z0-9_]+", name) for name in variables(role, "defaults"))
    internal = set(variables(role, "vars"))
    for file in [*task_files(role), *(role_path(role) / "handlers").glob("*.yml")]:
        for task in tasks_of(file):
            internal |= {task["register"]} if "register" in task else set()
            internal |= set(task.get("vars", {}))
            internal |= set(task.get("ansible.builtin.set_fact", {})) - {"cacheable"}
            loop = task.get("loop_control", {})
            internal |= {loop[key] for key in ("loop_var", "index_var") if key in loop}
    wrong = [name for name in internal if not re.fullmatch(rf"__{role}_[a-z0-9_]+|ansible_\w+", name)]
    assert not wrong, f"internal variables begin with __{role}_: {wrong}"


@roles
def test_every_variable_is_used(role: str) -> None:
    names = set(variables(role, "vars")) | set(variables(role, "defaults")) | required_variables(role)
    text = "\n".join(
        re.sub(r"^#? ?\w+:", "", line)  # its own definition is no use of it
        for path in sources(role)
        if path.name not in {"README.md", "argument_specs.yml"}
        for line in path.read_text(errors="replace").splitlines()
    )
    playbooks = "\n".join(path.read_text() for path in (CHECKOUT / "playbooks").rglob("*.yml"))
    exported = re.compile(rf"{role}_export_\w+")  # looked up by the receiver's name in playbooks/wiring.yml
    for name in names:
        wired = exported.fullmatch(name) and f"_export_{name.removeprefix(f'{role}_export_')}" in playbooks
        assert wired or re.search(rf"\b{name}\b", text), f"nothing uses {name}"


@roles
def test_role_reads_no_other_role(role: str) -> None:
    others = "|".join(other for other in ROLES if other != role)
    foreign = re.compile(rf"\b(?:__)?(?:{others})_(?:[a-z0-9]+_?)+\b")
    own = re.compile(rf"\b{role}_export_\w+")
    givers = {
        name
        for other in ROLES
        if other != role
        for folder in ("defaults", "vars")
        for name in variables(other, folder)
    }
    for path in sources(role):
        if path.suffix in {".yml", ".j2"} and path.name != "argument_specs.yml":
            text = re.sub(r"#.*", "", own.sub("", path.read_text()))
            read_here = {match for match in foreign.findall(text) if match in givers}
            assert not read_here, (
                f"{path.relative_to(CHECKOUT)} reads {read_here}; playbooks/wiring.yml joins roles"
            )
            assert not re.search(r"\bstack_\w+|\bgroup_names\b|\bgroups\[", text), path.relative_to(CHECKOUT)


@roles
def test_main_is_a_table_of_contents(role: str) -> None:
    imported = []
    for task in read(role_path(role) / "tasks" / "main.yml"):
        file = task.get("ansible.builtin.import_tasks") or task.get("ansible.builtin.include_tasks")
        assert file, f"main.yml of {role} does more than import: {task.get('name')}"
        imported.append(Path(file).stem)
    phases = [phase for phase in imported if phase in PHASES]
    assert phases[0] == "preflight"
    assert phases == sorted(phases, key=lambda phase: min(PHASES.index(phase), PHASES.index("service")))
    files = {path.stem for path in task_files(role)}
    strange = {stem for stem in files - OTHER_TASK_FILES if not stem.startswith(PHASES)}
    assert not strange, f"a task file is a phase {PHASES} or one part of it, like configure_php"
    assert {stem for stem in files if stem in PHASES} == set(phases), "a phase that nobody imports"


@roles
def test_task_names_begin_with_their_file(role: str) -> None:
    for file in task_files(role):
        prefix = "" if file.stem == "main" else f"{file.stem.replace('_', ' ').capitalize()} | "
        for task in tasks_of(file):
            name = task.get("name", "")
            where = f"{file.relative_to(CHECKOUT)}: {name!r}"
            assert name.startswith(prefix), f"{where} does not begin with {prefix!r}"
            assert name[len(prefix) : len(prefix) + 1].isupper(), where


@roles
def test_modules_have_their_full_name(role: str) -> None:
    own = {path.stem for folder in CHECKOUT.glob("roles/*/library") for path in folder.glob("*.py")}
    own |= {path.stem for path in (CHECKOUT / "playbooks").glob("**/*.py")}
    for file in [*task_files(role), *(role_path(role) / "handlers").glob("*.yml")]:
        for task in tasks_of(file):
            for key in set(task) - TASK_KEYWORDS:
                if not key.startswith("with_"):
                    assert key.count(".") == 2 or key in own, f"{file.relative_to(CHECKOUT)}: {key}"
                assert not key.startswith("with_"), f"{file.relative_to(CHECKOUT)}: use loop, not {key}"


@roles
def test_facts_are_read_from_ansible_facts(role: str) -> None:
    injected = re.compile(
        r"(?<![\w.'\"\[])ansible_(?!facts|managed|check_mode|host\b|user\b|connection\b|become|version\b|diff_mode"
        r"|ssh_|port\b|loop|parent_role|play|failed|run_tags|skip_tags|python_interpreter|builtin)\w+"
    )
    for path in sources(role):
        if path.suffix in {".yml", ".j2"}:
            found = injected.findall(path.read_text())
            assert not found, f"{path.relative_to(CHECKOUT)}: {found}; write ansible_facts['...']"


@roles
def test_templates_mirror_the_path_they_are_written_to(role: str) -> None:
    root = role_path(role) / "templates"
    tops = {"etc", "opt", "run", "srv", "usr", "var"}
    for path in root.rglob("*"):
        if path.is_file():
            assert path.suffix == ".j2", f"{path.relative_to(CHECKOUT)} has no .j2"
            assert path.relative_to(root).parts[0] in tops, f"{path.relative_to(CHECKOUT)} mirrors no path"


@roles
def test_written_files_say_who_manages_them(role: str) -> None:
    for path in (role_path(role) / "templates").rglob("*.j2"):
        first = "\n".join(path.read_text().splitlines()[:3])
        assert "ansible_managed" in first, f"{path.relative_to(CHECKOUT)} does not begin with ansible_managed"


@roles
def test_readme_names_every_variable(role: str) -> None:
    text = (role_path(role) / "README.md").read_text()
    missing = [name for name in specification(role) if f"`{name}`" not in text]
    assert not missing


def test_nothing_is_skipped_by_the_linter() -> None:
    config = read(CHECKOUT / ".ansible-lint")
    assert config["profile"] == "production"
    assert not config.get("skip_list")
    assert not config.get("warn_list")


def test_every_exception_to_a_lint_rule_has_its_reason() -> None:
    for root in ("roles", "playbooks", "molecule"):
        for path in (CHECKOUT / root).rglob("*.yml"):
            for line in path.read_text().splitlines():
                if "noqa" in line:
                    assert re.search(r"# noqa:? [\w\-\[\]]+(?: [\w\-\[\]]+)*\s+# \w", line), (
                        f"{path}: {line.strip()}"
                    )


def test_playbooks_wire_and_do_nothing_themselves() -> None:
    allowed = {
        "ansible.builtin.assert", "ansible.builtin.import_role", "ansible.builtin.import_tasks",
        "ansible.builtin.include_role", "ansible.builtin.package_facts", "ansible.builtin.setup",
        "ansible.builtin.meta", "ansible.builtin.set_fact", "ansible.builtin.gather_facts",
        "ansible.builtin.fail", "ansible.builtin.debug", "ansible.builtin.wait_for_connection",
        "ansible.builtin.include_tasks",
    }  # fmt: skip
    for path in (CHECKOUT / "playbooks" / "layers").glob("*.yml"):
        for play in read(path):
            for part in ("pre_tasks", "tasks", "post_tasks"):
                for task in play.get(part, []):
                    modules = set(task) - TASK_KEYWORDS
                    assert modules <= allowed, (
                        f"{path.relative_to(CHECKOUT)}: {task['name']}: {modules - allowed}"
                    )
