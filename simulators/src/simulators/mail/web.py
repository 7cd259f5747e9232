"""The page to read the mails, and the JSON API for tests."""

from pathlib import Path
from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Form, HTTPException
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from pydantic import BaseModel

from simulators.common.pages import Pages, same_origin
from simulators.common.weeks import week_page
from simulators.mail.mailbox import Mail, Mailbox, Summary
from simulators.mail.programs import Program
from simulators.mail.replies import Action, Handed, Replies

# The mail's HTML is a stranger's: no scripts, nothing loaded from elsewhere, an origin of its own. Its links may open
# a new tab, because pressing the buttons of an invitation is what the page is for.
_FRAME_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'self'; "
    "sandbox allow-popups allow-popups-to-escape-sandbox"
)


class Reply(BaseModel):
    """How a mail is answered."""

    program: Program = Program.GMAIL
    action: Action


def api_router(mailbox: Mailbox, replies: Replies) -> APIRouter:
    """List, read, answer and delete mails as JSON."""
    router = APIRouter(prefix="/api/messages", tags=["mails"])

    @router.get("")
    async def summaries(to: str | None = None) -> list[Summary]:
        return mailbox.summaries(to)

    @router.delete("", status_code=204)
    async def clear(to: str | None = None) -> None:
        mailbox.clear(to)

    @router.get("/{mail_id}")
    async def mail(mail_id: int) -> Mail:
        return _found(mailbox, mail_id)

    @router.get("/{mail_id}/raw")
    async def raw(mail_id: int) -> Response:
        _found(mailbox, mail_id)
        return Response(mailbox.raw(mail_id), headers={"X-Content-Type-Options": "nosniff"}, media_type="text/plain")

    @router.post("/{mail_id}/reply")
    async def reply(mail_id: int, body: Reply) -> Handed:
        return await _replied(mailbox, replies, mail_id, body)

    return router


def page_router(mailbox: Mailbox, replies: Replies) -> APIRouter:
    """The mails for a person with a browser."""
    router = APIRouter(include_in_schema=False)
    pages = Pages(Path(__file__).parent / "templates")

    @router.get("/")
    async def inbox(week: str = "", q: str = "") -> HTMLResponse:
        page = week_page(
            mailbox.summaries(),
            day=lambda mail: mail.received_at.date(),
            changed=lambda mail: f"{mail.id:012}",
            text=lambda mail: "\n".join([mail.subject, mail.sender, *mail.recipients]),
            week=week,
            query=q,
        )
        return pages.render("inbox.html", page=page)

    @router.post("/delete", dependencies=[Depends(same_origin)])
    async def delete_all() -> RedirectResponse:
        mailbox.clear()
        return RedirectResponse("/", 303)

    @router.get("/messages/{mail_id}")
    async def show(mail_id: int, replied: str = "") -> HTMLResponse:
        page = pages.render(
            "mail.html", mail=_found(mailbox, mail_id), programs=list(Program), actions=list(Action), replied=replied
        )
        page.headers["Content-Security-Policy"] += "; frame-src 'self'"
        return page

    @router.post("/messages/{mail_id}/reply", dependencies=[Depends(same_origin)])
    async def reply(mail_id: int, program: Annotated[Program, Form()], action: Annotated[Action, Form()]) -> Response:
        handed = await _replied(mailbox, replies, mail_id, Reply(program=program, action=action))
        query = urlencode({"replied": f"{action}: {handed.code} {handed.text}"})
        return RedirectResponse(f"/messages/{mail_id}?{query}", 303)

    @router.get("/messages/{mail_id}/html")
    async def body(mail_id: int) -> HTMLResponse:
        html = f'<base target="_blank">{_found(mailbox, mail_id).html or ""}'
        headers = {
            "Content-Security-Policy": _FRAME_POLICY,
            "Referrer-Policy": "no-referrer",
            "X-Content-Type-Options": "nosniff",
            "Cache-Control": "no-store",
        }
        return HTMLResponse(html, headers=headers)

    return router


async def _replied(mailbox: Mailbox, replies: Replies, mail_id: int, reply: Reply) -> Handed:
    mail = _found(mailbox, mail_id)
    try:
        return await replies.send(mailbox.raw(mail_id), mail, reply.program, reply.action)
    except ValueError as error:
        raise HTTPException(409, str(error)) from None
    except OSError:
        raise HTTPException(502, "Nothing takes replies: is invitations running with REPLY_ADDRESS?") from None


def _found(mailbox: Mailbox, mail_id: int) -> Mail:
    try:
        return mailbox.mail(mail_id)
    except KeyError:
        raise HTTPException(404, "There is no such mail") from None
