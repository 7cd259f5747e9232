"""The documentation site in a browser: axe-core finds nothing serious on its kinds of pages."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from docgen.site import write_site
from playwright.async_api import Browser

from tests.support.browser import DESKTOP, PHONE, is_accessible

pytestmark = pytest.mark.browser
PAGES = [
    "index.html",
    "generated/asyncapi/meeting-core.html",
    "generated/openapi/api-gateway.html",
    "decisions/index.html",
]


@pytest.fixture(scope="module")
def html(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    write_site(folder)
    build = [sys.executable, "-m", "mkdocs", "build", "--quiet", "-f", f"{folder}/mkdocs.yml", "-d", f"{folder}/html"]
    subprocess.run(build, env=os.environ | {"NO_MKDOCS_2_WARNING": "1"}, check=True)
    return folder / "html"


@pytest.mark.parametrize("viewport", [PHONE, DESKTOP], ids=["phone", "desktop"])
async def test_the_site_is_accessible(html: Path, chromium: Browser, viewport: Any) -> None:
    for scheme in ("light", "dark"):
        context = await chromium.new_context(viewport=viewport, color_scheme=scheme)
        page = await context.new_page()
        for name in PAGES:
            await page.goto((html / name).as_uri())
            overflow = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
            assert await page.evaluate(overflow) <= 0, name
            await is_accessible(page)
        await context.close()
