"""Run one playbook through ansible-runner and yield what happens. The only import of ``ansible_runner``.

ansible-runner 2.4.3 has habits that a caller must know:

* its configuration turns host-key checking off unless told otherwise, copies the whole environment and writes
  it to a file: here the environment is made from a short list, and the file lies in memory;
* its convenience functions write variables to files or onto the command line, install signal handlers and may
  call ``sys.exit``: here its two classes are used directly, without them;
* its event handler must never raise, and cancelling is noticed only between reads of the terminal: here the
  handler puts a copy on a queue, and the processes are ended by their mark (``processes.py``);
* it finds ``ansible-playbook`` through PATH: here it is run by this Python (``playbook_process.py``).
"""

from __future__ import annotations

import contextlib
import importlib.metadata
import importlib.util
import os
import queue
import shlex
import sys
import sysconfig
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from provisioner.engine import events, playbook_process
from provisioner.engine.content import Content
from provisioner.engine.processes import MARK, end_marked
from provisioner.engine.translation import Translator
from provisioner.errors import Unavailable, UsageError
from provisioner.paths import cache_dir

_INHERITED = frozenset(
    (
        *(
            "HOME",
            "LANG",
            "LOGNAME",
            "PATH",
            "SSH_AUTH_SOCK",
            "TERM",
            "TMPDIR",
            "TZ",
            "USER",
            "XDG_RUNTIME_DIR",
        ),
        *("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy"),
    )
)
# A cancelled run is noticed within this time (ansible-runner's own value is 5 s).
_READ_SECONDS = 0.2
_JOIN_SECONDS = 10
# The cores that mitogen 0.3.54 knows, by its own version checks (ansible_mitogen: loaders.py, _modifiers.py).
_MITOGEN_CORES = ((2, 10), (2, 21))


class Transport(StrEnum):
    """How module code reaches a host: one resident interpreter (mitogen), or one SSH command per step."""

    MITOGEN = "mitogen"
    SSH = "ssh"


@dataclass(frozen=True, slots=True)
class RunRequest:
    """One playbook run.

    ``variable_files`` may be vaulted; ``password_pipe`` is where Ansible reads the vault password.
    """

    content: Content
    playbook: str
    inventory: Path
    scratch: Path
    ssh_config: Path
    transport: Transport
    variable_files: tuple[Path, ...] = ()
    password_pipe: Path | None = None
    check: bool = False
    diff: bool = False
    environment: Mapping[str, str] = field(default_factory=dict)


def choose_transport(wanted: str | None) -> Transport:
    """Return the transport that was asked for, or the fastest that the installed ansible-core allows.

    Raises:
        UsageError: The word is not a transport.
        Unavailable: mitogen was asked for and cannot work here.
    """
    if wanted and wanted not in list(Transport):
        raise UsageError(f"SOVSTACK_TRANSPORT={wanted} is not a transport", hint="use mitogen or ssh")
    if wanted == Transport.SSH:
        return Transport.SSH
    core = tuple(int(part) for part in importlib.metadata.version("ansible-core").split(".")[:2])
    lowest, highest = _MITOGEN_CORES
    if lowest <= core <= highest and importlib.util.find_spec("ansible_mitogen"):
        return Transport.MITOGEN
    if wanted:
        raise Unavailable(
            f"mitogen does not work with ansible-core {core[0]}.{core[1]} here",
            hint="set SOVSTACK_TRANSPORT=ssh",
        )
    return Transport.SSH


def base_environment() -> dict[str, str]:
    """Return what child processes get of this process's environment: nothing that may hold a secret."""
    return {name: os.environ[name] for name in sorted(_INHERITED) if name in os.environ} | {
        "LC_ALL": "C.UTF-8"
    }


@contextlib.contextmanager
def run(request: RunRequest) -> Iterator[Iterator[events.Event]]:
    """Start a playbook; give its events as they come, unredacted, and at last a ``PlaybookFinished``.

    Leaving the context ends every process of the run.
    """
    inbox: queue.SimpleQueue[dict[str, Any] | _End] = queue.SimpleQueue()
    stop = threading.Event()
    worker = threading.Thread(target=_run_ansible, args=(request, inbox, stop), name="ansible", daemon=True)
    worker.start()
    try:
        yield _happenings(request, inbox)
    finally:
        stop.set()
        if worker.is_alive():
            end_marked(str(request.scratch))
            worker.join(_JOIN_SECONDS)


def _happenings(
    request: RunRequest, inbox: queue.SimpleQueue[dict[str, Any] | _End]
) -> Iterator[events.Event]:
    translator = Translator()
    while not isinstance(raw := inbox.get(), _End):
        yield from translator.translate(raw, now=time.time())
    if raw.error:
        raise raw.error
    yield events.PlaybookFinished(
        time=time.time(), playbook=request.playbook, status=raw.status, code=raw.code
    )


