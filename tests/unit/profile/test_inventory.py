"""The inventory speaks the roles' language, and never a secret's value."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from provisioner import inventory, plan
from provisioner.profile import Profile, secrets
from provisioner.profile.load import read_content

ROOT = Path(__file__).parents[3]
RELEASES = {
    "nextcloud": inventory.ReleaseRef("34.0.1", "/cache/nextcloud.tar.bz2", "0" * 64),
    "mattermost": inventory.ReleaseRef("11.7.9", "/cache/mattermost.tar.gz", "1" * 64),
    **{
        name: inventory.ReleaseRef("1.0-1", f"/cache/{name}.deb", "2" * 64)
        for name in ("jitsi-meet-web", "jitsi-meet-prosody", "jicofo", "jitsi-videobridge2")
    },
    "mattermost-plugin com.example.tasks": inventory.ReleaseRef("1.2.3", "/cache/tasks.tar.gz", "3" * 64),
}
BASE = (ROOT / "tests/cases/profile_base.yml").read_text()
FULL = yaml.safe_load((ROOT / "tests/cases/profile/valid_every_option.yml").read_text())["text"]
CHAT = BASE.replace("services:", "services:\n  chat: { app: mattermost, hostname: chat.zonnedael.example }")
PORTAL = CHAT + "portal: { links: { imprint: https://www.zonnedael.example/colofon } }\n"
MEET = BASE.replace("services:", "services:\n  meet: { app: jitsi, hostname: meet.zonnedael.example }")
PROVIDED = BASE + "tls: { issuer: provided, provided: { certificate_file: a, key_file: b } }\n"


def profile(text: str) -> Profile:
    return read_content("profile.yml", text.encode(), Path("/srv/zonnedael")).profile


def variables(text: str) -> dict[str, Any]:
    built = inventory.build(profile(text), RELEASES, deployment="zonnedael")
    return {
        **built.group_vars_all,
        **{key: value for host in built.host_vars.values() for key, value in host.items()},
    }


def options_of_roles() -> dict[str, dict[str, Any]]:
    options: dict[str, dict[str, Any]] = {}
    for path in ROOT.glob("roles/*/meta/argument_specs.yml"):
        options |= yaml.safe_load(path.read_text())["argument_specs"]["main"]["options"]
    return options


def test_every_variable_is_one_of_a_role() -> None:
    known = options_of_roles()
    for text in (BASE, CHAT, PORTAL, MEET, FULL, PROVIDED):
        own = {name for name in variables(text) if not name.startswith(("stack_", "ansible_"))}
        assert own - set(known) == set()


def test_every_variable_that_a_role_demands_is_set() -> None:
    demanded = {name for name, option in options_of_roles().items() if option.get("required")}
    assert demanded
    assert demanded <= set(variables(PORTAL)) | set(variables(MEET))


def test_every_value_is_of_the_type_that_the_role_wants() -> None:
    kinds = {"str": str, "path": str, "int": int, "bool": bool, "list": list, "dict": dict}
    known = options_of_roles()
    for text in (BASE, CHAT, PORTAL, MEET, FULL, PROVIDED):
        for name, value in variables(text).items():
            if name in known:
                assert isinstance(value, kinds[known[name].get("type", "str")]), name


def test_every_secret_that_is_referred_to_is_needed() -> None:
    for text in (BASE, CHAT, PORTAL, MEET, FULL, PROVIDED):
        needed = {name for need in secrets.needs(profile(text)) for name in need.names}
        referred = set(
            re.findall(r"{{ stack_secrets(?:\.|\[\\?')([\w.-]+)(?:\\?'\])? }}", str(variables(text)))
        )
        assert referred == needed


def test_every_role_exists() -> None:
    roles = {path.parent.name for path in ROOT.glob("roles/*/tasks")}
    assert {step.role for text in (FULL, MEET) for step in plan.build(profile(text)).steps} <= roles


def test_the_same_profile_gives_the_same_inventory() -> None:
    first, second = (inventory.build(profile(FULL), RELEASES, deployment="x").files() for _ in range(2))
    assert [inventory.dump(file) for file in first.values()] == [
        inventory.dump(file) for file in second.values()
    ]


def test_files_have_no_anchors() -> None:
    """An anchor in a file for people would mean that one object stands in two places."""
    two = BASE.replace(
        "services:\n", "  other: { address: 10.77.0.12, provider: hetzner, location: DE }\nservices:\n"
    )
    two = two.replace("    app: nextcloud", "    app: nextcloud\n    host: main")
    for file in inventory.build(profile(two), RELEASES, deployment="x").files().values():
        assert "&id" not in inventory.dump(file)


def test_a_plan_says_why() -> None:
    why = {step.role: (step.layer, step.why) for step in plan.build(profile(BASE)).steps}
    assert why["firewall"] == ("base", "every host")
    assert why["postgresql"] == ("platform", "for nextcloud")
    assert why["nextcloud"] == ("apps", "files at cloud.zonnedael.example")


def test_languages_and_names_that_mattermost_does_not_take_become_ones_that_it_does() -> None:
    def given(text: str) -> tuple[str, str]:
        found = variables(text)
        return found["mattermost_default_language"], found["mattermost_site_name"]

    long = CHAT.replace("Gemeente Zonnedael", "Gemeenschappelijke regeling Zonnedael")
    assert given(CHAT) == ("nl", "Gemeente Zonnedael")
    assert given(long.replace("users:", "language: pt_PT\n  users:")) == ("pt-BR", "Mattermost")
    assert given(CHAT.replace("users:", "language: fy\n  users:"))[0] == "en"


def test_a_turn_server_on_the_service_s_host_has_no_name_of_its_own() -> None:
    named = MEET.replace(
        "hostname: meet.zonnedael.example",
        "hostname: meet.zonnedael.example, turn: {hostname: turn.zonnedael.example}",
    )
    assert "turn.zonnedael.example" not in profile(named).hostnames()
    assert "turn.zonnedael.example" not in str(variables(named))


ECDSA = (
    "ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBKH6JdiKlIeoZXUmVBJGT28hJbxfj/0OQUm0"
    "+NmQ09s7fA2wRyWMT+ypGzM/FUUz+2tUMvMezxB35Lsti4h0D6Q="
)
ED25519 = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJnzyZBvxGIYYcmmF1aHZSRDbCwjSPQqnb2ZQKvRzqGQ"


@pytest.mark.parametrize(
    ("pinned", "recorded", "ecdsa"),
    [
        (ECDSA, [], True),
        ("", [ECDSA], True),
        ("", [ED25519, ECDSA], True),
        (ED25519, [ECDSA], False),  # a pin outranks the record
        ("", [ED25519], False),
        ("", [], False),
    ],
)
def test_a_host_goes_on_offering_the_key_by_which_it_is_known(
    pinned: str, recorded: list[str], ecdsa: bool
) -> None:
    text = (
        BASE.replace("location: NL", f"location: NL\n    ssh: {{ host_key: '{pinned}' }}") if pinned else BASE
    )
    main = inventory.build(
        profile(text), RELEASES, deployment="x", recorded_keys={"main": recorded}
    ).host_vars["main"]
    by_default = options_of_roles()["base_ssh_host_key_algorithms"]["default"]
    expected = [*by_default, "ecdsa-sha2-nistp256"] if ecdsa else None
    assert main.get("base_ssh_host_key_algorithms") == expected
