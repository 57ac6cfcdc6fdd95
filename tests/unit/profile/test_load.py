"""From a path to a profile: what a command line means, and files that cannot be read."""

from __future__ import annotations

import datetime as dt
import os
import shutil
from pathlib import Path

import pytest

from provisioner.errors import ExitCode, ProfileError
from provisioner.profile import InvalidProfile, Severity, find_profile, load_profile, read_profile
from provisioner.profile import load as profile_load

BASE = (Path(__file__).parents[2] / "cases/profile_base.yml").read_text()
INVENTORIES = Path(__file__).parents[3] / "inventories"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    made = tmp_path / "inventories/zonnedael"
    made.mkdir(parents=True)
    (made / "profile.yml").write_text(BASE)
    monkeypatch.chdir(tmp_path)
    return made


def test_a_folder_a_file_and_a_name_mean_the_same(folder: Path) -> None:
    readings = [
        read_profile(find_profile(argument))
        for argument in (
            "zonnedael",
            "inventories/zonnedael",
            "inventories/zonnedael/profile.yml",
            str(folder),
        )
    ]
    assert all(reading.profile == readings[0].profile for reading in readings)
    assert [reading.file for reading in readings] == [
        *["inventories/zonnedael/profile.yml"] * 3,
        f"{folder}/profile.yml",
    ]
    assert readings[0].folder == folder
    assert readings[0].deployment == "zonnedael"


def test_every_way_to_a_folder_leads_to_the_same_deployment(folder: Path) -> None:
    (folder.parent / "link").symlink_to(folder)
    (folder / "below").mkdir()
    for argument in (
        "link",
        "inventories/link/profile.yml",
        "inventories/zonnedael/below/..",
        "inventories/../inventories/link",
    ):
        path = find_profile(argument)
        reading = read_profile(path)
        assert (reading.folder, reading.deployment) == (folder, "zonnedael"), argument
        assert reading.file == str(path if path.is_file() else path / "profile.yml")


def test_a_folder_of_that_name_goes_before_a_deployment(folder: Path) -> None:
    here = folder.parents[1] / "zonnedael"
    shutil.copytree(folder, here)
    assert find_profile("zonnedael") == Path("zonnedael")


def test_a_misspelt_deployment(folder: Path) -> None:
    with pytest.raises(ProfileError) as caught:
        find_profile("zonedael")
    assert caught.value.hint == "Did you mean zonnedael?"
    assert caught.value.exit_code is ExitCode.PROFILE_INVALID


@pytest.mark.parametrize(
    "argument", ["nothing-like-it", "a\0b", "a" * 5000, "none/profile.yml", "/none", "", "~"]
)
def test_what_does_not_exist(folder: Path, argument: str) -> None:
    with pytest.raises(ProfileError):
        read_profile(find_profile(argument))


def test_what_is_not_an_ordinary_file(folder: Path) -> None:
    pipe = folder / "pipe"
    os.mkfifo(pipe)
    for path in (pipe, Path("/dev/zero"), Path("/dev/null")):
        with pytest.raises(ProfileError, match="not an ordinary file"):
            read_profile(path)
    loop = folder / "loop"
    loop.symlink_to(loop)
    for path in (folder / "profile.yml/below", loop, folder / "pipe/profile.yml"):
        with pytest.raises(ProfileError):
            read_profile(path)


def test_a_folder_without_a_profile(tmp_path: Path) -> None:
    with pytest.raises(ProfileError, match=r"there is no profile .*profile\.yml"):
        read_profile(tmp_path)


def test_a_file_that_may_not_be_read(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)  # root, who may run the tests, may read everything
    with pytest.raises(ProfileError, match="cannot read") as caught:
        read_profile(folder)
    assert "Permission denied" in (caught.value.details or "")


