"""``ansible-playbook`` as its own process, with fewer garbage collections.

Ansible forks a worker for every task. Each collection walks over all objects, which costs time in the worker
and copies the memory it shares with its parent. Measured on a converged host with 97 tasks: 16 % less processor
time and 23 % less wall time, for 9 MB more memory.
"""

from __future__ import annotations

import gc

# A collection after so many new objects, instead of 700: a run on a few hosts does none, one on hundreds still can.
_OBJECTS = 500_000


def main() -> None:
    """Be ``ansible-playbook``."""
    gc.set_threshold(_OBJECTS)
    from ansible.cli import playbook

    playbook.main()


if __name__ == "__main__":
    main()
