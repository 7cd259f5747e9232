"""The conventions of OData that Graph follows: Prefer headers, query options, pages.

Sources: https://learn.microsoft.com/graph/query-parameters, https://learn.microsoft.com/graph/outlook-immutable-id,
https://learn.microsoft.com/graph/paging.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlencode

from fastapi import Request

from simulators.microsoft.calendar import properties, zones
from simulators.microsoft.graph.errors import GraphError

JsonObject = dict[str, Any]

_PREFERENCE = re.compile(r'\s*([A-Za-z.\-]+)\s*=\s*("[^"]*"|[^,;"\s]+)')
_EXPANDED = re.compile(r"singleValueExtendedProperties\s*\(\s*\$filter\s*=\s*(?P<filter>.+)\)", re.IGNORECASE)
_ID_TERM = re.compile(r"\s*id\s+eq\s+'((?:[^']|'')*)'\s*", re.IGNORECASE)


@dataclass(frozen=True)
class Preferences:
    """What the client prefers, and what of it was applied (``Preference-Applied``)."""

    time_zone: str | None = None
    immutable_ids: bool = False
    text_bodies: bool = False
    page_size: int | None = None
    applied: tuple[str, ...] = ()


@dataclass(frozen=True)
class Query:
    """The query options of a request."""

    select: frozenset[str] = frozenset()
    filter: str | None = None
    order_by: str | None = None
    top: int | None = None
    skip: int = 0
    expanded: frozenset[str] = field(default_factory=frozenset)


def preferences(request: Request) -> Preferences:
    """Reads every Prefer header. Raises GraphError (400) for an unsupported time zone."""
    found: dict[str, str] = {}
    for header in request.headers.getlist("prefer"):
        found |= {name.lower(): value.strip('"') for name, value in _PREFERENCE.findall(header)}
    applied, zone_name, size = [], None, None
    if "outlook.timezone" in found:
        zone_name = zones.known(found["outlook.timezone"])
        applied.append(f'outlook.timezone="{zone_name}"')
    immutable = found.get("idtype", "").lower() == "immutableid"
    if immutable:
        applied.append('IdType="ImmutableId"')
    text = found.get("outlook.body-content-type", "").lower() == "text"
    if text:
        applied.append('outlook.body-content-type="text"')
    if (asked := found.get("odata.maxpagesize", "")).isdigit() and int(asked) > 0:
        size = min(int(asked), 1000)
        applied.append(f"odata.maxpagesize={size}")
    return Preferences(zone_name, immutable, text, size, tuple(applied))


def query(request: Request) -> Query:
    """Reads the ``$`` options. Raises GraphError (400) for one that makes no sense."""
    options = request.query_params
    return Query(
        select=frozenset(name.strip() for name in options.get("$select", "").split(",") if name.strip()),
        filter=options.get("$filter"),
        order_by=options.get("$orderby"),
        top=_number(options, "$top", 1),
        skip=_number(options, "$skip", 0) or 0,
        expanded=_expanded(options.get("$expand")),
    )


def selected(item: JsonObject, select: frozenset[str]) -> JsonObject:
    """The chosen properties; etag, id and what was expanded always come along."""
    if not select or "*" in select:
        return item
    always = ("@odata.", "id", "singleValueExtendedProperties")
    return {name: value for name, value in item.items() if name in select or name.startswith(always)}


def ordered(items: list[JsonObject], order_by: str | None) -> list[JsonObject]:
    """Sorted by ``$orderby`` (``start/dateTime desc``), stable. Raises GraphError (400) for an unknown property."""
    for term in reversed([term for term in (order_by or "").split(",") if term.strip()]):
        path, _, direction = term.strip().partition(" ")
        if direction.strip().lower() not in ("", "asc", "desc"):
            raise invalid_query(f"Invalid direction in $orderby: '{term.strip()}'.")
        keys = {id(item): at_path(item, path) for item in items}
        backwards = direction.strip().lower() == "desc"
        items = sorted(items, key=lambda item: str(keys[id(item)] or ""), reverse=backwards)
    return items


def at_path(item: JsonObject, path: str) -> Any:
    """The value at ``start/dateTime``. Raises GraphError (400) when the type has no such property."""
    value: Any = item
    for name in path.split("/"):
        if not isinstance(value, dict) or name not in value:
            raise invalid_query(f"Could not find a property named '{path}' on type 'Microsoft.OutlookServices.Event'.")
        value = value[name]
    return value


def page(request: Request, items: list[JsonObject], options: Query, prefer: Preferences, context: str) -> JsonObject:
    """One page (10 unless asked for) with an absolute ``@odata.nextLink`` when there are more."""
    size = options.top or prefer.page_size or 10
    part = items[options.skip : options.skip + size]
    body: JsonObject = {"@odata.context": metadata(request, context), "value": part}
    if options.skip + size < len(items):
        rest = [(name, value) for name, value in request.query_params.multi_items() if name != "$skip"]
        body["@odata.nextLink"] = link(request, request.url.path, [*rest, ("$skip", str(options.skip + size))])
    return body


def link(request: Request, path: str, options: Iterable[tuple[str, str]]) -> str:
    """An absolute URL on this server; ``$`` and the ids in the path stay readable as Graph leaves them."""
    here, query_string = str(request.base_url).rstrip("/"), urlencode(list(options), quote_via=quote, safe="$")
    return f"{here}{quote(path, safe='/=@')}?{query_string}"


def metadata(request: Request, fragment: str) -> str:
    """The ``@odata.context`` of an answer."""
    return f"{str(request.base_url).rstrip('/')}/v1.0/$metadata#{fragment}"


def invalid_query(message: str) -> GraphError:
    """A query option Graph cannot read or does not support."""
    return GraphError(400, "ErrorInvalidUrlQuery", message)


def _number(options: Mapping[str, str], name: str, least: int) -> int | None:
    text = options.get(name)
    if text is None:
        return None
    if not text.isdigit() or int(text) < least or int(text) > 1_000_000:
        raise GraphError(400, "BadRequest", f"Invalid value '{text}' for {name} query option found.")
    return min(int(text), 1000) if name == "$top" else int(text)


def _expanded(text: str | None) -> frozenset[str]:
    if text is None:
        return frozenset()
    match = _EXPANDED.fullmatch(text.strip())
    if match is None:
        raise invalid_query("Only singleValueExtendedProperties($filter=id eq '...') can be expanded here.")
    ids = [_ID_TERM.fullmatch(term) for term in re.split(r"\s+or\s+", match["filter"], flags=re.IGNORECASE)]
    if None in ids:
        raise invalid_query("The filter of the expanded extended properties must name their ids.")
    return frozenset(properties.property_id(term[1].replace("''", "'")) for term in ids if term is not None)
