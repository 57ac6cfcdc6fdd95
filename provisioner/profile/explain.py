"""pydantic's errors in the profile's own words: what is wrong, and how to mend it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from provisioner.profile.finding import Finding, nearest, suggest
from provisioner.profile.model import Profile
from provisioner.profile.problem import ValuePath
from provisioner.profile.salvage import example_at
from provisioner.profile.values import MalformedValue

_KINDS: Mapping[str, str] = {
    "string_type": "must be text",
    "int_type": "must be a whole number",
    "bool_type": "must be true or false",
    "model_type": "must hold keys with values",
    "dict_type": "must hold keys with values",
    "tuple_type": "must be a list",
}
_LIMITS: Mapping[str, str] = {
    "greater_than_equal": "must be at least {ge}",
    "less_than_equal": "must be at most {le}",
    "string_too_long": "must have at most {max_length} characters",
    "string_too_short": "must not be empty",
    "too_short": "must hold at least one entry",
}


@dataclass(frozen=True)
class Malformation:
    """A value of the wrong form.

    Attributes:
        finding: What is wrong with it.
        unwanted: Whether the entry has no place there at all: an unknown key, or a key of the wrong form.
        meant: The value that an unknown key was perhaps meant for.
    """

    finding: Finding
    unwanted: bool = False
    meant: ValuePath | None = None


def explain(error: ValidationError) -> list[Malformation]:
    """Return what pydantic found, each with its place in the profile."""
    return [_explain(item) for item in error.errors(include_url=False)]


def _explain(item: ErrorDetails) -> Malformation:
    kind, context, given = item["type"], item.get("ctx", {}), item["input"]
    of_key = item["loc"][-1:] == ("[key]",)
    path: ValuePath = item["loc"][:-1] if of_key else item["loc"]
    problem = context.get("error")
    if isinstance(problem, MalformedValue):
        shown = f"{_name(given)} " if isinstance(given, str) and not problem.confidential else ""
        return Malformation(
            Finding(path, shown + problem.message, problem.hint, at_key=of_key), unwanted=of_key
        )
    if kind == "extra_forbidden":
        return _explain_unknown(path)
    if kind == "missing":
        return Malformation(Finding(path, "is missing", _example_hint(path), at_key=True))
    if kind == "literal_error":
        return Malformation(_explain_choice(path, given))
    if limit := _LIMITS.get(kind):
        # "Too few entries" rests on the entries: one that was taken out as malformed is named already.
        return Malformation(Finding(path, limit.format_map(context), because=(path,)))
    wanted = _KINDS.get(kind, "is not usable")
    return Malformation(Finding(path, f"{wanted}; here is {_name(given)}", _kind_hint(item)))


def _explain_unknown(path: ValuePath) -> Malformation:
    known = _keys_at(path[:-1])
    near = nearest(str(path[-1]), known)
    hint = f"Did you mean {near}?" if near else f"Known keys here: {', '.join(known)}."
    finding = Finding(path, "is not a key of the profile", hint, at_key=True)
    return Malformation(finding, unwanted=True, meant=(*path[:-1], near) if near else None)


def _explain_choice(path: ValuePath, given: object) -> Finding:
    choices = [str(choice) for choice in get_args(_without_none(_annotation_at(path)))]
    wanted = choices[0] if len(choices) == 1 else f"one of {', '.join(choices)}"
    return Finding(path, f"must be {wanted}; here is {_name(given)}", suggest(str(given).casefold(), choices))


def _kind_hint(item: ErrorDetails) -> str:
    given = item["input"]
    if item["type"] == "string_type" and isinstance(given, bool):
        return f'Put the word in quotes: "{str(given).lower()}".'
    if item["type"] == "int_type" and isinstance(given, str) and given.strip().lstrip("-").isdigit():
        return "Write the number without quotes and leading zeros."
    if item["type"] == "tuple_type" and isinstance(given, str | int):
        return f"Write it as a list: [{given}]."
    return ""


def _example_hint(path: ValuePath) -> str:
    example = example_at(path)
    if example is None or isinstance(path[-1], int):
        return ""
    if isinstance(example, dict):
        return f"Add {path[-1]}: with {', '.join(example)} under it."
    return f"Add it, such as {path[-1]}: {example}."


def _name(value: object) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list):
        return "a list"
    if isinstance(value, int):
        return str(value)
    text = " ".join(str(value).split())
    return f"'{text}'" if len(text) <= 60 else f"'{text[:57]}...'"


def _without_none(annotation: Any) -> Any:  # noqa: ANN401  types are values here
    if get_origin(annotation) in (Union, UnionType):
        return next(part for part in get_args(annotation) if part is not type(None))
    return annotation


def _annotation_at(path: ValuePath) -> Any:  # noqa: ANN401  types are values here
    """Return the type of the model at a path, or None where the model ends."""
    annotation: Any = Profile
    for part in path:
        annotation = _without_none(annotation)
        if isinstance(annotation, type) and issubclass(annotation, BaseModel):
            field = annotation.model_fields.get(str(part))
            annotation = field.annotation if field else None
        elif get_args(annotation) and get_origin(annotation) is not Literal:
            annotation = get_args(annotation)[-1 if get_origin(annotation) is not tuple else 0]
        else:
            return None
    return _without_none(annotation)


def _keys_at(path: ValuePath) -> list[str]:
    annotation = _annotation_at(path)
    return (
        list(annotation.model_fields)
        if isinstance(annotation, type) and issubclass(annotation, BaseModel)
        else []
    )
