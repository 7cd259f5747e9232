"""Certificates that are rotated while a process runs."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trustme
from chassis.kafka.tls import ReloadingContext

Peer = asyncio.Future[str]


class Files:
    """A client's authority, certificate and key."""

    def __init__(self, folder: Path) -> None:
        self.ca, self.cert, self.key = folder / "ca.pem", folder / "cert.pem", folder / "key.pem"

    def trust(self, authority: trustme.CA) -> None:
        authority.cert_pem.write_to_path(self.ca)

    def become(self, authority: trustme.CA, name: str) -> None:
        issued = authority.issue_cert(common_name=name)
        issued.cert_chain_pems[0].write_to_path(self.cert)
        issued.private_key_pem.write_to_path(self.key)


@asynccontextmanager
async def serving(authority: trustme.CA) -> AsyncIterator[Callable[[ssl.SSLContext], asyncio.Future[str]]]:
    """A server that says whom it sees; yields a way to ask it."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("localhost").configure_cert(context)
    authority.configure_trust(context)
    context.verify_mode = ssl.CERT_REQUIRED

    async def greet(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        subject = writer.get_extra_info("peercert")["subject"]
        writer.write(dict(entry for [entry] in subject)["commonName"].encode())
        writer.close()

    server = await asyncio.start_server(greet, "localhost", 0, ssl=context)
    port = server.sockets[0].getsockname()[1]

    async def ask(client: ssl.SSLContext) -> str:
        reader, writer = await asyncio.open_connection("localhost", port, ssl=client)
        try:
            return (await reader.read()).decode()
        finally:
            writer.close()

    async with server:
        yield ask  # type: ignore[misc]


async def test_the_next_connection_uses_what_the_files_hold_then(tmp_path: Path) -> None:
    before, after, files = trustme.CA(), trustme.CA(), Files(tmp_path)
    files.trust(before)
    files.become(before, "first")
    context = ReloadingContext.of(files.ca, files.cert, files.key)
    async with serving(before) as old, serving(after) as new:
        assert await old(context) == "first"
        files.become(before, "second")
        assert await old(context) == "second"
        with pytest.raises(ssl.SSLCertVerificationError):
            await new(context)
        files.trust(after)
        files.become(after, "third")
        assert await new(context) == "third"
        with pytest.raises(ssl.SSLCertVerificationError):
            await old(context)


async def test_files_that_are_being_replaced_do_no_harm(tmp_path: Path) -> None:
    authority, files = trustme.CA(), Files(tmp_path)
    files.trust(authority)
    files.become(authority, "first")
    context = ReloadingContext.of(files.ca, files.cert, files.key)
    async with serving(authority) as ask:
        key = files.key.read_bytes()
        files.become(authority, "second")
        new_key = files.key.read_bytes()
        files.key.write_bytes(key)  # the certificate is new, its key still the one before
        assert await ask(context) == "first"
        files.key.unlink()
        assert await ask(context) == "first"
        files.key.write_bytes(new_key)
        assert await ask(context) == "second"


async def test_a_server_of_another_name_is_refused(tmp_path: Path) -> None:
    authority, files = trustme.CA(), Files(tmp_path)
    files.trust(authority)
    files.become(authority, "client")
    context = ReloadingContext.of(files.ca, files.cert, files.key)
    server_context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("another.example.com").configure_cert(server_context)
    server = await asyncio.start_server(lambda _r, w: w.close(), "localhost", 0, ssl=server_context)
    async with server:
        with pytest.raises(ssl.SSLCertVerificationError, match="Hostname mismatch"):
            await asyncio.open_connection("localhost", server.sockets[0].getsockname()[1], ssl=context)
