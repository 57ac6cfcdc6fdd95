"""Ansible's Jinja environment, with Jinja's own bytecode cache behind it.

Jinja asks its cache only for templates that a loader found by name; Ansible's come as strings, from variables, tasks
and conditions. On a converged host with Nextcloud its workers compile 770 times 240 different ones: 0.9 s. The code
depends on what is in a key here and on nothing else: Ansible has no constants folded, and looks names up at run time.
"""

from __future__ import annotations

import contextlib
from pathlib import Path
from types import CodeType
from typing import Any

from ansible._internal._templating._jinja_bits import AnsibleEnvironment, _TemplateCompileContext
from jinja2 import FileSystemBytecodeCache, nodes
from jinja2.bccache import Bucket
from jinja2.environment import TemplateExpression

# What Jinja tells lexers apart by (jinja2.lexer.get_lexer).
_LEXER = (
    *("block_start_string", "block_end_string", "variable_start_string", "variable_end_string"),
    *("comment_start_string", "comment_end_string", "line_statement_prefix", "line_comment_prefix"),
    *("trim_blocks", "lstrip_blocks", "newline_sequence", "keep_trailing_newline"),
)


class CachingEnvironment(AnsibleEnvironment):  # type: ignore[misc]  # ansible-core has no types
    """Compiles a template or expression once for all runs that use the same directory.

    The directory must be writable by this user only: what lies there is run.
    """

    directory: Path
    _expression: Bucket | None = None

    def compile(self, source: str | nodes.Template, *arguments: Any, **options: Any) -> Any:  # noqa: ANN401  as Jinja's
        """Return the code of a template (see ``jinja2.Environment.compile``)."""
        if arguments or options:
            return super().compile(source, *arguments, **options)
        if isinstance(source, str):
            bucket = self._find("template", source)
        elif self._expression:
            bucket, self._expression = self._expression, None
        else:
            return super().compile(source)
        if bucket.code is None:
            bucket.code = super().compile(source)
            with contextlib.suppress(OSError):  # a full disk is no reason to stop
                self._cache().set_bucket(bucket)
        return bucket.code

    def compile_expression(self, source: str, undefined_to_none: bool = True) -> TemplateExpression:
        """Return an expression that can be called (see ``jinja2.Environment.compile_expression``)."""
        bucket = self._find("expression", source)
        if isinstance(code := bucket.code, CodeType):
            template = self.template_class.from_code(self, code, self.make_globals(None))
            return TemplateExpression(template, undefined_to_none)
        self._expression = bucket  # Jinja parses, and then calls ``compile`` above with the tree
        try:
            expression: TemplateExpression = super().compile_expression(source, undefined_to_none)
            return expression
        finally:
            self._expression = None

    def _find(self, kind: str, source: str) -> Bucket:
        context = _TemplateCompileContext.current(optional=True)
        key = (kind, context and context.escape_backslashes, *(getattr(self, name) for name in _LEXER))
        return self._cache().get_bucket(self, f"{key} {source}", None, source)

    def _cache(self) -> FileSystemBytecodeCache:
        return FileSystemBytecodeCache(str(self.directory), "%s")
