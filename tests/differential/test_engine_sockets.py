"""docker: and podman: are what `docker save` and `podman save` write, byte for byte, asked of the real engines."""

from __future__ import annotations

import hashlib
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import pytest
from test_receipts import all_receipts, run_all

import imagepeel
from dockerd import TIMEOUT, Dockerd, alone, lacks
from imagepeel.errors import FetchFailed, NotFound
from imagepeel.receipts.places import Receipts
from webserver import make_authority

pytestmark = pytest.mark.judge


class Engines(NamedTuple):
    top: Path
    docker: list[str]
    podman: list[str]
    identifier: str
    """The ID of shop:1.4, the same in both."""
    secure: str
    """Where Docker listens with TLS, for who has the certificate in `top / "tls"`."""


def run(command: list[str]) -> bytes:
    # With CONTAINER_HOST podman asks the socket, too.
    environment = {name: value for name, value in os.environ.items() if name != "CONTAINER_HOST"}
    return subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, timeout=TIMEOUT, check=True, env=environment
    ).stdout


@pytest.fixture(scope="module")
def engines(forge_archive, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engines]:
    if reason := lacks({"dockerd": "20.10", "podman": "4.3"}):
        pytest.skip(reason)
    with alone():
        tls = tmp_path_factory.mktemp("tls")
        authority, _ = make_authority(tls)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            secure = f"tcp://127.0.0.1:{probe.getsockname()[1]}"
        daemon = Dockerd(
            "--debug", "-H", secure, "--tlsverify", f"--tlscacert={authority}", f"--tlscert={tls}/server.pem",
            f"--tlskey={tls}/key.pem",
        )  # fmt: skip
        top = daemon.top
        shutil.copytree(tls, top / "tls")
        (top / "tls" / "cert.pem").write_bytes((tls / "server.pem").read_bytes())
        podman = ["podman", "--root", f"{top}/containers", "--runroot", f"{top}/run", "--storage-driver", "vfs",
                  "--cgroup-manager", "cgroupfs", "--events-backend", "file"]  # fmt: skip
        service = None
        try:
            for path in (forge_archive("shop"), forge_archive("hello")):
                run([*daemon.docker, "load", "-q", "-i", str(path)])
                run([*podman, "load", "-q", "-i", str(path)])
            for command in (daemon.docker, podman):
                for name in ("shop:latest", "shop:other", "reg.example:5000/a/b:x"):
                    run([*command, "tag", "shop:1.4", name])
            service = subprocess.Popen(
                [*podman, "--log-level=info", "system", "service", "-t", "0", f"unix://{top}/p"],
                stdin=subprocess.DEVNULL, stdout=daemon.log, stderr=daemon.log,
            )  # fmt: skip
            for _ in range(100):
                if os.path.exists(f"{top}/p"):
                    break
                time.sleep(0.1)
            identifier = run([*daemon.docker, "images", "-q", "--no-trunc", "shop:1.4"]).decode().split()[0]
            yield Engines(top, daemon.docker, podman, identifier, secure)
        finally:
            if service is not None:
                service.terminate()
                service.wait(20)
            daemon.close()


