"""The pages of the documentation site, gathered into one folder that any generator of sites for MkDocs can build.

README and its like become pages, every folder gets an index, AsyncAPI and OpenAPI descriptions become readable, and
links between files of the repository become links between pages.
"""

import json
import posixpath
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from docgen.files import ROOT

BUILD = ROOT / "build" / "site"
ELSEWHERE = {
    "README.md": "index.md",
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
    "tools/localrun/README.md": "how-to/local-run.md",
}
"""Pages whose source is not in docs/: the repository's path, and the site's."""
SECTIONS = {
    "how-to": "How to",
    "generated": "Reference",
    "generated/asyncapi": "AsyncAPI",
    "generated/openapi": "OpenAPI",
    "decisions": "Decisions",
    "benchmarks": "Measured",
    "chaos": "Under failures",
}
MAP = "README.md"
"""The map for those who read the repository; a site has a navigation in its place."""
_LINK = re.compile(r"\[([^\]\n]+)\]\(([^)\s]+)\)")
_FENCE = re.compile(r"^```.*?^```[^\n]*$", re.MULTILINE | re.DOTALL)


class BrokenLinkError(Exception):
    """A page links to a file that does not exist."""


def write_site(target: Path = BUILD) -> None:
    """Write everything that the site is built from to `target`: `mkdocs.yml`, and the pages in `docs`.

    Raises `BrokenLinkError` when a page links to nothing.
    """
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(ROOT / "docs", target / "docs")
    (target / "docs" / MAP).unlink(missing_ok=True)
    pages = _pages()
    served = {path.relative_to(target / "docs").as_posix() for path in (target / "docs").rglob("*") if path.is_file()}
    for uri, text in pages.items():
        path = target / "docs" / uri
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(_with_page_links(text, uri, served | {*pages}), encoding="utf-8")
    config = {"INHERIT": str(ROOT / "mkdocs.yml"), "docs_dir": "docs", "nav": _navigation(pages)}
    (target / "mkdocs.yml").write_text(yaml.safe_dump(config, sort_keys=False, allow_unicode=True), encoding="utf-8")


def asyncapi_page(described: dict[str, Any], file_name: str) -> Iterator[str]:
    """What a service says and hears, as a page."""
    info = described["info"]
    yield f"# {info['title']}: messages\n\n{info['description']}\n"
    yield f"For programs: [{file_name}]({file_name}). The bodies are under [messages](../events.md).\n"
    for name, operation in described.get("operations", {}).items():
        channel = _last(operation["channel"]["$ref"])
        verb = "writes" if operation["action"] == "send" else "reads"
        yield f"## {name}\n\n{verb.capitalize()} `{channel}`. {described['channels'][channel]['description']}\n"
        for message in described["channels"][channel]["messages"]:
            yield f"- [`{message}`](../events.md#{re.sub(r'[^a-z0-9-]', '', message)})"
        yield ""


def openapi_page(described: dict[str, Any], file_name: str) -> Iterator[str]:
    """The operations of an API, as a page."""
    yield f"# {described['info']['title']}\n"
    yield f"For programs: [{file_name}]({file_name}). A running gateway explains its own at `/docs`.\n"
    yield "| operation | does | answers |\n|---|---|---|"
    for path, operations in described["paths"].items():
        for method, operation in operations.items():
            does = " ".join(operation.get("description", operation.get("summary", "")).split())
            plain = _LINK.sub(r"\1", does).replace("|", "\\|")
            yield f"| `{method.upper()} {path}` | {plain} | {', '.join(operation['responses'])} |"


