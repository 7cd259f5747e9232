"""Nothing personal is in what is kept of an error: planted in every kind of text, it never comes out."""

import io
import json
import logging
from collections.abc import Callable, Iterator

import pytest
import structlog
from chassis.redaction import MAX_ERROR, describe_error, format_exception
from chassis.telemetry.logs import configure_logging
from pydantic import BaseModel, TypeAdapter, field_validator
from pymongo.errors import BulkWriteError, DuplicateKeyError

NAME, ADDRESS, PHONE, SECRET = "Jane Roe", "jane.roe+home@example.com", "+1 (555) 123-4567", "s3cr3t-t0ken"
PLANTED = (NAME, "jane", ADDRESS, PHONE, "1234567", SECRET, "Roe")


class Person(BaseModel):
    age: int
    email: str = ""

    @field_validator("email")
    @classmethod
    def _is_no_address(cls, email: str) -> str:
        raise ValueError(f"{email} is no address")


def _by_pydantic() -> None:
    Person.model_validate({"age": NAME, "email": ADDRESS})


def _by_pydantic_of_keys() -> None:
    TypeAdapter(dict[str, int]).validate_python({ADDRESS: NAME, NAME: PHONE})


def _by_mongodb() -> None:
    failed = {"index": 0, "code": 11000, "errmsg": f"dup key: {{ email: {ADDRESS} }}", "op": {"name": NAME}}
    raise BulkWriteError({"writeErrors": [failed], "writeConcernErrors": []})


def _by_a_unique_index() -> None:
    details = {"code": 11000, "codeName": "DuplicateKey", "keyValue": {"name": NAME}}
    raise DuplicateKeyError(f"E11000 dup key: {{ name: {NAME} }}", 11000, details)


def _by_a_look_up() -> None:
    raise KeyError(NAME)


def _by_a_conversion() -> None:
    int(NAME)


def _by_http() -> None:
    raise RuntimeError(f"404 for https://{SECRET}@graph.example.com/users/{ADDRESS}?name={NAME.replace(' ', '+')}")


def _by_mail() -> None:
    raise RuntimeError(f"550 5.1.1 <{ADDRESS}>: unknown, call {PHONE}")


def _by_a_file() -> None:
    raise FileNotFoundError(2, "No such file", f"/home/{NAME}")


def _by_a_chain() -> None:
    try:
        _by_pydantic()
    except ValueError as error:
        raise RuntimeError("cannot go on") from error


def _by_a_group() -> None:
    raise ExceptionGroup("two", [ValueError(repr(ADDRESS)), KeyError(NAME)])


RAISING: list[Callable[[], None]] = [
    _by_pydantic,
    _by_pydantic_of_keys,
    _by_mongodb,
    _by_a_unique_index,
    _by_a_look_up,
    _by_a_conversion,
    _by_http,
    _by_mail,
    _by_a_file,
    _by_a_chain,
    _by_a_group,
]


def caught(raising: Callable[[], None]) -> Exception:
    with pytest.raises(Exception) as raised:  # noqa: PT011 any at all
        raising()
    return raised.value


@pytest.mark.parametrize("raising", RAISING, ids=lambda one: one.__name__)
def test_neither_description_nor_traceback_has_what_the_input_had(raising: Callable[[], None]) -> None:
    error = caught(raising)
    for kept in (describe_error(error), format_exception(error)):
        assert type(error).__name__ in kept
        assert not [one for one in PLANTED if one.casefold() in kept.casefold()], kept


@pytest.mark.parametrize(
    ("error", "description"),
    [
        (caught(_by_pydantic), "ValidationError: age: Input should be a valid integer, unable to parse string as an"),
        (caught(_by_mongodb), "BulkWriteError: code 65"),
        (caught(_by_a_unique_index), "DuplicateKeyError: code 11000 (DuplicateKey)"),
        (caught(_by_http), "RuntimeError: 404 for https://graph.example.com"),
        (caught(_by_mail), "RuntimeError: 550 5.1.1 <…>: unknown, call …"),
        (ZeroDivisionError("a bug"), "ZeroDivisionError: a bug"),
        (TimeoutError(), "TimeoutError"),
        (ConnectionRefusedError(111, "Connection refused"), "ConnectionRefusedError: [Errno 111] Connection refused"),
        (OSError("127.0.0.1:29092 is away"), "OSError: 127.0.0.1:29092 is away"),
    ],
    ids=lambda one: one.__class__.__name__,
)
def test_what_went_wrong_is_still_said(error: Exception, description: str) -> None:
    assert describe_error(error).startswith(description)


def test_a_traceback_says_where() -> None:
    shown = format_exception(caught(_by_a_chain))
    assert shown.count("Traceback (most recent call last)") == 2
    assert "direct cause" in shown
    assert "in _by_pydantic" in shown
    assert shown.endswith("RuntimeError: cannot go on")


def test_a_description_is_short() -> None:
    assert len(describe_error(RuntimeError("long " * 1_000))) == MAX_ERROR


@pytest.fixture
def logged(capsys: pytest.CaptureFixture[str]) -> Iterator[Callable[[], list[dict[str, str]]]]:
    """What was logged as a service logs."""
    root, handlers, level = logging.getLogger(), logging.getLogger().handlers, logging.getLogger().level
    configure_logging("test", "INFO")
    [stream] = [one for one in root.handlers if isinstance(one, logging.StreamHandler)]
    output = io.StringIO()
    stream.setStream(output)
    yield lambda: [json.loads(line) for line in output.getvalue().splitlines()]
    root.handlers, root.level = handlers, level
    capsys.readouterr()


@pytest.mark.parametrize("raising", RAISING, ids=lambda one: one.__name__)
def test_logs_are_as_discreet(raising: Callable[[], None], logged: Callable[[], list[dict[str, str]]]) -> None:
    error = caught(raising)
    structlog.get_logger().error("failed", exc_info=error)
    logging.getLogger("uvicorn.error").error("failed", exc_info=error)
    logging.getLogger("asyncio").error("Task exception was never retrieved exception=%r", KeyError(NAME))
    lines = logged()
    assert len(lines) == 3
    assert type(error).__name__ in lines[0]["exception"]
    shown = json.dumps(lines, ensure_ascii=False).casefold()
    assert not [one for one in PLANTED if one.casefold() in shown], shown
