"""A real kube-apiserver with the Prometheus operator's CRD, which judges our objects by a server-side dry run.

    python -m tests.rules.apiserver

builds etcd and kube-apiserver with Go (20 minutes beside other work, 185 MB) into .cache, and then sends every kind of
rendered PrometheusRule. Nothing needs it: where it is missing the test that would use it is skipped, and says so.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import requests
import urllib3

from tests.rules import prometheusrules

FOLDER = Path(__file__).parents[2] / ".cache" / "apiserver"
ETCD, ETCD_VERSION = "go.etcd.io/etcd/server/v3", "v3.6.4"
KUBERNETES, VERSION = "k8s.io/kubernetes", "1.34.2"
STAGING = (
    *("api", "apiextensions-apiserver", "apimachinery", "apiserver", "cli-runtime", "client-go", "cloud-provider"),
    *("cluster-bootstrap", "code-generator", "component-base", "component-helpers", "controller-manager", "cri-api"),
    *("cri-client", "csi-translation-lib", "dynamic-resource-allocation", "endpointslice", "externaljwt", "kms"),
    *("kube-aggregator", "kube-controller-manager", "kube-proxy", "kube-scheduler", "kubectl", "kubelet", "metrics"),
    *("mount-utils", "pod-security-admission", "sample-apiserver"),
)
OPERATOR, OPERATOR_VERSION = "github.com/prometheus-operator/prometheus-operator", "v0.80.1"
CRD = "example/prometheus-operator-crd/monitoring.coreos.com_prometheusrules.yaml"
PROGRAMS = ("etcd", "kube-apiserver")
TOKEN = "trial"
BUILD_S, START_S = 2700.0, 60.0


def lacks() -> str | None:
    """Return why there is no server here; None: it can be started."""
    if all((FOLDER / name).exists() for name in (*PROGRAMS, "crd.yaml")):
        return None
    if shutil.which("go") is None:
        return "kube-apiserver is not here, and no Go to build it"
    return "kube-apiserver is not built: `make apiserver` does it with the Go that is here"


def build() -> None:
    """Build both programs and fetch the CRD into FOLDER."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    staged = [f"k8s.io/{one}=k8s.io/{one}@v0.{VERSION.partition('.')[2]}" for one in STAGING]
    edits = ["mod", "edit", "-require", f"{KUBERNETES}@v{VERSION}", *(f"-replace={one}" for one in staged)]
    with tempfile.TemporaryDirectory(prefix="build-", dir=FOLDER) as name:
        folder = Path(name)
        downloaded = json.loads(_go(folder, ["mod", "download", "-json", f"{OPERATOR}@{OPERATOR_VERSION}"]))
        shutil.copyfile(Path(downloaded["Dir"]) / CRD, folder / "crd.yaml")
        for program, words in (
            ("etcd", [["get", f"{ETCD}@{ETCD_VERSION}"], ["build", "-o", "etcd", ETCD]]),
            (
                "kube-apiserver",
                [edits, ["get", f"{KUBERNETES}/cmd/kube-apiserver@v{VERSION}"], _linked("kube-apiserver")],
            ),
        ):
            module = folder / f"wrapper-{program}"
            module.mkdir()
            for step in (["mod", "init", "wrapper"], *words):
                print("go", *step[:2], program, flush=True)
                _go(module, step)
            (module / program).replace(FOLDER / program)
        (folder / "crd.yaml").chmod(0o644)
        (folder / "crd.yaml").replace(FOLDER / "crd.yaml")


def _linked(program: str) -> list[str]:
    version = f"-X k8s.io/component-base/version.gitVersion=v{VERSION}"
    return ["build", "-o", program, "-ldflags", version, f"{KUBERNETES}/cmd/{program}"]


def _go(folder: Path, words: list[str]) -> str:
    environment = {**os.environ, "GOFLAGS": "-mod=mod", "GOTOOLCHAIN": "local"}
    done = subprocess.run(
        ["go", *words], cwd=folder, env=environment, check=True, capture_output=True, text=True, timeout=BUILD_S
    )
    return done.stdout


@dataclass(frozen=True, slots=True)
class Server:
    """A running server; every answer is bounded in time."""

    url: str

    def send(self, path: str, document: str, **query: str) -> requests.Response:
        """Create what `document`, YAML, holds."""
        return self._ask("POST", path, data=document.encode(), params=query)

    def get(self, path: str) -> requests.Response:
        """Return what stands at `path`."""
        return self._ask("GET", path)

    def _ask(self, method: str, path: str, **more: object) -> requests.Response:
        headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/yaml"}
        with warnings.catch_warnings():
            # Its certificate is its own, made a moment ago.
            warnings.simplefilter("ignore", urllib3.exceptions.InsecureRequestWarning)
            return requests.request(method, f"{self.url}{path}", headers=headers, verify=False, timeout=30, **more)  # noqa: S501

    def dry_run(self, document: str, namespace: str = "default") -> requests.Response:
        """Return what the server says of a PrometheusRule; nothing is kept, unknown keys are refused."""
        path = f"/apis/monitoring.coreos.com/v1/namespaces/{namespace}/prometheusrules"
        return self.send(path, document, dryRun="All", fieldValidation="Strict")


