"""Prints what happens on the platform's topics, as it happens."""

from __future__ import annotations

import asyncio
import contextlib
import json
from types import TracebackType
from typing import Any, Self

import httpx
from rich.console import Console


class RecordPrinter:
    """Inside, every record of a person's tenant is printed in a line; the console's event stream tells of it."""

    def __init__(self, console_url: str, token: str, console: Console) -> None:
        """`token` is the person's."""
        self._url = f"{console_url}events"
        self._headers = {"Authorization": f"Bearer {token}"}
        self._console = console
        self._live = asyncio.Event()

    async def __aenter__(self) -> Self:
        self._printing = asyncio.create_task(self._print())
        live = asyncio.create_task(self._live.wait())
        await asyncio.wait([self._printing, live], return_when=asyncio.FIRST_COMPLETED)
        live.cancel()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._printing.cancel()
        with contextlib.suppress(asyncio.CancelledError, httpx.HTTPError):  # nothing to print is no failure
            await self._printing

    async def _print(self) -> None:
        async with (
            httpx.AsyncClient(timeout=60, trust_env=False) as http,
            http.stream("GET", self._url, headers=self._headers) as stream,
        ):
            async for line in stream.aiter_lines():
                if line == "event: ready":
                    self._live.set()
                elif line.startswith("data: ") and (record := json.loads(line.removeprefix("data: "))):
                    self._console.print(f"    {describe(record)}", style="cyan", markup=False)


def describe(record: dict[str, Any]) -> str:
    """A record in a line: who wrote it, to which topic, what it is."""
    way = f"{record.get('source', '')} → {record['topic']}"
    sequence = f" #{record['sequence']}" if "sequence" in record else ""
    return f"{way:<38} {record.get('type', '')}{sequence}"
