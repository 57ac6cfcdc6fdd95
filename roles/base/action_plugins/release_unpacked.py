"""Ansible action: hands a release archive over to the host, where the module of the same name asks for it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase


class ActionModule(ActionBase):
    """One round trip where nothing is to be done, which is nearly always."""

    _supports_check_mode = True
    _supports_async = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Run the module: to ask, to take the archive if it has none, to unpack, in the background if so wished."""
        super().run(tmp, task_vars)
        arguments = dict(self._task.args)
        archive = Path(arguments.pop("path", None) or "")
        answer: dict[str, Any] = self._execute_module(module_args=arguments, task_vars=task_vars)
        wanted = answer.get("wanted", [])
        if "archive" in wanted:
            if not archive.is_file():
                raise AnsibleActionFail(f"{archive} is no file on this computer")
            delivered = self._connection._shell.join_path(self._make_tmp_path(), archive.name)
            self._transfer_file(str(archive), delivered)
            step = {"step": "take", "delivered": delivered}
            answer = self._execute_module(module_args={**arguments, **step}, task_vars=task_vars)
        if wanted and not answer.get("failed"):
            background = bool(self._task.async_val)
            arguments["step"] = "do"
            answer = self._execute_module(module_args=arguments, task_vars=task_vars, wrap_async=background)
        return answer
