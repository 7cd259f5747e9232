"""The generated pages say what the code says."""

import json
from pathlib import Path
from typing import Any

import pytest
from docgen import asyncapi
from docgen.asyncapi import asyncapi as described
from docgen.files import drift, write
from docgen.pages import pages
from docgen.samples import samples_of
from docgen.services import SERVICES, Service
from docgen.settings import described as meaning_of
from jsonschema import Draft202012Validator

DOCUMENTS = {service.name: described(service) for service in SERVICES}


def test_the_pages_are_those_of_todays_code() -> None:
    assert drift(pages(), whole=asyncapi.FOLDER) == [], "run `make docs` and look at what changed"


def test_drift_is_seen_and_mended(tmp_path: Path) -> None:
    files = {"pages/one.md": "one\n", "pages/two.md": "two\n"}
    assert write(files, whole="pages", root=tmp_path) == ["pages/one.md", "pages/two.md"]
    (tmp_path / "pages/one.md").write_text("edited by hand\n")
    (tmp_path / "pages/three.md").write_text("nobody generates this\n")
    assert drift(files, whole="pages", root=tmp_path) == ["pages/one.md", "pages/three.md"]
    write(files, whole="pages", root=tmp_path)
    assert drift(files, whole="pages", root=tmp_path) == []


@pytest.mark.parametrize("service", SERVICES, ids=lambda service: service.name)
def test_every_setting_says_what_it_means(service: Service) -> None:
    unexplained = [name.upper() for name in service.settings.model_fields if not meaning_of(service.settings, name)]
    assert unexplained == []


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_reference_of_an_asyncapi_document_leads_somewhere(name: str) -> None:
    document = DOCUMENTS[name]
    for reference in _references(document):
        _resolve(document, reference)


@pytest.mark.parametrize("name", DOCUMENTS)
def test_samples_are_what_the_asyncapi_documents_say(name: str) -> None:
    document = DOCUMENTS[name]
    for kind, message in document["components"]["messages"].items():
        for sample in samples_of(kind):
            for part, schema in ((sample.body, message["payload"]), (sample.headers, message["headers"])):
                Draft202012Validator(schema | {"components": document["components"]}).validate(part)


@pytest.mark.parametrize("name", DOCUMENTS)
def test_what_one_service_sends_another_receives(name: str) -> None:
    for operation in DOCUMENTS[name]["operations"].values():
        other = {"send": "receive", "receive": "send"}[operation["action"]]
        topic = operation["channel"]["$ref"].rpartition("/")[2]
        assert any(f"{other}.{topic}" in document["operations"] for document in DOCUMENTS.values()), topic


def _references(node: Any) -> list[str]:
    if isinstance(node, dict):
        own = [node["$ref"]] if isinstance(node.get("$ref"), str) else []
        return own + [found for child in node.values() for found in _references(child)]
    return [found for child in node for found in _references(child)] if isinstance(node, list) else []


def _resolve(document: Any, reference: str) -> Any:
    found = document
    for part in reference.removeprefix("#/").split("/"):
        found = found[part]
    return found


def test_the_openapi_document_is_json_with_resolvable_references() -> None:
    document = json.loads(pages()["docs/generated/openapi/api-gateway.json"])
    assert document["openapi"].startswith("3.1")
    for reference in _references(document):
        _resolve(document, reference)
