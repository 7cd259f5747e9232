"""Pages in a real browser: seen as people see them, and held to what every page of ours must be."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, ConsoleMessage, Page, Request, ViewportSize

PHONE, DESKTOP = ViewportSize(width=375, height=720), ViewportSize(width=1280, height=800)

_CONTRAST = """
(element) => {
  const canvas = document.createElement("canvas").getContext("2d");
  const rgba = (color) => {
    canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = color; canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data];
  };
  const luminance = (color) => {
    const [r, g, b] = color.slice(0, 3).map((part) => part / 255)
      .map((part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  let behind = element, color = rgba(getComputedStyle(behind).backgroundColor);
  while (color[3] === 0) { behind = behind.parentElement; color = rgba(getComputedStyle(behind).backgroundColor); }
  const [lighter, darker] = [luminance(rgba(getComputedStyle(element).color)), luminance(color)].sort((a, b) => b - a);
  return (lighter + 0.05) / (darker + 0.05);
}
"""
"""The contrast of an element's text with what is behind it (WCAG 2.2, relative luminance)."""


@asynccontextmanager
async def browsing(chromium: Browser, *, app: str | None = None, **options: Any) -> AsyncIterator[Page]:
    """A fresh browser in which nothing may go wrong: no error on the console, nothing loaded but pages.

    The page of ``app``, a URL, is an application: it may load what its own origin serves, and be refused by its API.
    """
    context = await chromium.new_context(**options)
    problems: list[str] = []
    origin = None if app is None else app.split("/console")[0]

    def logged(message: ConsoleMessage) -> None:
        is_refusal = origin is not None and message.location["url"].startswith(f"{origin}/")
        if message.type == "error" and not (is_refusal and "Failed to load resource" in message.text):
            problems.append(message.text)

    def requested(request: Request) -> None:
        is_own = origin is not None and request.url.startswith(f"{origin}/")
        if request.resource_type != "document" and not is_own:
            problems.append(request.url)

    context.on("console", logged)
    context.on("weberror", lambda error: problems.append(str(error.error)))
    context.on("request", requested)
    yield await context.new_page()
    await context.close()
    assert problems == []


async def is_readable(page: Page) -> None:
    """Nothing is cut off, text stands out (WCAG 1.4.3), buttons can be hit (WCAG 2.5.5), the parts are named.

    And axe-core finds nothing serious.
    """
    overflow = await page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert overflow == 0
    for element in await page.locator("h1, p, dt, dd, button").all():
        contrast = await element.evaluate(_CONTRAST)
        assert contrast >= 4.5, (contrast, await element.inner_text())
    for button in await page.get_by_role("button").all():
        box = await button.bounding_box()
        assert box is not None
        assert min(box["height"], box["width"]) >= 44
    assert await page.locator("html").get_attribute("lang")
    assert await page.get_by_role("main").count() == await page.get_by_role("heading", level=1).count() == 1
    assert await page.title()
    await is_accessible(page)


async def is_accessible(page: Page) -> None:
    """axe-core finds nothing serious or critical."""
    found = await Axe().run(page)
    serious = [problem for problem in found.response["violations"] if problem["impact"] in ("serious", "critical")]
    assert serious == [], [(problem["id"], [node["html"] for node in problem["nodes"]]) for problem in serious]
