"""Values as PHP source text."""

from __future__ import annotations

import json
from typing import Any


def php_literal(value: Any, depth: int = 0) -> str:
    """PHP source for a plain value (text, number, boolean, nothing, list or dictionary), indented by `depth` steps.

    Raises:
        TypeError: for anything else.
    """
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        # In single quotes PHP knows two escapes only, so nothing in the text is ever code.
        return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"
    if isinstance(value, (int, float)):
        return json.dumps(value)
    if isinstance(value, dict):
        items = [f"{php_literal(str(key))} => {php_literal(item, depth + 1)}" for key, item in value.items()]
    elif isinstance(value, (list, tuple)):
        items = [php_literal(item, depth + 1) for item in value]
    else:
        raise TypeError(f"{type(value).__name__} is no value of a PHP configuration")
    if not items:
        return "[]"
    inner = "    " * (depth + 1)
    return "[\n" + "".join(f"{inner}{item},\n" for item in items) + "    " * depth + "]"
