"""How a deployment stands is looked at, and nothing else."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from provisioner.deployment import status
from provisioner.engine.host_keys import fingerprint
from provisioner.profile import ProfileReading

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJqx8N7nDwpdyTtwTBhLVAvxOjNoZxCAxjSyKK8xlOlz"
# The host is this computer; at a first contact ssh writes down the key that it sees.
SSH = f"""#!/bin/sh
for word; do
    case $word in UserKnownHostsFile=*) file=${{word#*=}}; file=${{file#\\"}}; file=${{file%\\"}} ;; esac
done
[ -z "$file" ] || echo '10.77.0.11 {KEY}' > "$file"
eval "$word"
"""


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    programs = tmp_path / "programs"
    programs.mkdir()
    for name, script in {"ssh": SSH, "sudo": "#!/bin/sh\n"}.items():
        (programs / name).write_text(script)
        (programs / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")


@pytest.mark.usefixtures("host")
def test_a_host_key_is_shown_and_not_recorded(reading: ProfileReading) -> None:
    before = sorted(reading.folder.iterdir())
    [main] = status.look(reading, 1).hosts
    assert main.reachable
    assert f"SSH host key not recorded yet: {fingerprint(KEY)}" in main.state
    assert sorted(reading.folder.iterdir()) == before


@pytest.mark.usefixtures("host")
def test_a_recorded_host_key_is_no_news(reading: ProfileReading) -> None:
    (reading.folder / "known_hosts").write_text(f"10.77.0.11 {KEY}\n")
    [main] = status.look(reading, 1).hosts
    assert main.reachable
    assert "SSH host key" not in main.state