@dataclass(frozen=True, slots=True)
class _End:
    status: str
    code: int
    error: Exception | None = None


def _run_ansible(
    request: RunRequest, inbox: queue.SimpleQueue[dict[str, Any] | _End], stop: threading.Event
) -> None:
    # Imported here: 0.2 s that only a run has to pay, and that pass beside other work.
    from ansible_runner import Runner, RunnerConfig

    def receive(raw: dict[str, Any]) -> bool:
        inbox.put(dict(raw))
        return False  # ansible-runner need not write it: we keep our own, redacted

    try:
        home = request.scratch / f"ansible-{request.playbook}"
        home.mkdir(mode=0o700)
        config = RunnerConfig(
            private_data_dir=str(home),
            playbook=str(request.content.playbooks / f"{request.playbook}.yml"),
            inventory=str(request.inventory),
            cmdline=_arguments(request),
            fact_cache_type="memory",
            ident="run",
            quiet=True,
        )
        config.prepare()
        runner_own = {name: config.env[name] for name in _RUNNER_VARIABLES if name in config.env}
        config.env = base_environment() | runner_own | _environment(request, home) | dict(request.environment)
        config.command[:1] = [sys.executable, "-P", playbook_process.__file__]
        config.pexpect_timeout = _READ_SECONDS
        config.suppress_output_file = True
        status, code = Runner(config, event_handler=receive, cancel_callback=stop.is_set).run()
        inbox.put(_End(status, -1 if code is None else code))
    except Exception as error:  # noqa: BLE001  it is raised again in the thread that reads
        inbox.put(_End("error", -1, error))


# What ansible-runner's callback plugin is told through the environment.
_RUNNER_VARIABLES = (
    "ANSIBLE_CALLBACK_PLUGINS",
    "ANSIBLE_STDOUT_CALLBACK",
    "ANSIBLE_RETRY_FILES_ENABLED",
    "AWX_ISOLATED_DATA_DIR",
    "RUNNER_OMIT_EVENTS",
    "RUNNER_ONLY_FAILED_EVENTS",
)


# What a role does only where nothing else ran before it: the playbooks check all roles' input first, and install all
# packages in one transaction.
_STANDALONE = "standalone"


def _arguments(request: RunRequest) -> str:
    arguments = ["--skip-tags", _STANDALONE]
    arguments += [part for file in request.variable_files for part in ("--extra-vars", f"@{file}")]
    if request.password_pipe:
        arguments += ["--vault-password-file", str(request.password_pipe)]
    if request.check:
        arguments.append("--check")
    if request.diff:
        arguments.append("--diff")
    return shlex.join(arguments)


def _environment(request: RunRequest, home: Path) -> dict[str, str]:
    environment = {
        MARK: str(request.scratch),
        "SOVSTACK_CACHE_DIR": str(cache_dir()),
        "ANSIBLE_CONFIG": str(request.content.ansible_cfg),
        "ANSIBLE_ROLES_PATH": str(request.content.roles),
        # Only the collections that came with this ansible; those in a home directory are of any version.
        "ANSIBLE_COLLECTIONS_PATH": sysconfig.get_path("purelib"),
        # Every other inventory plugin would be loaded, too, to ask whether a file is one of its own: 0.4 s.
        "ANSIBLE_INVENTORY_ENABLED": "ansible.builtin.yaml",
        "ANSIBLE_HOME": str(home),
        "ANSIBLE_LOCAL_TEMP": str(home / "tmp"),
        "ANSIBLE_HOST_KEY_CHECKING": "True",
        "ANSIBLE_SSH_ARGS": f"-F {shlex.quote(str(request.ssh_config))}",
        "ANSIBLE_PIPELINING": "True",
        "ANSIBLE_GATHERING": "smart",
        "ANSIBLE_FORKS": "20",
        "ANSIBLE_NOCOLOR": "True",
        "ANSIBLE_NOCOWS": "True",
        "ANSIBLE_LOCALHOST_WARNING": "False",
        # For those who develop roles; molecule shows them. A customer's report is no place for them.
        "ANSIBLE_DEPRECATION_WARNINGS": "False",
    }
    if request.transport is Transport.MITOGEN:
        spec = importlib.util.find_spec("ansible_mitogen")
        package = Path(spec.origin).parent if spec and spec.origin else Path()
        environment |= {
            "ANSIBLE_STRATEGY_PLUGINS": str(package / "plugins" / "strategy"),
            "ANSIBLE_STRATEGY": "mitogen_linear",
        }
    return environment