@pytest.fixture(autouse=True)
def environment(engines: Engines, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{engines.top}/s")
    monkeypatch.setenv("CONTAINER_HOST", f"unix://{engines.top}/p")


def saved(engines: Engines, engine: str, name: str) -> bytes:
    if engine == "podman":
        run([*engines.podman, "save", "-q", "-o", f"{engines.top}/saved.tar", name])
        data = (engines.top / "saved.tar").read_bytes()
        (engines.top / "saved.tar").unlink()
        return data
    return run([*engines.docker, "save", name])


@pytest.mark.parametrize("engine", ["docker", "docker-daemon", "podman"])
@pytest.mark.parametrize(
    ("name", "tags"),
    [
        ("shop:1.4", ["shop:1.4"]),
        ("shop", ["shop:latest"]),
        ("reg.example:5000/a/b:x", ["reg.example:5000/a/b:x"]),
        ("ID", []),
        ("HEX", []),
        ("SHORT", []),
    ],
)
def test_the_archive_is_the_saved_one(engine: str, name: str, tags: list[str], engines: Engines) -> None:
    hexadecimal = engines.identifier.partition(":")[2]
    name = {"ID": engines.identifier, "HEX": hexadecimal, "SHORT": hexadecimal[:12]}.get(name, name)
    with imagepeel.open(f"{engine}:{name}") as archive:
        assert archive.file is not None
        ours = hashlib.sha256(archive.file.pread(0, archive.file.size)).hexdigest()
        (image,) = archive.images()
        # podman gives names without a host this one.
        assert [tag.removeprefix("localhost/") for tag in image.record.tags] == tags
        assert archive.name == f"{engine}:{name}"
    # Without a tag docker save writes every tag of the name, and means none.
    asked = "shop:latest" if name == "shop" else name
    assert ours == hashlib.sha256(saved(engines, engine, asked)).hexdigest()


def test_a_digest_names_an_image_of_podman(engines: Engines) -> None:
    digest = run([*engines.podman, "images", "--digests", "--format", "{{.Digest}}", "shop:1.4"]).decode().split()[0]
    with imagepeel.open(f"podman:localhost/shop@{digest}") as archive:
        (image,) = archive.images()
        assert image.record.config_member == engines.identifier.partition(":")[2] + ".json"


@pytest.mark.parametrize("name", ["docker:shop", "docker:shop:1.4", "podman:shop:1.4"])
def test_receipts_are_true_of_what_their_first_line_saves(name: str, engines: Engines, tmp_path: Path) -> None:
    with imagepeel.open(name) as archive:
        (image,) = archive.images()
        line = Receipts(archive, image).copying()
    assert line is not None and line.startswith(f"{name.partition(':')[0]} save ")
    receipts = all_receipts(name)
    assert len(receipts) > 20 and all("image.tar" in one.command for one in receipts)
    tool = engines.docker if name.startswith("docker") else engines.podman
    run([*tool, *line.split()[1:-1], str(tmp_path / "image.tar")])
    assert run_all(receipts, tmp_path, tmp_path / "scratch") == []


@pytest.mark.parametrize("engine", ["docker", "podman"])
def test_an_image_that_the_engine_does_not_have(engine: str) -> None:
    with pytest.raises(NotFound, match=rf"^{engine} has no image nope/never:1: .*[nN]o.* image") as raised:
        imagepeel.open(f"{engine}:nope/never:1")
    assert f"{engine} pull nope/never:1" in raised.value.hint


@pytest.mark.parametrize("engine", ["docker", "podman"])
def test_a_second_survey_has_nothing_saved(engine: str, engines: Engines, tmp_path: Path) -> None:
    """The engine's own log says what it was asked; another image under the name is saved again."""
    tool = engines.docker if engine == "docker" else engines.podman
    run([*tool, "tag", "shop:1.4", "survey:1"])

    def saves() -> tuple[imagepeel.results.SurveyResult, int]:
        before = _saves(engines)
        with ThreadPoolExecutor(1) as executor:
            result = imagepeel.survey(f"{engine}:survey:1", out=tmp_path / "facts", form="jsonl", executor=executor)
        return result, _saves(engines) - before

    first, count = saves()
    assert (first.examined, first.failed, count) == (1, 0, 1)
    assert saves() == (first, 0)
    run([*tool, "tag", "hello:1", "survey:1"])
    other, count = saves()
    assert other.examined == 1 and count == 1 and other != first


def _saves(engines: Engines) -> int:
    log = (engines.top / "log").read_text(errors="replace")
    return log.count("GET /images/get?") + log.count("/get?format=docker-archive")


def test_docker_answers_where_podman_is_expected(engines: Engines, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONTAINER_HOST", f"unix://{engines.top}/s")
    with pytest.raises(FetchFailed, match="does not answer as podman does"):
        imagepeel.open("podman:shop:1.4")


def test_docker_with_tls_takes_who_has_a_certificate(engines: Engines, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", engines.secure)
    monkeypatch.setenv("DOCKER_TLS_VERIFY", "1")
    monkeypatch.setenv("DOCKER_CERT_PATH", str(engines.top / "tls"))
    with imagepeel.open("docker:shop:1.4") as archive:
        assert [image.record.tags for image in archive.images()] == [("shop:1.4",)]
    monkeypatch.setenv("DOCKER_CERT_PATH", str(engines.top))
    with pytest.raises(FetchFailed, match="cannot use the certificates in"):
        imagepeel.open("docker:shop:1.4")
    monkeypatch.delenv("DOCKER_TLS_VERIFY")
    with pytest.raises(FetchFailed, match=r"answers 400: Client sent an HTTP request to an HTTPS server"):
        imagepeel.open("docker:shop:1.4")


def _places(engines: Engines, top: Path) -> dict[str, str]:
    """Directories of certificates by what is in them: all, the authority alone, all but it, another authority, none."""
    tls = engines.top / "tls"
    for name in ("all", "ca", "client", "other", "none"):
        (top / name).mkdir()
    make_authority(top / "other")
    for folder, files in {"all": ("ca", "cert", "key"), "ca": ("ca",), "client": ("cert", "key"),
                          "other": ("cert", "key")}.items():  # fmt: skip
        for file in files:
            shutil.copy(tls / f"{file}.pem", top / folder / f"{file}.pem")
    return {name: str(top / name) for name in ("all", "ca", "client", "other", "none")}


def _asks(engines: Engines, top: Path) -> dict[str, dict[str, str]]:
    """Ways to say where Docker listens: by the environment, and by contexts that docker itself writes."""
    place, host = _places(engines, top), {"DOCKER_HOST": engines.secure}
    ways = {
        f"{name} {folder}": {**host, name: "1", "DOCKER_CERT_PATH": place[folder]}
        for name in ("DOCKER_TLS_VERIFY", "DOCKER_TLS")
        for folder in place
    }
    ways["no word of TLS"] = {**host, "DOCKER_CERT_PATH": place["all"]}
    ways["no address"] = {"DOCKER_TLS_VERIFY": "1", "DOCKER_CERT_PATH": place["all"]}
    config = {"DOCKER_CONFIG": str(top / "config")}
    for folder, files in {"all": ("ca", "cert", "key"), "ca": ("ca",), "client": ("cert", "key"),
                          "other": ("ca", "cert", "key"), "none": ()}.items():  # fmt: skip
        for skip in ("", ",skip-tls-verify=true"):
            name = f"{folder}{'-skip' if skip else ''}"
            spec = ",".join([f"host={engines.secure}", *(f"{file}={place[folder]}/{file}.pem" for file in files)])
            make = [engines.docker[0], "context", "create", name, "--docker", spec + skip]
            subprocess.run(make, env={**os.environ, **config}, capture_output=True, check=True)
            ways[f"context {name}"] = {**config, "DOCKER_CONTEXT": name}
    ways["context all, against the environment"] = {
        **ways["context all"], "DOCKER_TLS_VERIFY": "1", "DOCKER_CERT_PATH": place["none"]
    }  # fmt: skip
    return ways


def test_docker_is_reached_in_tls_where_its_own_command_reaches_it(
    engines: Engines, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the environment and by contexts, with all certificates and with some; the command of Docker is the judge."""
    names = ("DOCKER_HOST", "DOCKER_CONTEXT", "DOCKER_CONFIG", "DOCKER_TLS", "DOCKER_TLS_VERIFY", "DOCKER_CERT_PATH")
    theirs, ours, words = {}, {}, {}
    for way, environment in _asks(engines, tmp_path).items():
        for name in names:
            monkeypatch.delenv(name, raising=False)
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        done = subprocess.run([engines.docker[0], "image", "inspect", "shop:1.4"], capture_output=True, check=False)
        theirs[way] = done.returncode == 0
        try:
            with imagepeel.open("docker:shop:1.4") as archive:
                ours[way] = bool(archive.images())
        except FetchFailed as error:
            ours[way], words[way] = False, error.what
    assert ours == theirs
    assert sum(theirs.values()) == 8
    assert "is not trusted: unable to get local issuer certificate" in words["context client"]
    assert "ends the TLS connection: " in words["context ca"] and "certificate" in words["context ca"]
    assert "cannot use the certificates in" in words["DOCKER_TLS_VERIFY none"]
    assert "docker does not listen: tcp://localhost:2376" in words["no address"]


def test_a_user_outside_the_group_is_told_so(engines: Engines) -> None:
    os.chmod(engines.top, 0o711)
    os.chmod(engines.top / "s", 0o660)
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.setgroups([])
            os.setgid(65534)
            os.setuid(65534)
            imagepeel.open("docker:shop:1.4")
        except FetchFailed as error:
            os.write(writing, f"{error.what}\n{error.hint}".encode())
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        said = pipe.read()
    os.waitpid(child, 0)
    assert "is not for this user: Permission denied" in said and "group docker" in said, said
