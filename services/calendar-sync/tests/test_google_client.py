"""Calls of Google's API over connections that end."""

import socket
import struct
import threading
from collections.abc import Iterator

import pytest
from calendar_sync.providers.google.client import GoogleClient

ANSWER = b'HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 11\r\n\r\n{"id": "e"}'
RESET = struct.pack("ii", 1, 0)


class Forgetful:
    """A server that answers one request of a connection and then resets it, as if it had been idle for too long."""

    def __init__(self) -> None:
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listening.getsockname()[1]}"
        self.reset = threading.Semaphore(0)
        self.connections = 0
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        self._listening.close()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listening.accept()
            except OSError:
                return
            self.connections += 1
            connection.recv(65536)
            connection.sendall(ANSWER)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            connection.close()
            self.reset.release()


@pytest.fixture
def forgetful() -> Iterator[Forgetful]:
    server = Forgetful()
    yield server
    server.close()


async def test_a_connection_that_google_has_closed_is_replaced(forgetful: Forgetful) -> None:
    client = GoogleClient(api_url=forgetful.url, timeout=5, threads=1)
    try:
        for number in range(1, 4):
            answer = await client.call("events.get", "token", calendarId="primary", eventId="e")
            assert answer == {"id": "e"}
            assert forgetful.reset.acquire(timeout=5)
            assert forgetful.connections == number
    finally:
        client.close()
