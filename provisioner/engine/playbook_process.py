"""``ansible-playbook`` as its own process, with less work around each task than it does by itself.

Measured on a converged host:

* Ansible forks a worker for every task. Each garbage collection walks over all objects, which costs time in the
  worker and copies the memory it shares with its parent: 16 % of the processor time, 23 % of the wall time.
* mitogen compiles every module of Ansible with all that it imports, to learn what to send, and forgets each time
  that most of it is the same for all modules: 1.6 s of 15.4 s.
* mitogen strips comments from the code it sends, which costs more than sending them (60 kB, compressed): 0.2 s.
* mitogen asks Galaxy's code where collections lie, which takes long to import and opens every collection anew for each
  module that comes from one: 0.5 s, and 0.1 s per such task. They lie where Python finds them (``runner.py``).
* Every worker finds and loads all of Jinja's filters and tests for itself: 0.6 s, spent once before the first fork.
* Every worker compiles each template that it meets: 0.9 s (``compiled_templates.py``).
* Ansible copies in depth what it read from a role's file, each time that a play names the role, and all variables for
  each template that is looked up. Nine tenths of that are texts and where each stands in its file, which never change,
  so that copies can share them as they share Python's own texts: 0.9 s.
"""

from __future__ import annotations

import atexit
import functools
import gc
import importlib
import importlib.metadata
import os
import sys
from types import CodeType, ModuleType

from provisioner.paths import cache_dir, make_private

# A collection after so many new objects, instead of 700: a run on a few hosts does none, one on hundreds still can.
_OBJECTS = 500_000
# Where mitogen 0.3.54 calls ``compile``; it looks at the imports in what it gets, and at nothing else.
_COMPILING = ("ansible_mitogen.module_finder", "mitogen.master")


def main() -> int:
    """Be ``ansible-playbook``; return its exit code."""
    gc.set_threshold(_OBJECTS)
    if os.environ.get("ANSIBLE_STRATEGY", "").startswith("mitogen"):
        _lighten_mitogen()
    from ansible.cli import playbook

    _load_jinja_plugins_before_forking()
    _compile_templates_once()
    _share_what_never_changes()
    try:
        playbook.main()
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    return 0


def _load_jinja_plugins_before_forking() -> None:
    from ansible.executor.task_queue_manager import TaskQueueManager
    from ansible.plugins.loader import filter_loader, test_loader

    run = TaskQueueManager.run

    def run_play(manager: TaskQueueManager, play: object) -> object:
        # Not earlier: by now the roles of all plays have been read, and with them their own filters.
        for loader in (filter_loader, test_loader):
            for _ in loader.all():
                pass
        return run(manager, play)

    TaskQueueManager.run = run_play


def _compile_templates_once() -> None:
    from ansible._internal._templating import _engine

    from provisioner.engine.compiled_templates import CachingEnvironment

    versions = "-".join(f"{name}-{importlib.metadata.version(name)}" for name in ("ansible-core", "jinja2"))
    CachingEnvironment.directory = cache_dir() / "templates" / versions
    make_private(CachingEnvironment.directory)
    _engine.AnsibleEnvironment = CachingEnvironment


def _share_what_never_changes() -> None:
    from ansible.module_utils._internal import _datatag

    def share(value: object, _memo: object) -> object:
        return value

    for kind in (_datatag.AnsibleDatatagBase, _datatag._AnsibleTaggedStr, _datatag._AnsibleTaggedInt):
        kind.__deepcopy__ = share


def _lighten_mitogen() -> None:
    import ansible.collections

    nowhere_else = ModuleType("ansible.collections.list")
    nowhere_else.__dict__["list_collection_dirs"] = tuple
    ansible.collections.list = sys.modules[nowhere_else.__name__] = nowhere_else
    for name in _COMPILING:
        # A module's own name hides the built-in function of the same name from its code.
        importlib.import_module(name).__dict__["compile"] = _compile
    importlib.import_module("mitogen.minify").__dict__["minimize_source"] = _as_text


def _compile(source: str | bytes, _name: str, mode: str) -> CodeType:
    return _compile_once(source, mode)


@functools.cache
def _compile_once(source: str | bytes, mode: str) -> CodeType:
    code: CodeType = compile(source, "<read for its imports>", mode)
    return code


def _as_text(source: str | bytes) -> str:
    return source.decode() if isinstance(source, bytes) else source


if __name__ == "__main__":
    code = 1
    # The first handler that is registered is the last that is called. Python would take 0.3 s to clear its memory.
    atexit.register(lambda: (sys.stdout.flush(), sys.stderr.flush(), os._exit(code)))
    code = main()
