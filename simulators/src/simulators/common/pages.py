"""The HTML shell of every simulator page: escaped, self-contained, accessible."""

import base64
import hashlib
from pathlib import Path

from fastapi import HTTPException, Request
from fastapi.responses import HTMLResponse
from jinja2 import ChoiceLoader, Environment, FileSystemLoader, StrictUndefined

_SHARED = Path(__file__).parent / "templates"
_STYLE = (_SHARED / "style.css").read_text(encoding="utf-8")
_STYLE_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()


class Pages:
    """Renders the templates of one simulator; they extend ``shell.html`` and fill its blocks ``title`` and ``main``."""

    def __init__(self, folder: Path) -> None:
        loader = ChoiceLoader([FileSystemLoader(folder), FileSystemLoader(_SHARED)])
        self.environment = Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True)
        self.environment.globals["style"] = _STYLE

    def render(self, template: str, *, status: int = 200, form_target: str = "", **values: object) -> HTMLResponse:
        """A page that loads nothing and may be framed by nobody.

        ``form_target`` is one more origin that a form may end at: browsers apply ``form-action`` to the redirect that
        answers a form, too (CSP Level 3, section 6.4.1), so a consent page must name its client's origin.
        """
        policy = (
            f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; form-action 'self' {form_target}".rstrip()
            + "; base-uri 'none'; frame-ancestors 'none'"
        )
        headers = {
            "Content-Security-Policy": policy,
            "Referrer-Policy": "same-origin",
            "X-Content-Type-Options": "nosniff",
            "Cache-Control": "no-store",
        }
        return HTMLResponse(self.environment.get_template(template).render(**values), status, headers)


def same_origin(request: Request) -> None:
    """Dependency for routes that take forms: refuses (403) a form sent from a page of another origin."""
    origin = request.headers.get("origin")
    if origin not in (None, f"{request.url.scheme}://{request.headers.get('host')}"):
        raise HTTPException(403, "This form must be sent from this simulator's own page.")