@contextmanager
def started() -> Iterator[Server]:
    """Give a server that knows PrometheusRule; it ends with the block."""
    with tempfile.TemporaryDirectory(prefix="llmslo-apiserver-") as name:
        folder = Path(name)
        client, peer, secure = _ports(3)
        subprocess.run(["openssl", "genrsa", "-out", folder / "sa.key", "2048"], check=True, capture_output=True)
        (folder / "tokens.csv").write_text(f"{TOKEN},admin,1,system:masters\n")
        etcd = [
            *(FOLDER / "etcd", "--data-dir", folder / "etcd", "--unsafe-no-fsync"),
            *("--listen-client-urls", f"http://127.0.0.1:{client}"),
            *("--advertise-client-urls", f"http://127.0.0.1:{client}"),
            *("--listen-peer-urls", f"http://127.0.0.1:{peer}"),
            *("--initial-advertise-peer-urls", f"http://127.0.0.1:{peer}"),
            *("--initial-cluster", f"default=http://127.0.0.1:{peer}"),
        ]
        server = [
            *(FOLDER / "kube-apiserver", f"--etcd-servers=http://127.0.0.1:{client}", f"--secure-port={secure}"),
            *("--bind-address=127.0.0.1", f"--cert-dir={folder / 'certs'}", "--service-cluster-ip-range=10.0.0.0/24"),
            *("--service-account-issuer=https://kubernetes.default.svc", "--authorization-mode=RBAC"),
            *(f"--service-account-key-file={folder / 'sa.key'}", f"--token-auth-file={folder / 'tokens.csv'}"),
            *(f"--service-account-signing-key-file={folder / 'sa.key'}", "--disable-admission-plugins=ServiceAccount"),
        ]
        with (folder / "log").open("wb") as log, _running(etcd, log), _running(server, log) as process:
            found = Server(f"https://127.0.0.1:{secure}")
            kinds = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
            _wait(found, "/readyz", process, folder / "log")
            said = found.send(kinds, (FOLDER / "crd.yaml").read_text())
            said.raise_for_status()
            _wait(found, "/apis/monitoring.coreos.com/v1/prometheusrules", process, folder / "log")
            _wait(found, "/api/v1/namespaces/default", process, folder / "log")
            yield found


def _ports(count: int) -> list[int]:
    """Return free ports; they are let go together, so that none comes twice."""
    with tempfile.TemporaryDirectory():
        sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
        found = [one.getsockname()[1] for one in sockets]
        for one in sockets:
            one.close()
        return found


@contextmanager
def _running(command: list[object], log: object) -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen([*map(str, command)], stdout=log, stderr=log) as process:  # type: ignore[call-overload]
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()


def _wait(server: Server, path: str, process: subprocess.Popen[bytes], log: Path) -> None:
    until = time.monotonic() + START_S
    while time.monotonic() < until and process.poll() is None:
        try:
            if server.get(path).status_code == requests.codes.ok:
                return
        except requests.ConnectionError:
            pass
        time.sleep(0.2)
    msg = f"{path} was not there within {START_S:g} s: {log.read_text(errors='replace')[-2000:]}"
    raise TimeoutError(msg)


def main() -> int:
    """Build what is missing and send it rules; return 1 where one is refused or nothing can be built."""
    if lacks() is not None:
        if shutil.which("go") is None:
            print("no `go` in PATH: kube-apiserver is built with it", file=sys.stderr)
            return 1
        began = time.monotonic()
        try:
            build()
        except (OSError, subprocess.SubprocessError) as error:
            said = (getattr(error, "stderr", None) or "").strip().splitlines()[-5:]
            print("\n".join([f"kube-apiserver was not built: {error}", *said]), file=sys.stderr)
            return 1
        print(f"built in {time.monotonic() - began:.0f} s: {FOLDER}")
    refused = 0
    with started() as server:
        for path, text in prometheusrules.objects().items():
            answer = server.dry_run(text)
            refused += not answer.ok
            print(path, answer.status_code, "" if answer.ok else answer.json().get("message", ""))
    return 1 if refused else 0


if __name__ == "__main__":
    sys.exit(main())
