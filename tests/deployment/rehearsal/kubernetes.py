"""The manifests sent to a real Kubernetes API server, by the commands of docs/how-to/deploy.md.

The API server and its etcd are built from their Go modules: a quarter of an hour the first time. There are no nodes and
no controllers, so nothing runs and no Job completes. What it shows: the server takes every manifest as it is, nothing
differs afterwards, and the namespace would admit each pod.

python -m tests.deployment.rehearsal.kubernetes --folder /var/tmp/kubernetes
"""

import argparse
import json
import os
import secrets
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from localrun.ports import free_port
from localrun.processes import Process, accepts_connections

from tests.deployment.rehearsal import page
from tests.deployment.rehearsal.errors import RehearsalError
from tests.deployment.rehearsal.report import Report
from tests.deployment.rehearsal.shell import run
from tests.support.deployment import ROOT, kustomized, workloads

_MODULE = Path(__file__).parent / "api-server"
_PROGRAMS = {"etcd": "./etcd", "kube-apiserver": "k8s.io/kubernetes/cmd/kube-apiserver"}
_BUILD_SECONDS = 3600
_OVERLAY = ROOT / "deploy/k8s/overlays/example"
_NAMESPACE = "meetings"
_KUBECTL = Path(sys.executable).with_name("kubectl")


def main() -> int:
    parser = argparse.ArgumentParser(prog="make rehearsal-kubernetes", description=__doc__)
    parser.add_argument("--folder", type=Path, required=True, help="keep programs and logs here for the next time")
    folder: Path = parser.parse_args().folder.resolve()
    if shutil.which("go") is None:
        print("SKIPPED: the manifests were NOT sent to an API server: it needs Go")
        return 0
    report = Report()
    try:
        with report.step("build etcd and the API server"):
            _build(folder)
        with _running_api_server(folder) as kubeconfig:
            _apply(kubeconfig, report)
    except RehearsalError as error:
        print(f"FAILED: {error}", file=sys.stderr)
        return 1
    report.show()
    return 0


def _build(folder: Path) -> None:
    version = run(["go", "list", "-m", "-f", "{{.Version}}", "k8s.io/kubernetes"], cwd=_MODULE).strip()
    flags = f"-s -w -X k8s.io/component-base/version.gitVersion={version}"
    for name, package in _PROGRAMS.items():
        command: list[str | Path] = ["go", "build", "-ldflags", flags, "-o", folder / name, package]
        run(command, timeout=_BUILD_SECONDS, cwd=_MODULE)


@contextmanager
def _running_api_server(folder: Path) -> Iterator[Path]:
    """An API server with nothing in it; gives the kubeconfig of an administrator."""
    state = folder / "state"
    shutil.rmtree(state, ignore_errors=True)
    state.mkdir(parents=True)
    client, peer, port = free_port(), free_port(), free_port()
    store = f"http://127.0.0.1:{client}"
    token = secrets.token_hex(16)
    (state / "tokens.csv").write_text(f"{token},admin,admin,system:masters\n", encoding="utf-8")
    (state / "account.key").write_bytes(
        rsa.generate_private_key(65537, 2048).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    )
    etcd = [folder / "etcd", "--data-dir", state / "etcd", "--listen-client-urls", store]
    etcd += ["--advertise-client-urls", store, "--listen-peer-urls", f"http://127.0.0.1:{peer}"]
    server = [
        folder / "kube-apiserver", "--etcd-servers", store, "--bind-address=127.0.0.1", f"--secure-port={port}",
        "--cert-dir", state, "--token-auth-file", state / "tokens.csv", "--authorization-mode=RBAC",
        "--service-account-issuer=https://kubernetes.default.svc", "--service-account-key-file", state / "account.key",
        "--service-account-signing-key-file", state / "account.key", "--service-cluster-ip-range=10.96.0.0/16",
    ]  # fmt: skip
    kubeconfig = _kubeconfig(state, f"https://127.0.0.1:{port}", token)
    processes = [
        Process("etcd", [*map(str, etcd)], log=folder / "etcd.log", ready=lambda: accepts_connections(client)),
        Process("API server", [*map(str, server)], log=folder / "api.log", ready=lambda: _is_ready(kubeconfig)),
    ]
    try:
        for process in processes:
            process.start()
            process.wait_ready(600)
        yield kubeconfig
    finally:
        for process in reversed(processes):
            process.stop()


