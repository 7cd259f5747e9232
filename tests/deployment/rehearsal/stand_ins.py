"""Stand-ins for the base images: built from Debian, PyPI, npm and Maven packages, tagged as the project's files ask."""

import re
import shutil
from pathlib import Path

import yaml

from tests.deployment.rehearsal.engine import Engine
from tests.deployment.rehearsal.errors import RehearsalError
from tests.deployment.rehearsal.shell import run
from tests.support.deployment import ROOT

BASE = "stand-in/debian:bookworm"
FILES = Path(__file__).parent / "stand-ins"
_SUITE = "bookworm"
_SOURCES = (Path("/etc/apt/sources.list"), Path("/etc/apt/sources.list.d/debian.sources"))
_CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")
_BUILD_SECONDS = 1800


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
    copied = [file for file in (_CERTIFICATES, *_SOURCES) if file.exists()]
    command: list[str | Path] = [
        "debootstrap",
        "--variant=minbase",
        "--include=ca-certificates",
        _SUITE,
        rootfs,
        _mirror(),
    ]
    try:
        run(command, timeout=_BUILD_SECONDS)
        (rootfs / "etc/apt/sources.list").unlink(missing_ok=True)
        for file in copied:
            shutil.copy(file, rootfs / file.relative_to("/"))
        archive = folder / "rootfs.tar"
        run(["tar", "-C", rootfs, "-cf", archive, "."])
        certificates = f"ENV SSL_CERT_FILE={_CERTIFICATES} PIP_CERT={_CERTIFICATES} NODE_EXTRA_CA_CERTS={_CERTIFICATES}"
        engine.docker("import", "-c", 'CMD ["bash"]', "-c", certificates, archive, BASE)
        archive.unlink()
    finally:
        shutil.rmtree(rootfs, ignore_errors=True)


def _mirror() -> str:
    """Where this machine's Debian packages come from. Raises RehearsalError when that is not known."""
    text = "\n".join(file.read_text(encoding="utf-8") for file in _SOURCES if file.exists())
    found = re.search(r"^(?:URIs:|deb(?: \[.*?\])?) +(\S+)", text, re.MULTILINE)
    if found is None:
        raise RehearsalError(f"no package source in {', '.join(map(str, _SOURCES))}")
    return found[1]


def make(engine: Engine, folder: Path, name: str, tag: str) -> None:
    """Build the stand-in ``name`` and tag it as the project's files call it."""
    context, version = folder / name, tag.rpartition(":")[2]
    shutil.copytree(FILES / name, context, dirs_exist_ok=True)
    if name == "kafka":
        goals = ["dependency:copy-dependencies", "-DincludeScope=runtime", f"-DoutputDirectory={context / 'jars'}"]
        run(
            ["mvn", "--batch-mode", "--quiet", f"-Dkafka={version}", "--file", context / "pom.xml", *goals],
            timeout=_BUILD_SECONDS,
        )
    given = [part for value in (f"BASE={BASE}", f"VERSION={version}") for part in ("--build-arg", value)]
    engine.docker("build", "--network=host", *given, "--tag", tag, context, timeout=_BUILD_SECONDS)
