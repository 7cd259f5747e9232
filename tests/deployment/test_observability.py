"""Dashboard and alerts speak of what the services measure, and the runbook of every alert."""

import json
import re
from collections.abc import Iterator
from importlib import import_module
from typing import Any

import pytest
import yaml
from docgen.services import SERVICES
from prometheus_client import REGISTRY
from prometheus_client.metrics import MetricWrapperBase
from promql_parser import AggregateExpr, Expr, VectorSelector, parse, walk

from tests.support.deployment import ROOT, compose, demo_environment

FOLDER = ROOT / "deploy/observability"
RULES = [
    rule
    for group in yaml.safe_load((FOLDER / "alerts.yml").read_text(encoding="utf-8"))["groups"]
    for rule in group["rules"]
]
PANELS = [
    (panel["title"], target["expr"].replace("$__rate_interval", "5m"))
    for panel in json.loads((FOLDER / "dashboard.json").read_text(encoding="utf-8"))["panels"]
    for target in panel.get("targets", [])
]
EXPRESSIONS = {
    **{rule["alert"]: rule["expr"] for rule in RULES},
    **{f"{title}: {expr}": expr for title, expr in PANELS},
}
for service in SERVICES:
    import_module(f"{service.name.replace('-', '_')}.main")  # and with it all that the service measures
OURS = [collector for collector in REGISTRY._collector_to_names if isinstance(collector, MetricWrapperBase)]
OF_THE_SCRAPE = {"job", "instance"}
SOURCE = "".join(
    file.read_text(encoding="utf-8") for room in ("libs", "services") for file in (ROOT / room).glob("**/src/**/*.py")
)


def labels_of(metric: str) -> set[str]:
    """The labels of a time series. Fails when nothing measures it."""
    if metric == "up":  # Prometheus makes it
        return OF_THE_SCRAPE
    collector = REGISTRY._names_to_collectors[metric]
    own = set(collector._labelnames) if isinstance(collector, MetricWrapperBase) else set()
    return own | OF_THE_SCRAPE | ({"le"} if metric.endswith("_bucket") else set())


def parts(expression: str) -> Iterator[Expr]:
    """All parts of a PromQL expression. Fails when it is none."""
    found: list[Expr] = []
    walk(parse(expression), lambda part: found.append(part) or True)
    yield from found


def selectors(expression: str) -> list[VectorSelector]:
    return [part for part in parts(expression) if isinstance(part, VectorSelector)]


@pytest.mark.parametrize("name", EXPRESSIONS)
def test_what_is_asked_for_is_measured(name: str) -> None:
    used = selectors(EXPRESSIONS[name])
    assert used
    for selector in used:
        assert {matcher.name for matcher in selector.matchers.matchers} <= labels_of(selector.name)


@pytest.mark.parametrize("name", EXPRESSIONS)
def test_groups_are_by_labels_that_exist(name: str) -> None:
    for part in parts(EXPRESSIONS[name]):
        if isinstance(part, AggregateExpr) and part.modifier:
            for selector in selectors(part.expr.prettify()):
                assert set(part.modifier.labels) <= labels_of(selector.name)


@pytest.mark.parametrize("name", EXPRESSIONS)
def test_values_of_labels_are_written_somewhere(name: str) -> None:
    for selector in selectors(EXPRESSIONS[name]):
        for matcher in selector.matchers.matchers:
            if matcher.name in {"outcome", "queue", "kind", "provider"}:
                for value in matcher.value.split("|"):
                    assert f'"{value}"' in SOURCE


def test_what_is_measured_is_shown() -> None:
    shown = {REGISTRY._names_to_collectors.get(selector.name) for _, expr in PANELS for selector in selectors(expr)}
    assert len(OURS) > 15
    assert [metric._name for metric in OURS if metric not in shown] == []


def test_panels_lie_side_by_side() -> None:
    taken: set[tuple[int, int]] = set()
    ids = set()
    for panel in json.loads((FOLDER / "dashboard.json").read_text(encoding="utf-8"))["panels"]:
        place = panel["gridPos"]
        cells = {(place["x"] + x, place["y"] + y) for x in range(place["w"]) for y in range(place["h"])}
        assert taken.isdisjoint(cells)
        assert max(x for x, _ in cells) < 24
        taken |= cells
        ids.add(panel["id"])
    assert len(ids) == len(json.loads((FOLDER / "dashboard.json").read_text(encoding="utf-8"))["panels"])


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_every_alert_says_how_bad_it_is_and_about_what(rule: dict[str, Any]) -> None:
    assert rule["labels"]["severity"] in {"page", "ticket"}
    summary = rule["annotations"]["summary"]
    known = set.intersection(*(_kept(part) for part in parts(rule["expr"]) if isinstance(part, VectorSelector)))
    grouped = [
        set(part.modifier.labels) for part in parts(rule["expr"]) if isinstance(part, AggregateExpr) and part.modifier
    ]
    if grouped:
        known = set.intersection(known, *(labels - {"le"} or {"le"} for labels in grouped))
    assert set(re.findall(r"\$labels\.(\w+)", summary)) <= known


def _kept(selector: VectorSelector) -> set[str]:
    return labels_of(selector.name)


def test_every_alert_is_explained_in_the_runbook_and_no_other() -> None:
    runbook = (ROOT / "docs/runbook.md").read_text(encoding="utf-8")
    section = runbook.partition("\n## Alerts\n")[2].partition("\n## ")[0]
    assert re.findall(r"^### (\w+)$", section, re.MULTILINE) == [rule["alert"] for rule in RULES]
    for text in re.split(r"^### \w+$", section, flags=re.MULTILINE)[1:]:
        assert [word for word in ("**Means**", "**Look**", "**Do**") if word not in text] == []


def test_prometheus_scrapes_every_service() -> None:
    (job,) = yaml.safe_load((FOLDER / "prometheus.yml").read_text(encoding="utf-8"))["scrape_configs"]
    assert job["job_name"] == "meetings"
    containers = compose(demo_environment())["services"]
    ports = {name: containers[name]["environment"]["HTTP_PORT"] for name in (one.name for one in SERVICES)}
    (targets,) = job["static_configs"]
    assert set(targets["targets"]) == {f"{name}:{port}" for name, port in ports.items()}
