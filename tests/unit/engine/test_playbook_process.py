"""What the playbook's process does once for all tasks changes no result."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils._internal import _datatag
from ansible.parsing.dataloader import DataLoader
from ansible.template import is_trusted_as_template

from provisioner.engine import playbook_process


@pytest.fixture
def sharing() -> Iterator[None]:
    kinds = (_datatag.AnsibleDatatagBase, _datatag._AnsibleTaggedStr, _datatag._AnsibleTaggedInt)
    playbook_process._share_what_never_changes()
    yield
    for kind in kinds:
        del kind.__deepcopy__


@pytest.fixture
def loaded(tmp_path: Path) -> Any:
    """What Ansible reads from a file."""
    (tmp_path / "main.yml").write_text("sites:\n  - {name: cloud, port: 443, page: '{{ start }}'}\n")
    return DataLoader().load_from_file(str(tmp_path / "main.yml"), unsafe=True, trusted_as_template=True)


@pytest.mark.usefixtures("sharing")
def test_a_copy_is_equal_and_its_containers_are_its_own(loaded: Any) -> None:
    copied = copy.deepcopy(loaded)
    assert copied == loaded
    copied["sites"][0]["name"] = "other"
    copied["sites"].append({})
    assert loaded["sites"] == [{"name": "cloud", "port": 443, "page": "{{ start }}"}]


@pytest.mark.usefixtures("sharing")
def test_a_copy_keeps_where_a_text_stands_and_whether_it_is_a_template(loaded: Any) -> None:
    page = copy.deepcopy(loaded)["sites"][0]["page"]
    assert is_trusted_as_template(page)
    assert _datatag.AnsibleTagHelper.tags(page) == _datatag.AnsibleTagHelper.tags(loaded["sites"][0]["page"])
