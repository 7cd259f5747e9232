"""Work that ends when its caller disconnects."""

import asyncio
from collections.abc import Coroutine
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from chassis.tasks import cancel_and_wait

CLIENT_CLOSED_REQUEST = 499
"""The status that metrics count when the client has left; the number is nginx's."""


async def answer_while_connected(request: Request, work: Coroutine[Any, Any, Response]) -> Response:
    """The answer that ``work`` makes; it is cancelled when the caller hangs up first.

    For reads: what has an effect is better carried through. The request's body must have been read.
    """
    working = asyncio.create_task(work)
    watching = asyncio.create_task(_disconnected(request))
    try:
        await asyncio.wait((working, watching), return_when=asyncio.FIRST_COMPLETED)
        return await working if working.done() else Response(status_code=CLIENT_CLOSED_REQUEST)
    finally:
        await cancel_and_wait(working, watching)


async def _disconnected(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