def _kubeconfig(state: Path, server: str, token: str) -> Path:
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "here", "cluster": {"server": server, "insecure-skip-tls-verify": True}}],
        "users": [{"name": "admin", "user": {"token": token}}],
        "contexts": [{"name": "here", "context": {"cluster": "here", "user": "admin"}}],
        "current-context": "here",
    }
    path = state / "kubeconfig"
    path.write_text(json.dumps(config), encoding="utf-8")
    return path


def _is_ready(kubeconfig: Path) -> bool:
    with suppress(RehearsalError):
        return _kubectl(kubeconfig, "get", "--raw", "/readyz") == "ok"
    return False


def _apply(kubeconfig: Path, report: Report) -> None:
    """As the page says, then once more: nothing differs."""
    environment = {"KUBECONFIG": str(kubeconfig), "PATH": f"{_KUBECTL.parent}:{os.environ['PATH']}"}
    with report.step("the commands of the page"):
        printed = run(["bash", "-euc", page.commands("make rehearsal-kubernetes")], env=environment, cwd=ROOT)
    report.add_fact(f"{len(kustomized(_OVERLAY))} manifests; {_kubectl(kubeconfig, 'version').splitlines()[-1]}")
    if "Warning" in printed:
        raise RehearsalError(f"the API server warns:\n{printed}")
    for _ in range(2):
        with report.step("kubectl diff, then apply again: nothing differs"):
            _kubectl(kubeconfig, "diff", "--kustomize", _OVERLAY)  # exit status 1 is a difference
            before = _versions(kubeconfig)
            _kubectl(kubeconfig, "apply", "--warnings-as-errors", "--kustomize", _OVERLAY)
            if changed := _versions(kubeconfig) - before:
                raise RehearsalError(f"a second apply changes {sorted(changed)}")
    with report.step("each pod is admitted under the restricted standard"):
        _kubectl(
            kubeconfig, "create", "serviceaccount", "default", "--namespace", _NAMESPACE
        )  # by a controller elsewhere
        for manifest, template in workloads(kustomized(_OVERLAY)):
            _admit(kubeconfig, manifest["metadata"]["name"], template["spec"])
        try:
            _admit(kubeconfig, "as-root", {"containers": [{"name": "service", "image": "meetings"}]})
        except RehearsalError as error:
            if "violates PodSecurity" not in str(error):
                raise
        else:
            raise RehearsalError("a pod that is not restricted is admitted")


def _versions(kubeconfig: Path) -> set[tuple[str, str, str]]:
    """Kind, name and version of each object; kubectl calls a budget "configured" even where its version stays."""
    held = json.loads(_kubectl(kubeconfig, "get", "--kustomize", _OVERLAY, "--output", "json"))["items"]
    return {(it["kind"], it["metadata"]["name"], it["metadata"]["resourceVersion"]) for it in held}


def _admit(kubeconfig: Path, name: str, spec: dict[str, object]) -> None:
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec}
    file = kubeconfig.with_name(f"{name}.json")
    file.write_text(json.dumps(pod), encoding="utf-8")
    _kubectl(kubeconfig, "create", "--namespace", _NAMESPACE, "--dry-run=server", "--filename", file)


def _kubectl(kubeconfig: Path, *arguments: str | Path) -> str:
    return run([_KUBECTL, "--kubeconfig", kubeconfig, *arguments])


if __name__ == "__main__":
    sys.exit(main())
