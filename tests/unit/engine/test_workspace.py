"""The lock, the run directories, and what is left behind."""

from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

from provisioner.engine import workspace as workspace_module
from provisioner.engine.processes import MARK
from provisioner.engine.workspace import Workspace
from provisioner.errors import Busy, Unavailable
from provisioner.paths import write_private


@pytest.fixture(autouse=True)
def _own_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("SOVSTACK_STATE_DIR", str(tmp_path / "state"))
    memory = tempfile.mkdtemp(prefix="sov", dir="/dev/shm")
    monkeypatch.setenv("XDG_RUNTIME_DIR", memory)
    yield
    shutil.rmtree(memory)


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path / "inventories" / "lab")


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_run_has_private_places_and_keeps_only_its_directory(workspace: Workspace) -> None:
    with workspace.begin("apply") as run:
        file = run.write("inventory/hosts.yml", "all: {}\n")
        assert (mode(run.directory), mode(run.scratch), mode(file), mode(file.parent)) == (
            0o700,
            0o700,
            0o600,
            0o700,
        )
        (run.scratch / "secret").write_text("x")
    assert not run.scratch.exists()
    assert workspace.runs() == [run.directory]


def test_two_deployments_of_one_name_do_not_meet(tmp_path: Path) -> None:
    one, other = Workspace(tmp_path / "a" / "lab"), Workspace(tmp_path / "b" / "lab")
    with one.begin("apply") as first, other.begin("apply") as second:
        assert first.directory.parent != second.directory.parent
        assert first.scratch != second.scratch


def test_one_deployment_has_one_lock_however_it_is_reached(workspace: Workspace, tmp_path: Path) -> None:
    workspace.folder.mkdir(parents=True)
    (tmp_path / "link").symlink_to(workspace.folder)
    with workspace.begin("apply"):
        for folder in (tmp_path / "link", workspace.folder / ".." / "lab"):
            with pytest.raises(Busy), Workspace(folder).begin("plan"):
                pass


def test_lock_tells_its_holder(workspace: Workspace) -> None:
    with workspace.begin("apply"):
        with (
            pytest.raises(Busy, match=rf"`apply` runs since .* as process {os.getpid()}"),
            workspace.begin("plan"),
        ):
            pass
        assert "`apply`" in (workspace.holder() or "")
    assert workspace.holder() is None


def test_lock_goes_with_its_process(workspace: Workspace, tmp_path: Path) -> None:
    program = textwrap.dedent(f"""
        import pathlib, time
        from provisioner.engine.workspace import Workspace
        with Workspace(pathlib.Path({str(workspace.folder)!r})).begin("apply") as run:
            (run.scratch / "leftover").write_text("secret")
            print(run.scratch, flush=True)
            time.sleep(60)
    """)
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout
        scratch = Path(holder.stdout.readline().strip())
        with pytest.raises(Busy), workspace.begin("apply"):
            pass
        holder.kill()
        holder.wait()
    assert (scratch / "leftover").exists()
    with workspace.begin("apply") as run:
        assert run.scratch == scratch
        assert not (scratch / "leftover").exists()


def test_processes_of_a_killed_run_are_ended_by_the_next(workspace: Workspace) -> None:
    with workspace.begin("apply") as run:
        scratch = run.scratch
    left = subprocess.Popen(["sleep", "60"], env={MARK: str(scratch)}, start_new_session=True)
    try:
        with workspace.begin("apply"):
            assert left.wait(timeout=5) < 0
    finally:
        left.kill()


def test_old_runs_retire(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workspace_module, "KEPT_RUNS", 3)
    for number in range(5):
        (workspace.runs_directory / f"2020010{number}T000000-apply").mkdir(parents=True)
    with workspace.begin("apply") as run:
        pass
    assert [path.name for path in workspace.runs()] == [
        run.id,
        "20200104T000000-apply",
        "20200103T000000-apply",
    ]


def test_runs_within_a_second_have_different_names_that_sort(workspace: Workspace) -> None:
    names = []
    for _ in range(2):
        with workspace.begin("plan") as run:
            names.append(run.id)
    assert names == sorted(set(names))


def test_somebody_else_s_scratch_is_refused(workspace: Workspace) -> None:
    with workspace.begin("apply") as run:
        scratch = run.scratch
    scratch.mkdir(mode=0o777)
    scratch.chmod(0o777)
    with pytest.raises(Unavailable, match="not a private directory"), workspace.begin("apply"):
        pass


def test_scratch_that_is_a_link_is_refused(workspace: Workspace, tmp_path: Path) -> None:
    with workspace.begin("apply") as run:
        scratch = run.scratch
    (tmp_path / "elsewhere").mkdir(mode=0o700)
    (tmp_path / "elsewhere" / "precious").write_text("x")
    scratch.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(Unavailable), workspace.begin("apply"):
        pass
    assert (tmp_path / "elsewhere" / "precious").exists()


def test_state_directory_that_cannot_be_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("SOVSTACK_STATE_DIR", str(tmp_path / "file"))
    with (
        pytest.raises(Unavailable, match="cannot write") as caught,
        Workspace(tmp_path / "lab").begin("apply"),
    ):
        pass
    assert "SOVSTACK_STATE_DIR" in (caught.value.hint or "")


def test_unreadable_lock_content_does_not_matter(workspace: Workspace) -> None:
    workspace.directory.mkdir(parents=True)
    (workspace.directory / "lock").write_text("{half")
    with workspace.begin("apply"):
        held = json.loads((workspace.directory / "lock").read_text())
    assert held["verb"] == "apply"


def test_write_private_replaces_whole_files(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "file"
    write_private(path, "one")
    write_private(path, "two")
    assert path.read_text() == "two"
    assert list(path.parent.iterdir()) == [path]


def test_a_place_too_long_for_sockets_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", "/" + "x" * 60)
    assert workspace_module._memory_directory() in (Path("/dev/shm"), Path("/tmp"))
