"""The whole platform, started and held: what `make run` and the end-to-end tests share."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

from localrun.addresses import Addresses
from localrun.kafka import bootstrap, jars_are_here
from localrun.keys import Keys
from localrun.mongodb import uri
from localrun.people import contact_ids, log_in, staff_ids
from localrun.ports import Ports, require_free
from localrun.problem import LocalRunError
from localrun.process_factory import KafkaKind, ProcessFactory
from localrun.processes import READY_SECONDS, Process, ProcessFailedError, describe_exit, stop_all
from localrun.service_graph import ServiceGraph, url
from localrun.state import lock_state_dir

Report = Callable[[str], None]


class Platform:
    """One running copy of the platform; `Platform.start` makes it."""

    addresses: Addresses

    def __init__(
        self,
        state_dir: Path,
        ports: Ports,
        *,
        kafka: KafkaKind,
        environ: Mapping[str, str],
        env_overrides: Mapping[str, Mapping[str, str]],
        report: Report,
        waiting: Report,
    ) -> None:
        """Nothing is started yet; the parameters are those of `start`."""
        self.state_dir = state_dir
        self.processes: dict[str, Process] = {}
        """Every child by name: mongodb, kafka, edge, the simulators, the services. Tests may kill and restart them."""

        own_kafka, own_mongodb = environ.get("KAFKA_BOOTSTRAP_SERVERS"), environ.get("MONGODB_URI")
        self._kafka: KafkaKind | None = None if own_kafka else kafka
        self._mongodb = not own_mongodb
        self._ports = ports
        self._report, self._waiting = report, waiting
        graph = ServiceGraph(
            ports=ports,
            keys=Keys.kept_in(state_dir / "keys.json"),
            state_dir=state_dir,
            kafka=own_kafka or bootstrap(ports.kafka),
            tansu=self._kafka == "tansu",
            mongodb=own_mongodb or uri(ports.mongodb),
        )
        self._graph = graph
        self._factory = ProcessFactory(state_dir, ports, graph, environ=environ, env_overrides=env_overrides)
        self._simulators, self._workers, self._edge_services = (
            graph.simulators(),
            graph.workers(),
            graph.edge_services(),
        )

    @classmethod
    @contextlib.contextmanager
    def start(
        cls,
        state_dir: Path,
        *,
        port_offset: int | None = None,
        kafka: KafkaKind = "tansu",
        env_overrides: Mapping[str, Mapping[str, str]] | None = None,
        environ: Mapping[str, str] = os.environ,
        report: Report = lambda _: None,
        waiting: Report = lambda _: None,
    ) -> Iterator[Platform]:
        """Start everything, yield it once all parts are ready, stop everything at the end.

        `state_dir` keeps the data, the secrets, the logs and, while it runs, `run.json`. `port_offset` shifts the
        default ports (default: PORT_OFFSET of `environ`, else 0). `env_overrides` maps the name of a process to
        settings that win over all others. KAFKA_BOOTSTRAP_SERVERS and MONGODB_URI in `environ` win over `kafka` and a
        mongod of our own. `report` is told each step in a sentence, `waiting` what is waited for now. Raises
        `LocalRunError` with the way out.
        """
        ports = Ports.from_environment(environ, port_offset)
        folder = state_dir.resolve()
        with lock_state_dir(folder, f"gateway {url(ports.gateway)}"):
            platform = cls(
                folder,
                ports,
                kafka=kafka,
                environ=environ,
                env_overrides=env_overrides or {},
                report=report,
                waiting=waiting,
            )
            try:
                platform._start()
                yield platform
            finally:
                platform._stop()

    def restart_exited(self) -> None:
        """Start again whatever has ended by itself. Raises `LocalRunError` when that fails or cannot help."""
        for process in self.processes.values():
            status = process.returncode
            if status is None:
                continue
            ended = f"{process.name} ended with {describe_exit(status)}"
            if process.name == "kafka" and self._kafka == "tansu":
                raise LocalRunError(
                    f"{ended}; topics were in its memory. Start again, meetings are kept.{process.tail()}"
                )
            self._report(f"{ended}, starting it again; see {process.log}")
            process.restart()

    def _start(self) -> None:
        ours = {"kafka": self._kafka is not None, "mongodb": self._mongodb}
        require_free({name: port for name, port in self._ports.by_name().items() if ours.get(name, True)})

        self._await(self._launch(self._infrastructure()), "database and broker start")
        self._provision()
        workers = self._launch(map(self._factory.service, self._workers))
        login, *world = self._simulators  # the gateway is ready once it has the login's keys
        self._await(
            self._launch([self._factory.edge(), *map(self._factory.service, [login, *self._edge_services])]),
            "services load",
        )
        # The workers now wait to be let into their consumer groups: time for the other simulators to load.
        waiters = [*workers, *self._launch(map(self._factory.service, world))]
        self._await(waiters, "services join their Kafka consumer groups, the simulated world loads")

        self.addresses = self._addresses()
        self.addresses.write(self._run_json)

    def _stop(self) -> None:
        """Stop the services first, because they drain while their neighbours still answer."""
        self._report("stopping")
        self._run_json.unlink(missing_ok=True)
        services = [part.name for part in (*self._edge_services, *self._workers)]
        for layer in (["edge"], services, [part.name for part in self._simulators]):
            stop_all([self.processes[name] for name in layer if name in self.processes])
        stop_all(self.processes.values())  # what is left: broker and database

    def _infrastructure(self) -> Iterator[Process]:
        if self._mongodb:
            yield self._factory.mongodb()
        if self._kafka is not None:
            if self._kafka == "apache" and not jars_are_here():
                self._report("Maven fetches Apache Kafka's jars (45 MB), this once")
            yield self._factory.kafka(self._kafka)

    @property
    def _run_json(self) -> Path:
        return self.state_dir / "run.json"

    def _launch(self, processes: Iterable[Process]) -> list[Process]:
        """Start them at once."""
        launched = []
        for process in processes:
            self.processes[process.name] = process
            process.start()
            launched.append(process)
        return launched

    def _await(self, processes: list[Process], doing: str) -> None:
        missing = [process.name for process in processes]
        self._waiting(f"{doing}; waiting for {', '.join(missing)}")
        with ThreadPoolExecutor(max_workers=max(1, len(processes))) as waiters:
            waits = {waiters.submit(process.wait_ready): process for process in processes}
            try:
                for done in as_completed(waits):
                    done.result()
                    missing.remove(waits[done].name)
                    self._report(f"{waits[done].name} is ready")
                    self._waiting(f"{doing}; waiting for {', '.join(missing)}")
            except BaseException:
                stop_all(processes)  # which also ends the other waits
                raise

    def _provision(self) -> None:
        job = self._factory.provisioning()
        self._waiting("topics are created")
        job.start()
        if (status := job.wait(READY_SECONDS)) != 0:
            raise ProcessFailedError(f"Creating the topics ended with {describe_exit(status)}.{job.tail()}")
        self._report("topics are there")

    def _addresses(self) -> Addresses:
        ports = self._ports
        return Addresses(
            console=f"{url(ports.platform)}/console/",
            gateway=url(ports.gateway),
            mail=url(ports.mail),
            google=url(ports.google),
            microsoft=url(ports.microsoft),
            kafka=self._graph.kafka,
            mongodb=self._graph.mongodb,
            services={part.name: part.url for part in (*self._workers, *self._edge_services)},
            people=log_in(url(ports.platform)),
            contacts=contact_ids(),
            staff=staff_ids(),
        )
