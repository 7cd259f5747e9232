"""Ports are settings, and a taken one is told with what holds it."""

import os
import random
import socket

import pytest
from localrun.ports import Ports, free_port, holder, require_free
from localrun.problem import LocalRunError


def test_the_offset_shifts_all_but_those_that_are_named() -> None:
    ports = Ports.from_environment({"PORT_OFFSET": "1000", "GATEWAY_PORT": "8888"})
    assert ports.gateway == 8888
    assert ports.mail == 9025
    assert ports.kafka == 20092
    assert Ports.from_environment({"PORT_OFFSET": "1000"}, offset=100).gateway == 8180
    assert Ports.from_environment({}) == Ports()


@pytest.mark.parametrize(
    ("environ", "message"),
    [
        ({"GATEWAY_PORT": "eighty"}, "GATEWAY_PORT must be a whole number, not 'eighty'"),
        ({"PORT_OFFSET": "x"}, "PORT_OFFSET must be a whole number"),
        ({"GATEWAY_PORT": "70000"}, "GATEWAY_PORT would be 70000"),
        ({"PORT_OFFSET": "60000"}, "which is no TCP port"),
        ({"GATEWAY_PORT": "8025"}, "GATEWAY_PORT and MAIL_PORT are both 8025"),
    ],
)
def test_values_that_cannot_work_are_refused(environ: dict[str, str], message: str) -> None:
    with pytest.raises(LocalRunError, match=message):
        Ports.from_environment(environ)


def test_a_taken_port_is_told_with_its_holder_and_its_variable() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with pytest.raises(LocalRunError) as taken:
            require_free({"webhook_ingest": port, "gateway": free_port()})
    message = str(taken.value)
    assert f"Port {port} (webhook-ingest) is taken by pid {os.getpid()} (" in message
    assert "WEBHOOK_INGEST_PORT" in message
    assert "PORT_OFFSET=1000" in message
    assert "gateway" not in message


def test_a_listener_on_every_address_takes_the_port_too() -> None:
    with socket.create_server(("0.0.0.0", 0)) as server, pytest.raises(LocalRunError):
        require_free({"gateway": server.getsockname()[1]})


def test_a_port_left_a_moment_ago_is_free() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        client = socket.create_connection(("127.0.0.1", port))
        accepted, _ = server.accept()
        accepted.close()  # this side closes first, so the port lingers in TIME_WAIT
        client.close()
    require_free({"gateway": port})
    assert holder(port) is None


def test_a_port_is_given_to_one_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    first, other = free_port(), free_port()
    drawn = iter([first, other, first, 20_000, *range(20_001, 32_000)])
    monkeypatch.setattr(random, "randint", lambda low, high: next(drawn))
    assert free_port() not in (first, other)
