"""Stand-ins for the base images: built from Debian, PyPI, npm and Maven packages, tagged as the project's files ask."""

import re
import shutil
from pathlib import Path

import yaml

from tests.deployment.rehearsal.engine import Engine
from tests.deployment.rehearsal.shell import run
from tests.support.deployment import ROOT

BASE = "stand-in/debian:bookworm"
FILES = Path(__file__).parent / "stand-ins"
_SUITE = "bookworm"
_CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")
_BUILD_SECONDS = 900


def images() -> dict[str, str]:
    """What the project's files name, by the stand-in that takes its place: ``{"kafka": "apache/kafka:4.3.1"}``."""
    services = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))["services"]
    dockerfile = (ROOT / "deploy/docker/Dockerfile").read_text(encoding="utf-8")
    (python,) = re.findall(r"^ARG PYTHON=(\S+)$", dockerfile, re.MULTILINE)
    named = {"kafka": "kafka", "mongodb": "mongodb", "caddy": "edge"}
    return {"python": python} | {stand_in: services[service]["image"] for stand_in, service in named.items()}


def make_base(engine: Engine, folder: Path) -> None:
    """A minimal Debian with this machine's certificates and package sources."""
    rootfs = folder / "rootfs"
    sources = Path("/etc/apt/sources.list.d/debian.sources").read_text(encoding="utf-8")
    (mirror, *_) = re.findall(r"^URIs: (\S+)$", sources, re.MULTILINE)
    command = ["debootstrap", "--variant=minbase", "--include=ca-certificates", _SUITE, rootfs, mirror]
    try:
        run(command, timeout=_BUILD_SECONDS)
        shutil.copy(_CERTIFICATES, rootfs / _CERTIFICATES.relative_to("/"))
        (rootfs / "etc/apt/sources.list").unlink(missing_ok=True)
        (rootfs / "etc/apt/sources.list.d/debian.sources").write_text(sources, encoding="utf-8")
        archive = folder / "rootfs.tar"
        run(["tar", "-C", rootfs, "-cf", archive, "."])
        certificates = f"ENV SSL_CERT_FILE={_CERTIFICATES} PIP_CERT={_CERTIFICATES} NODE_EXTRA_CA_CERTS={_CERTIFICATES}"
        engine.docker("import", "-c", 'CMD ["bash"]', "-c", certificates, archive, BASE)
        archive.unlink()
    finally:
        shutil.rmtree(rootfs, ignore_errors=True)


def make(engine: Engine, folder: Path, name: str, tag: str) -> None:
    """Build the stand-in ``name`` and tag it as the project's files call it."""
    context = folder / name
    shutil.copytree(FILES / name, context, dirs_exist_ok=True)
    if name == "kafka":
        version = f"-Dkafka={tag.rpartition(':')[2]}"
        goals = ["dependency:copy-dependencies", "-DincludeScope=runtime", f"-DoutputDirectory={context / 'jars'}"]
        run(["mvn", "--batch-mode", "--quiet", version, "--file", context / "pom.xml", *goals], timeout=_BUILD_SECONDS)
    arguments: list[str | Path] = ["--network=host", "--build-arg", f"BASE={BASE}", "-t", tag, context]
    engine.docker("build", *arguments, timeout=_BUILD_SECONDS)
