"""Floods of log lines are folded: one a minute of each kind, and none of them is lost uncounted."""

import json
import logging
from collections.abc import Iterator

import pytest
import structlog
from chassis.telemetry.folding import LineFolder
from chassis.telemetry.logs import configure_logging


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


class Lines(logging.Handler):
    def __init__(self, folder: LineFolder) -> None:
        super().__init__()
        self.texts: list[str] = []
        self.addFilter(folder)

    def emit(self, record: logging.LogRecord) -> None:
        self.texts.append(record.getMessage())


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def lines(clock: Clock) -> Iterator[Lines]:
    handler, root = Lines(LineFolder(clock=clock)), logging.getLogger()
    root.addHandler(handler)
    yield handler
    root.removeHandler(handler)


def test_a_library_says_the_same_once_a_minute_whatever_the_values(lines: Lines, clock: Clock) -> None:
    client, consumer = logging.getLogger("aiokafka.client"), logging.getLogger("aiokafka.consumer.fetcher")
    for port in range(9000, 9100):
        client.error('Unable connect to "%s:%s": %s', "localhost", port, "refused")
        consumer.error("Failed fetch from %s", port)
    client.warning("something else")
    assert lines.texts == [
        'Unable connect to "localhost:9000": refused',
        "Failed fetch from 9000",
        "something else",
    ]
    clock.now += 60
    client.error('Unable connect to "%s:%s": %s', "localhost", 1, "refused")
    client.error('Unable connect to "%s:%s": %s', "localhost", 2, "refused")
    assert lines.texts[3:] == ['Unable connect to "localhost:1": refused (99 more lines like this were folded)']
    clock.now += 60
    client.error('Unable connect to "%s:%s": %s', "localhost", 3, "refused")
    assert lines.texts[4:] == ['Unable connect to "localhost:3": refused (1 more lines like this were folded)']


def test_lines_of_others_are_all_there(lines: Lines) -> None:
    for _ in range(3):
        logging.getLogger("uvicorn.error").error("the same")
        logging.getLogger("aiokafkaesque").error("the same")
    assert len(lines.texts) == 6


def test_our_own_lines_are_folded_where_they_ask_for_it(capsys: pytest.CaptureFixture[str]) -> None:
    before = structlog.get_config()
    configure_logging("test", "INFO")
    log = structlog.get_logger()
    for group in ("a", "b"):
        for _ in range(3):
            log.warning("waiting for a dependency", group=group, error="KafkaConnectionError", fold=True)
    log.info("kept")
    log.info("kept")
    structlog.configure(**before)
    shown = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(line["event"], line.get("group")) for line in shown] == [
        ("waiting for a dependency", "a"),
        ("waiting for a dependency", "b"),
        ("kept", None),
        ("kept", None),
    ]
    assert not any("fold" in line for line in shown)
