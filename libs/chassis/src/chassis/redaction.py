"""Errors as dead letters, jobs and logs may keep them: without names, addresses, contents or secrets.

An error's text often quotes the input that caused it: pydantic shows values, MongoDB whole documents, HTTP clients
addresses with their tokens.
"""

import re
import traceback
from collections.abc import Iterator

from pydantic import ValidationError
from pymongo.errors import OperationFailure
from structlog.typing import ExcInfo

MAX_ERROR = 500
"""Characters of a description."""

_HIDDEN = "…"
_URL = re.compile(r"\b([a-z][a-z0-9+.-]*://)(?:[^\s/@]*@)?([^\s/?#'\"<>]+)[^\s'\"<>]*", re.IGNORECASE)
_ADDRESS = re.compile(r"[^\s@<>,;:'\"()]+@[^\s@<>,;:'\"()]+")
_QUOTED = re.compile(r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"|“[^”]*”|`[^`]*`", re.DOTALL)
_NUMBER = re.compile(r"\+?\d(?:[ ()/-]{0,2}\d){7,}")


def describe_error(error: BaseException) -> str:
    """The type of an error and what went wrong, without what it quotes; at most ``MAX_ERROR`` characters.

    Of a pydantic error the places and rules; of a MongoDB error the code; of any other its text without quoted parts,
    mail addresses, long numbers such as telephone numbers, and of web addresses no more than the host.
    """
    return f"{type(error).__name__}: {_text(error)}".removesuffix(": ")[:MAX_ERROR]


def format_exception(error: BaseException) -> str:
    """A traceback like Python's, with each error in its chain described by ``describe_error``."""
    return "".join(_formatted(error, seen=set())).rstrip("\n")


def format_exc_info(exc_info: ExcInfo) -> str:
    """``format_exception``, in the form that structlog calls."""
    return format_exception(exc_info[1])


def _text(error: BaseException) -> str:
    match error:
        case ValidationError():
            details = error.errors(include_url=False, include_context=False, include_input=False)
            return "; ".join(f"{_place(detail['loc'])}: {redact(detail['msg'])}" for detail in details)
        case OperationFailure():
            name = (error.details or {}).get("codeName")
            return f"code {error.code}" + (f" ({name})" if name else "")
        case OSError() if error.errno is not None:
            return f"[Errno {error.errno}] {error.strerror}"
        case _:
            # Kafka's errors begin with their type themselves.
            return redact(str(error).removeprefix(f"{type(error).__name__}:").lstrip())


def redact(text: str) -> str:
    """The text without quoted parts, mail addresses, long numbers, and what follows the host of web addresses."""
    for pattern, instead in ((_URL, r"\1\2"), (_ADDRESS, _HIDDEN), (_QUOTED, _HIDDEN), (_NUMBER, _HIDDEN)):
        text = pattern.sub(instead, text)
    return text


def _place(location: tuple[int | str, ...]) -> str:
    """Where in the input; a key that is no field's name may be anything the input has."""
    return ".".join(str(part) if str(part).replace("_", "").isalnum() else _HIDDEN for part in location) or "body"


def _formatted(error: BaseException, *, seen: set[int]) -> Iterator[str]:
    seen.add(id(error))
    if error.__cause__ is not None and id(error.__cause__) not in seen:
        yield from _formatted(error.__cause__, seen=seen)
        yield "\nThe above exception was the direct cause of the following exception:\n\n"
    elif error.__context__ is not None and not error.__suppress_context__ and id(error.__context__) not in seen:
        yield from _formatted(error.__context__, seen=seen)
        yield "\nDuring handling of the above exception, another exception occurred:\n\n"
    if error.__traceback__ is not None:
        yield "Traceback (most recent call last):\n"
        yield from traceback.format_tb(error.__traceback__)
    yield f"{describe_error(error)}\n"
    if isinstance(error, BaseExceptionGroup):
        for nested in error.exceptions:
            yield from _formatted(nested, seen=seen)
