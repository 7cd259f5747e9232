"""Services that are started before what they depend on wait, say so, and go on by themselves."""

import json
import os
import signal
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest
from chassis.provision import ProvisioningSettings, provision
from localrun.kafka import bootstrap, tansu
from localrun.keys import Keys
from localrun.mongodb import mongod, uri
from localrun.ports import Ports
from localrun.processes import Process, answers_ok
from localrun.service_graph import ServiceGraph, ServiceSpec

from tests.support.waiting import until

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]
_WITHIN = 120.0


class World:
    """Every service, running from the beginning, and what they depend on, which is started later."""

    def __init__(self, folder: Path, offset: int) -> None:
        self.ports = Ports.from_environment({}, offset)
        graph = ServiceGraph(
            ports=self.ports,
            keys=Keys.kept_in(folder / "keys.json"),
            state_dir=folder,
            kafka=bootstrap(self.ports.kafka),
            tansu=True,
            mongodb=uri(self.ports.mongodb),
        )
        self._folder = folder
        self.specs = {spec.name: spec for spec in (*graph.workers(), *graph.edge_services())}
        self.services = {name: self._process(spec) for name, spec in self.specs.items()}
        self.login = self._process(graph.simulators()[0])
        self.kafka = tansu(self.ports.kafka, log=folder / "kafka.log")
        self.mongodb = mongod(folder / "mongodb", self.ports.mongodb, log=folder / "mongodb.log")
        self.processes = [*self.services.values(), self.login, self.kafka, self.mongodb]

    async def says(self, problems: Mapping[str, str]) -> None:
        """Each service gives, sooner or later, a reason that begins so; no process has ended."""
        for name, reason in problems.items():

            async def is_said(name: str = name, reason: str = reason) -> bool:
                assert self.services[name].running, self.services[name].tail()
                return any(said.startswith(reason) for said in await self.problems(name))

            await until(is_said, what=f"{name} says: {reason}", within=_WITHIN)

    async def problems(self, name: str) -> list[str]:
        try:
            async with httpx.AsyncClient(trust_env=False) as http:
                answer = await http.get(f"{self.specs[name].url}/readyz")
        except httpx.HTTPError:
            return []
        return list(answer.json()["problems"].values())

    async def answer(self, name: str, path: str) -> httpx.Response:
        async with httpx.AsyncClient(trust_env=False) as http:
            return await http.get(f"{self.specs[name].url}{path}")

    def lines(self, name: str) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.services[name].log.read_text().splitlines() if line.startswith("{")]

    def _process(self, spec: ServiceSpec) -> Process:
        return Process(
            spec.name,
            [sys.executable, "-m", spec.program],
            log=self._folder / f"{spec.name}.log",
            env={**os.environ, **spec.defaults, **spec.env, "NO_PROXY": "127.0.0.1", "PYTHONUNBUFFERED": "1"},
            ready=lambda: answers_ok(f"{spec.url}/readyz"),
        )


@pytest.fixture
def world(tmp_path: Path, free_port_offset: int) -> Iterator[World]:
    world = World(tmp_path, free_port_offset)
    with ExitStack() as started:
        for process in world.processes:
            started.callback(process.stop)
        for service in world.services.values():
            service.start()
        yield world


async def test_services_wait_for_the_broker_its_topics_the_database_and_the_keys_of_the_login(world: World) -> None:
    names = list(world.services)
    await world.says(dict.fromkeys(names, "waits for Kafka: KafkaConnectionError"))
    assert (await world.answer("meeting-core", "/healthz")).status_code == 200
    refused = await world.answer("api-gateway", "/api/v1/meetings")
    assert (refused.status_code, refused.json()["errorCode"]) == (503, "BE0503"), refused.text
    assert refused.headers["retry-after"]

    world.kafka.start()
    world.kafka.wait_ready()
    await world.says(dict.fromkeys(names, "waits for Kafka: TopicsMissingError: the topics "))

    await provision(ProvisioningSettings(kafka_bootstrap_servers=bootstrap(world.ports.kafka)))
    await world.says(dict.fromkeys(["meeting-core", "invitations", "calendar-sync"], "waits for MongoDB: "))
    await world.says({"api-gateway": "no keys of the login yet"})
    world.services["webhook-ingest"].wait_ready()

    world.services["invitations"].kill(signal.SIGTERM)
    world.services["invitations"].wait(30)
    assert world.lines("invitations")[-2]["event"] == "Application shutdown complete.", "it stops while it waits"
    world.services["invitations"].start()

    world.mongodb.start()
    world.mongodb.wait_ready()
    world.login.start()
    for service in world.services.values():
        service.wait_ready()

    for name in names:
        kinds = [(line["event"], line.get("reason")) for line in world.lines(name) if line["level"] != "info"]
        assert len(kinds) <= 30, f"{name} floods its log: {kinds}"
        waits = [line for line in world.lines(name) if line["event"] == "waiting to start"]
        assert waits, name
