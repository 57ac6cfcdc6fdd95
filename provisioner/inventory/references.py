"""Expressions by which a variable refers to what the inventory does not hold itself."""

from __future__ import annotations


def content_of(file: str) -> str:
    """Return an expression for the text of a file on the controller."""
    quoted = file.replace("\\", "\\\\").replace("'", "\\'")
    return "{{ lookup('ansible.builtin.file', '" + quoted + "') }}"


def secret(name: str) -> str:
    """Return an expression for a secret, which Ansible reads from the vaulted file."""
    # People's log-in names, which are in the names of their passwords, may hold dots and hyphens.
    return "{{ stack_secrets" + (f".{name}" if name.isidentifier() else f"['{name}']") + " }}"
