"""A guest's mails in the running mail sink, and the links in them."""

from html.parser import HTMLParser
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx

from tests.support.waiting import until


class Inbox:
    """What one address was mailed."""

    def __init__(self, sink: str, address: str) -> None:
        self._sink = sink
        self._address = address

    async def mails(self, count: int) -> list[dict[str, Any]]:
        """All mails, the oldest first, once there are ``count`` of them."""

        async def enough() -> list[dict[str, Any]] | None:
            listed = (await http.get("/api/messages", params={"to": self._address})).json()
            return sorted(listed, key=lambda mail: mail["id"]) if len(listed) >= count else None

        async with httpx.AsyncClient(base_url=self._sink, trust_env=False) as http:
            summaries = await until(enough, what=f"{count} mails to {self._address}")
            return [(await http.get(f"/api/messages/{one['id']}")).json() for one in summaries]

    async def sources(self) -> list[bytes]:
        """All mails as they came over the wire, the oldest first."""
        async with httpx.AsyncClient(base_url=self._sink, trust_env=False, timeout=30) as http:
            listed = (await http.get("/api/messages", params={"to": self._address})).json()
            numbers = sorted(mail["id"] for mail in listed)
            return [(await http.get(f"/api/messages/{number}/raw")).content for number in numbers]

    async def links(self, mail: int = 1) -> list[str]:
        """Every link in the HTML of the first, second, … mail."""
        return Elements("a", (await self.mails(mail))[mail - 1]["html"]).values_of("href")

    async def rsvp_links(self, mail: int = 1) -> dict[str, str]:
        """Where the buttons of the first, second, … mail lead, by the answer they stand for."""
        links = [link for link in await self.links(mail) if urlsplit(link).path.endswith("/rsvp")]
        return {parse_qs(urlsplit(link).query)["status"][0]: link for link in links}


class Elements(HTMLParser):
    """The elements of one kind in a page, by their attributes."""

    def __init__(self, tag: str, html: str) -> None:
        super().__init__()
        self._tag = tag
        self.found: list[dict[str, str]] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == self._tag:
            self.found.append({name: value or "" for name, value in attrs})

    def values_of(self, attribute: str) -> list[str]:
        return [one[attribute] for one in self.found if attribute in one]
