"""Can it be watched, looked into and trusted on the network: health checks, a shell, certificates."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from typing import TYPE_CHECKING

from imagepeel._lazy import late
from imagepeel.errors import ImagepeelError
from imagepeel.evidence import step_number, text
from imagepeel.findings.finding import Finding
from imagepeel.findings.programs import find_program
from imagepeel.findings.rule import Rule, rule
from imagepeel.process.spec.failure import FailureCode
from imagepeel.text import listed

if TYPE_CHECKING:
    from imagepeel.findings.subject import Subject

_SHELLS = (
    "/bin/sh",
    "/bin/bash",
    "/bin/busybox",
    "/bin/ash",
    "/bin/dash",
    "/busybox/sh",
    "/usr/bin/bash",
    "/usr/bin/sh",
)
_PYTHON = late(r"/(python3\.\d{1,3})\Z")
_BUNDLES = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/pki/tls/cacert.pem",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/ssl/cert.pem",
    "/etc/ssl/certs",
    "/etc/pki/tls/certs",
    "/usr/local/share/certs",
)
"""Where Go, curl and OpenSSL look for certificates (crypto/x509/root_linux.go)."""
_BUILTINS = frozenset(
    [
        ".",
        ":",
        "[",
        "cd",
        "command",
        "echo",
        "eval",
        "exec",
        "exit",
        "export",
        "false",
        "kill",
        "printf",
        "pwd",
        "read",
        "set",
        "test",
        "true",
        "type",
        "wait",
    ]
)
_MOST_SEARCHED = 64 * 1024 * 1024


@rule(
    "HEALTHCHECK-LOST",
    "HEALTHCHECK is in history and not in the config",
    "low",
    "friends",
    "monitoring",
    why="""The OCI format has no health check: buildah and podman drop it unless told to write Docker's format, and
    conversions lose it without a word.  Kubernetes ignores it in any case.""",
    fix="build with --format docker, or declare probes where the container runs",
    codes="W54",
    sources="containers/buildah#2388, podman#25454, podman#18904",
)
def healthcheck_lost(rule: Rule, subject: Subject) -> Iterator[Finding]:
    step = next((s for s in reversed(subject.instructions) if s.keyword == "HEALTHCHECK"), None)
    if step is None or subject.run.healthcheck is not None or step.text.strip().strip("[]\"' ").upper() == "NONE":
        return
    yield rule.report(
        f"history step {step_number(step.step or 0)} sets HEALTHCHECK, the config has none",
        subject.pointer(f"/history/{step.step}/created_by", step.step),
        subject.pointer("/config"),
    )


@rule(
    "HEALTHCHECK-CANNOT-RUN",
    "The health check needs a program that is not there",
    "medium",
    "friends",
    "monitoring",
    why="""The check runs inside the container, as its user and with its PATH.  Without curl, wget or a shell it fails
    every time, and a container that works is called unhealthy and may be restarted for ever.""",
    fix="install the tool, or let the program check itself",
    codes="W55",
    sources="docs.docker.com HEALTHCHECK",
)
def healthcheck_cannot_run(rule: Rule, subject: Subject) -> Iterator[Finding]:
    check = subject.run.healthcheck
    if check is None or not subject.starts or not check.test or subject.failed(FailureCode.USER_UNKNOWN):
        return
    kind, words = check.test[0], list(check.test[1:])
    if kind == "CMD-SHELL":
        shell = (subject.run.shell or ("/bin/sh", "-c"))[0]
        if find_program(subject, shell) is None:
            yield rule.report(
                f"the health check is run by {shell}, which the image does not have",
                subject.pointer("/config/Healthcheck/Test"),
            )
            return
        words = _first_words(" ".join(words))
    elif kind != "CMD":
        return
    if words and find_program(subject, words[0]) is None:
        yield rule.report(
            f"the health check starts {words[0]}, which the image does not have for this user",
            subject.pointer("/config/Healthcheck/Test"),
        )


def _first_words(line: str) -> list[str]:
    """The first command of a shell line where it is plain; [] where the text proves nothing."""
    words = line.split()
    while words and "=" in words[0] and not words[0].startswith(("/", "$")):
        words = words[1:]
    if not words or any(char in words[0] for char in "$`(){}[]<>|&;'\"\\!*?") or words[0] in _BUILTINS:
        return []
    if words[0] in ("if", "while", "until", "for", "case"):
        return []
    return words


@rule(
    "NO-HEALTHCHECK",
    "A server without a health check",
    "info",
    "friends",
    "monitoring",
    why="""The image exposes a port and has no HEALTHCHECK.  That the process runs does not mean that it works: without
    a check or a probe nobody notices.""",
    fix="add HEALTHCHECK, or probes where the container runs",
    codes="W56",
    sources="docs.docker.com HEALTHCHECK",
    decides="what healthy means, and who asks: the engine or the orchestrator",
)
def no_healthcheck(rule: Rule, subject: Subject) -> Iterator[Finding]:
    check = subject.run.healthcheck
    lost = any(step.keyword == "HEALTHCHECK" for step in subject.instructions)
    if subject.run.exposed_ports and subject.argv and not lost and (check is None or not check.test):
        yield rule.report(
            f"{listed(subject.run.exposed_ports)} exposed, and no HEALTHCHECK says whether it answers",
            subject.pointer("/config/ExposedPorts"),
        )


@rule(
    "NO-SHELL-INSIDE",
    "There is nothing to look around with",
    "info",
    "friends",
    "operations",
    why="""No shell and no busybox: `docker exec IMAGE sh` has nothing to execute.  Good against intruders, and a
    surprise in the night of an incident.  docker debug needs no subscription since Docker Desktop 4.48.""",
    fix="kubectl debug or docker debug bring their own tools",
    codes="W57",
    sources="docker/for-linux#963, docker/docs#23564",
    decides="how people look into a running container",
)
def no_shell_inside(rule: Rule, subject: Subject) -> Iterator[Finding]:
    if not subject.starts or not subject.argv or subject.failures:
        return
    if not any(subject.node(path) is not None for path in _SHELLS):
        yield rule.report("the image has no shell: `docker exec` has nothing to execute", subject.command_place())


@rule(
    "NO-CERTIFICATES",
    "A program that speaks TLS, and no CA certificates",
    "medium",
    "friends",
    "networking",
    why="""The program contains certificate verification, and none of the places where it looks for root certificates
    exists.  The first HTTPS request ends in "certificate signed by unknown authority".""",
    fix="copy /etc/ssl/certs/ca-certificates.crt into the image, or embed roots",
    codes="W58",
    sources="kyma#3029, filebrowser#478, s3www#7, golang/go crypto/x509/root_linux.go",
    dockerfile=("COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/",),
)
def no_certificates(rule: Rule, subject: Subject) -> Iterator[Finding]:
    if not subject.starts or any(_holds(subject, path) for path in _BUNDLES):
        return
    start = subject.prediction()
    if start.verdict.kind == "FAILS":
        return
    path = start.pid1.path if start.pid1 is not None and start.pid1.path else start.path
    if path is None:
        return
    env = start.environment
    if "SSL_CERT_FILE" in env or "SSL_CERT_DIR" in env:
        return
    library = next((lib.name for lib in start.libraries if lib.name.startswith(("libssl.so", "libgnutls.so"))), None)
    if library is None and (module := _module_of_python(subject, path)):
        library = module
    if library is None and not _contains(subject, path, b"crypto/x509.(*Certificate).Verify"):
        return
    why = f"it loads {library}" if library else "it contains Go's crypto/x509"
    yield rule.report(
        f"{path} can verify certificates ({why}), and the image has no CA certificates",
        subject.place(path),
        subject.command_place(),
        # A server links a TLS library for its own certificate; Go names the verification in the program itself.
        severity="low" if library else rule.severity,
    )


def _holds(subject: Subject, path: str) -> bool:
    """Whether there is a file, or a directory that is not empty."""
    node = subject.node(path)
    return node is not None and (not node.is_dir or any(True for _ in subject.rootfs.names(path)))


def _module_of_python(subject: Subject, path: str) -> str:
    """The module with which a Python of the image speaks TLS; "" where it has none, or certifi has the certificates."""
    real = text(subject.rootfs.resolve(path).path)
    version = _PYTHON.search(real)
    if version is None:
        return ""
    top = f"{posixpath.dirname(posixpath.dirname(real)).rstrip('/')}/lib/{version[1]}"
    own = [f"{top}/{packages}" for packages in ("site-packages", "dist-packages")]
    for packages in (*own, "/usr/lib/python3/dist-packages"):
        if subject.node(f"{packages}/certifi/cacert.pem") is not None:
            return ""
    modules = f"{top}/lib-dynload"
    if subject.node(modules) is None:
        return ""
    return next((text(name) for name in subject.rootfs.names(modules) if name.startswith(b"_ssl.")), "")


def _contains(subject: Subject, path: str, needle: bytes) -> bool:
    """Whether a file of the image holds these bytes; at most 64 MiB are read."""
    node = subject.node(path)
    if node is None or not node.is_file:
        return False
    try:
        file = subject.rootfs.open(node)
        last, at = b"", 0
        while at < min(file.size, _MOST_SEARCHED):
            piece = file.pread(at, 1024 * 1024)
            if not piece:
                return False
            if needle in last + piece:
                return True
            last, at = piece[-len(needle) :], at + len(piece)
    except ImagepeelError:
        return False
    return False


RULES: tuple[Rule, ...] = (
    healthcheck_lost,
    healthcheck_cannot_run,
    no_healthcheck,
    no_shell_inside,
    no_certificates,
)
