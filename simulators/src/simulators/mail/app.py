"""The mail sink as one application: SMTP and HTTP on one event loop."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from fastapi import APIRouter, FastAPI

from simulators.common.control import add_fault_routes
from simulators.common.faults import FaultPlan
from simulators.mail.mailbox import Mailbox
from simulators.mail.replies import Replies
from simulators.mail.smtp import FAULTS, smtp_server
from simulators.mail.web import api_router, page_router


def create_app(folder: Path, *, smtp_host: str, smtp_port: int, replies_port: int = 0) -> FastAPI:
    """The application, which keeps its mails in `folder`; with `smtp_port` 0, `app.state.smtp_port` tells the port.

    Replies to mails go to `replies_port` of the same host.
    """
    mailbox, faults = Mailbox(folder), FaultPlan(FAULTS)
    replies = Replies(smtp_host, replies_port)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with smtp_server(smtp_host, smtp_port, mailbox, faults) as port:
            app.state.smtp_port = port
            yield

    app = FastAPI(title="Mail sink", docs_url=None, redoc_url=None, lifespan=lifespan)
    control = APIRouter(prefix="/_control", tags=["control"])
    add_fault_routes(control, faults)
    app.include_router(api_router(mailbox, replies))
    app.include_router(page_router(mailbox, replies))
    app.include_router(control)
    app.get("/readyz")(_ready)
    return app


async def _ready() -> dict[str, str]:
    return {"status": "ready"}
