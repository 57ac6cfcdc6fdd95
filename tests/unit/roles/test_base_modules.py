"""What the modules of the base and firewall roles decide by themselves, without a machine."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

ROLES = Path(__file__).parents[3] / "roles"


def load(path: str) -> ModuleType:
    specification = importlib.util.spec_from_file_location(Path(path).stem, ROLES / path)
    assert specification and specification.loader
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


def test_parameters_are_read_as_systemd_reads_them() -> None:
    module = load("base/library/sysctl_current.py")
    text = "# why = so\n; no = 1\n\nnet.ipv4.tcp_syncookies = 1\n-net.ipv6.conf.all.accept_redirects=0\n"
    assert module.parameters(text) == {
        "net.ipv4.tcp_syncookies": "1",
        "net.ipv6.conf.all.accept_redirects": "0",
    }
    assert module.place("net.ipv4.tcp_syncookies", Path("/x")) == Path("/x/net/ipv4/tcp_syncookies")


def test_what_cannot_be_written_is_left_alone(tmp_path: Path) -> None:
    module = load("base/library/sysctl_current.py")
    assert not module.is_writable(tmp_path / "missing")
    (tmp_path / "there").write_text("1\n")
    assert module.is_writable(tmp_path / "there")


@pytest.fixture
def unit_current(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    module = load("base/library/unit_current.py")
    folders = tuple(tmp_path / name for name in ("etc", "run", "control"))
    monkeypatch.setattr(module, "UNITS", folders[0])
    monkeypatch.setattr(module, "ADMINISTRATORS", folders)
    return module


def test_drop_ins_of_others_are_found_wherever_systemd_reads_them(
    unit_current: ModuleType, tmp_path: Path
) -> None:
    foreign = [
        "control/db@17-main.service.d/50-MemoryMax.conf",
        "etc/db@.service.d/all.conf",
        "etc/db@17-main.service.d/override.conf",
        "etc/job.service.d/override.conf",
        "run/db@17-main.service.d/override.conf",
    ]
    own = ["etc/db@17-main.service.d/sovstack.conf", "etc/job.service.d/sovstack.conf"]
    other = ["etc/else.service.d/override.conf", "etc/db@17-main.service.d/override.conf.bak"]
    for name in (*foreign, *own, *other):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    unit = object.__new__(unit_current.Unit)
    unit.name, unit.properties = "db@17-main.service", {"Triggers": "job.service"}
    assert [str(path.relative_to(tmp_path)) for path in unit.foreign(of_package=True)] == foreign


def test_unit_that_hides_the_one_of_a_package_is_foreign(unit_current: ModuleType, tmp_path: Path) -> None:
    for name in ("etc/web.service", "run/web.service", "etc/else.service"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    unit = object.__new__(unit_current.Unit)
    unit.name, unit.properties = "web.service", {}
    hiding = [tmp_path / "etc/web.service", tmp_path / "run/web.service"]
    assert unit.foreign(of_package=True) == hiding
    assert unit.foreign(of_package=False) == [], "a unit of our own"
    hiding[0].unlink()
    hiding[0].symlink_to("/dev/null")
    assert unit.foreign(of_package=True) == [hiding[1]], "a mask is lifted, not removed"


def test_a_masked_unit_is_unmasked_first(unit_current: ModuleType) -> None:
    unit = object.__new__(unit_current.Unit)
    unit.name = "x.service"
    unit.properties = {
        "LoadState": "masked",
        "ActiveState": "inactive",
        "UnitFileState": "masked",
        "ActiveEnterTimestamp": "",
        "NeedDaemonReload": "no",
        "FragmentPath": "",
    }
    assert unit.pending(enabled=True, restart_on=[], reload_on=[]) == ["unmask", "enable", "start"]


class Answers:
    """A module on a host whose units are these; remembers what was asked of systemctl."""

    def __init__(self, units: dict[str, tuple[str, str, str]], *, generated: bool = False) -> None:
        self.units, self.generated, self.done = dict(units), generated, []

    def run_command(self, command: list[str]) -> tuple[int, str, str]:
        _, verb, *names = command
        if verb == "show":
            fields = ("LoadState", "ActiveState", "UnitFileState")
            shown = [
                "\n".join(
                    [
                        f"Id={name}",
                        *(f"{field}={value}" for field, value in zip(fields, self.units[name], strict=True)),
                    ]
                )
                for name in names[1:]
            ]
            return 0, "\n\n".join(shown) + "\n", ""
        self.done.append(f"{verb} {names[0]}")
        load, active, file = self.units[names[0]]
        if verb == "stop":
            active = "inactive"
        elif verb == "mask" or not self.generated:
            file = "masked" if verb == "mask" else "disabled"
        self.units[names[0]] = (load, active, file)
        return 0, "", ""


@pytest.fixture
def host_declared() -> ModuleType:
    return load("base/library/host_declared.py")


def test_what_was_declared_or_retired_and_is_not_wanted_is_gone(host_declared: ModuleType) -> None:
    former = {"units": ["a.service", "b.timer"], "retired": {"units": ["c.service", "d.service"]}}
    assert host_declared.gone("units", former, ["b.timer", "d.service"]) == ["a.service", "c.service"]
    assert host_declared.gone("roles", former, ["nginx"]) == []


@pytest.mark.parametrize("text", ["", "x", "[]"])
def test_declaration_that_cannot_be_read_names_nothing(host_declared: ModuleType, text: str) -> None:
    assert host_declared.read(text) == {}


def test_declaration_survives_what_somebody_wrote_after_it(host_declared: ModuleType) -> None:
    declared = {"roles": ["nginx"], "retired": {"roles": ["mattermost"], "units": []}}
    assert host_declared.read(host_declared.render(declared) + "\nhello\n") == declared


def test_retired_unit_is_stopped_and_disabled(host_declared: ModuleType) -> None:
    answers = Answers({"mattermost.service": ("loaded", "active", "enabled")})
    host_declared.Host(answers).retire("mattermost.service")
    assert answers.done == ["stop mattermost.service", "disable mattermost.service"]


def test_unit_that_a_generator_starts_is_masked(host_declared: ModuleType) -> None:
    answers = Answers({"db@17-main.service": ("loaded", "active", "enabled-runtime")}, generated=True)
    host_declared.Host(answers).retire("db@17-main.service")
    assert answers.done[-1] == "mask db@17-main.service"
    assert not host_declared.starts(host_declared.Host(answers).units(["db@17-main.service"])[0])


def test_unit_that_is_not_there_is_forgotten(host_declared: ModuleType) -> None:
    units = {"gone.service": ("not-found", "inactive", ""), "left.service": ("not-found", "active", "")}
    found = host_declared.Host(Answers(units)).units(list(units))
    assert [unit["Id"] for unit in found] == ["left.service"]