def test_no_more_is_read_than_the_limit(folder: Path) -> None:
    with (folder / "profile.yml").open("ab") as stream:
        stream.truncate(1 << 34)  # a sparse file of 16 GB
    with pytest.raises(InvalidProfile, match="1 problem"):
        read_profile(folder)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "the file is empty"),
        (b" \n\t\n", "the file is empty"),
        (b"\xef\xbb\xbf", "the file is empty"),
        (BASE.encode("utf-16"), "UTF-16"),
        (b"a\0b", "binary"),
        (b"version: 1\nname: \xe9\n", "byte 0xe9 is not UTF-8 text"),
    ],
)
def test_content_that_is_no_text(folder: Path, content: bytes, message: str) -> None:
    (folder / "profile.yml").write_bytes(content)
    with pytest.raises(InvalidProfile) as caught:
        read_profile(folder)
    (problem,) = caught.value.problems
    assert message in problem.message
    assert problem.hint


def test_place_of_a_byte_that_is_no_text(folder: Path) -> None:
    (folder / "profile.yml").write_bytes(b"version: 1\nname: \xe9\n")
    with pytest.raises(InvalidProfile) as caught:
        read_profile(folder)
    assert (caught.value.problems[0].line, caught.value.problems[0].column) == (2, 7)


@pytest.mark.parametrize("change", [("\n", "\r\n"), ("version", "\ufeffversion")], ids=["crlf", "bom"])
def test_habits_of_other_systems(folder: Path, change: tuple[str, str]) -> None:
    with (folder / "profile.yml").open("w", newline="", encoding="utf-8") as stream:
        stream.write(BASE.replace(*change))
    assert load_profile(folder) == profile_load.read_content("x", BASE.encode(), folder).profile


def test_an_invalid_profile_tells_everything_in_its_details(folder: Path) -> None:
    (folder / "profile.yml").write_text(BASE.replace("users: 180", "users: x").replace("NL", "XX"))
    with pytest.raises(InvalidProfile, match="3 problems to mend") as caught:
        read_profile(folder)
    error = caught.value
    assert error.exit_code is ExitCode.PROFILE_INVALID
    assert [problem.path for problem in error.problems] == [
        "organisation.country",
        "organisation.users",
        "hosts.main.location",
    ]
    assert all(str(problem) in (error.details or "") for problem in error.problems)


def test_warnings_do_not_count_as_problems_to_mend(folder: Path) -> None:
    text = BASE.replace("users: 180", "users: x").replace("provider: on-premise", "provider: unheard-of")
    (folder / "profile.yml").write_text(text)
    with pytest.raises(InvalidProfile, match="1 problem to mend") as caught:
        read_profile(folder)
    assert [problem.severity for problem in caught.value.problems] == [Severity.ERROR, Severity.WARNING]


def test_a_profile_cannot_be_changed(folder: Path) -> None:
    with pytest.raises(ValueError, match="frozen"):
        load_profile(folder).organisation.users = 3  # type: ignore[misc]


@pytest.mark.parametrize("name", ["example", "lab"])
def test_the_profiles_of_the_repository_are_valid(name: str) -> None:
    assert load_profile(INVENTORIES / name).services.files


@pytest.mark.parametrize(
    ("day", "told"),
    [
        (dt.date(2027, 3, 15), ""),
        (dt.date(2027, 3, 16), "Mattermost Team Edition 11.7.9 gets no security updates after 2027-05-15"),
        (dt.date(2027, 5, 15), "Mattermost Team Edition 11.7.9 gets no security updates after 2027-05-15"),
        (dt.date(2027, 5, 16), "Mattermost Team Edition 11.7.9 has had no security updates after 2027-05-15"),
    ],
)
def test_the_end_of_support_is_said_two_months_before_it(tmp_path: Path, day: dt.date, told: str) -> None:
    chat = "services:\n  chat: { app: mattermost, hostname: chat.zonnedael.example, version: 11.7.9 }"
    content = BASE.replace("services:", chat).encode()
    warnings = profile_load.read_content("profile.yml", content, tmp_path, day).warnings
    assert [problem.message for problem in warnings] == ([told] if told else [])
