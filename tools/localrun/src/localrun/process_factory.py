"""Makes the platform's processes: command, environment and log file of each."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from localrun.edge import edge
from localrun.kafka import apache_kafka, tansu
from localrun.mongodb import mongod
from localrun.ports import Ports
from localrun.processes import Process, answers_ok
from localrun.service_graph import ServiceGraph, ServiceSpec

KafkaKind = Literal["tansu", "apache"]


class ProcessFactory:
    """Makes processes that are not started yet."""

    def __init__(
        self,
        state_dir: Path,
        ports: Ports,
        graph: ServiceGraph,
        *,
        environ: Mapping[str, str],
        env_overrides: Mapping[str, Mapping[str, str]],
    ) -> None:
        """The parameters are those of `Platform.start`."""
        self._state_dir, self._ports, self._graph = state_dir, ports, graph
        self._environ, self._overrides = environ, env_overrides

    def mongodb(self) -> Process:
        return mongod(self._state_dir / "mongodb", self._ports.mongodb, log=self._log("mongodb"))

    def kafka(self, kind: KafkaKind) -> Process:
        if kind == "tansu":
            return tansu(self._ports.kafka, log=self._log("kafka"))
        return apache_kafka(self._state_dir / "kafka", self._ports.kafka, log=self._log("kafka"))

    def edge(self) -> Process:
        return edge(
            self._ports.gateway,
            api_gateway=self._ports.api_gateway,
            webhook_ingest=self._ports.webhook_ingest,
            state_dir=self._state_dir,
            log=self._log("edge"),
        )

    def service(self, spec: ServiceSpec) -> Process:
        """A service or simulator, ready once its health endpoint says so."""
        return Process(
            spec.name,
            [sys.executable, "-m", spec.program],
            log=self._log(spec.name),
            env=self._env(spec.name, spec.env, spec.defaults),
            ready=lambda: answers_ok(f"{spec.url}/readyz"),
        )

    def provisioning(self) -> Process:
        """The job that creates the topics."""
        env = self._env("provision", {"KAFKA_BOOTSTRAP_SERVERS": self._graph.kafka})
        return Process("provision", [sys.executable, "-m", "chassis.provision"], log=self._log("provision"), env=env)

    def _env(self, name: str, wired: Mapping[str, str], defaults: Mapping[str, str] | None = None) -> dict[str, str]:
        """The environment of a process: its defaults, then the caller's, then the graph's, then overrides."""
        direct = ",".join(filter(None, [self._environ.get("NO_PROXY") or self._environ.get("no_proxy"), "127.0.0.1"]))
        return {
            **(defaults or {}),
            **self._environ,
            "NO_PROXY": direct,  # no proxy of the caller's network is between the processes
            "no_proxy": direct,
            "PYTHONUNBUFFERED": "1",  # the log of a killed process is complete
            **wired,
            **self._overrides.get(name, {}),
        }

    def _log(self, name: str) -> Path:
        """Where a process logs in this run; the log of the run before is kept beside it."""
        log = self._state_dir / "logs" / f"{name}.log"
        if log.exists():
            log.replace(log.with_suffix(".log.before"))
        return log
