"""Ansible action: hands a Debian package over to the host, where the module of the same name says that it is needed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase


class ActionModule(ActionBase):
    """One round trip where nothing is to be done, which is nearly always."""

    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Run the module; a second time, with the package's file, where it asks for that."""
        super().run(tmp, task_vars)
        arguments = dict(self._task.args)
        deb = Path(arguments.pop("path", None) or "")
        answer: dict[str, Any] = self._execute_module(module_args=arguments, task_vars=task_vars)
        if answer.get("wanted"):
            if not deb.is_file():
                raise AnsibleActionFail(f"{deb} is no file on this computer")
            target = self._connection._shell.join_path(self._make_tmp_path(), deb.name)
            self._transfer_file(str(deb), target)
            answer = self._execute_module(module_args={**arguments, "deb": target}, task_vars=task_vars)
        return answer