def _pages() -> dict[str, str]:
    """The text of every page, by its path on the site."""
    docs = ROOT / "docs"
    pages = {path.relative_to(docs).as_posix(): _read(path) for path in sorted(docs.rglob("*.md"))}
    pages.pop(MAP, None)
    pages |= {uri: _read(ROOT / source) for source, uri in ELSEWHERE.items()}
    for path in sorted((docs / "generated/asyncapi").glob("*.yaml")):
        pages[f"generated/asyncapi/{path.stem}.md"] = "\n".join(asyncapi_page(yaml.safe_load(_read(path)), path.name))
    for path in sorted((docs / "generated/openapi").glob("*.json")):
        pages[f"generated/openapi/{path.stem}.md"] = "\n".join(openapi_page(json.loads(_read(path)), path.name))
    for folder, title in SECTIONS.items():
        if f"{folder}/README.md" not in pages:
            pages[f"{folder}/index.md"] = _index(folder, title, pages)
    return pages


def _index(folder: str, title: str, pages: dict[str, str]) -> str:
    """A page that names every page of a folder."""
    links = [f"- [{_title(uri, pages)}]({posixpath.basename(uri)})" for uri in _pages_in(folder, pages)]
    links += [f"- [{SECTIONS[sub]}]({posixpath.basename(sub)}/index.md)" for sub in _folders_in(folder)]
    return "\n".join([f"# {title}", "", *links, ""])


def _navigation(pages: dict[str, str]) -> list[Any]:
    sections: list[Any] = [{"Meetings": "index.md"}]
    for folder in _folders_in(""):
        nested = [{SECTIONS[sub]: _entries(sub, pages)} for sub in _folders_in(folder)]
        sections.append({SECTIONS[folder]: [*_entries(folder, pages), *nested]})
    return [*sections, {"The project": [uri for uri in _pages_in("", pages) if uri != "index.md"]}]


def _entries(folder: str, pages: dict[str, str]) -> list[str]:
    """The pages of a folder, the one about the folder first."""
    heads = [uri for uri in (f"{folder}/index.md", f"{folder}/README.md") if uri in pages]
    return heads + [uri for uri in _pages_in(folder, pages) if uri not in heads]


def _pages_in(folder: str, pages: dict[str, str]) -> list[str]:
    return sorted(uri for uri in pages if posixpath.dirname(uri) == folder)


def _folders_in(folder: str) -> list[str]:
    return [sub for sub in SECTIONS if posixpath.dirname(sub) == folder]


def _title(uri: str, pages: dict[str, str]) -> str:
    heading = re.search(r"^# (.+)$", pages[uri], re.MULTILINE)
    return heading[1] if heading else posixpath.basename(uri)


def _with_page_links(text: str, uri: str, served: set[str]) -> str:
    """The text with its links outside of code blocks translated."""
    parts, end = [], 0
    for fence in _FENCE.finditer(text):
        parts += [_with_links(text[end : fence.start()], uri, served), fence[0]]
        end = fence.end()
    return "".join([*parts, _with_links(text[end:], uri, served)])


def _with_links(text: str, uri: str, served: set[str]) -> str:
    origin = next((source for source, page in ELSEWHERE.items() if page == uri), f"docs/{uri}")

    def translated(link: re.Match[str]) -> str:
        path, hash_sign, anchor = link[2].partition("#")
        if not path or ":" in path:
            return link[0]
        if path.startswith("/"):  # of a running gateway
            return link[1]
        target = posixpath.normpath(posixpath.join(posixpath.dirname(origin), path))
        page = _page_of(target, served)
        if page is not None:
            return f"[{link[1]}]({posixpath.relpath(page, posixpath.dirname(uri) or '.')}{hash_sign}{anchor})"
        if not (ROOT / target).exists():
            raise BrokenLinkError(f"{origin} links to {link[2]}, which does not exist")
        return link[1]  # a file of the repository that is no page

    return _LINK.sub(translated, text)


def _page_of(target: str, served: set[str]) -> str | None:
    """Where the site serves a path of the repository, if it does."""
    inside = target.removeprefix("docs/")
    candidates = [ELSEWHERE.get(target), inside, f"{inside}/index.md", f"{inside}/README.md"]
    return next((uri for uri in candidates if uri in served), None)


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def _last(reference: str) -> str:
    """The name at the end of a JSON reference (RFC 6901: `~1` is a slash)."""
    return reference.rpartition("/")[2].replace("~1", "/").replace("~0", "~")
