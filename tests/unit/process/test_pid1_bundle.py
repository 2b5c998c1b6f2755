"""Process 1 and its signals, what the engine adds, and the bundle; expected values from the reference tables."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from fake_rootfs import FakeRootfs

import imagepeel
from imagepeel import forge
from imagepeel.errors import UsageError
from imagepeel.export.bundle import write_bundle
from imagepeel.forge import programs
from imagepeel.forge.elf import elf
from imagepeel.oci.config import ImageConfig
from imagepeel.process.bundle import runtime_spec
from imagepeel.process.engines.additions import hidden
from imagepeel.process.engines.argv import merge
from imagepeel.process.engines.capabilities import ALL_CAPABILITIES
from imagepeel.process.engines.pid1 import parse_signal, signal_name
from imagepeel.process.engines.podman import systemd_mode
from imagepeel.process.engines.registry import find_engine
from imagepeel.process.predict import predict
from imagepeel.process.spec.options import ProcessOptions
from imagepeel.process.spec.process_spec import ProcessSpec

REPORT = programs.report()
BASE = (forge.file("bin/report", REPORT, 0o755), forge.file("etc/passwd", "root:x:0:0:root:/root:/bin/sh\n"))


@pytest.mark.parametrize(
    ("word", "number"),
    [
        ("SIGTERM", 15), ("TERM", 15), ("sigquit", 3), ("9", 9), ("SIGRTMIN+3", 37), ("RTMAX-1", 63), ("RTMIN", 34),
        ("SIGWINCH", 28), ("0", None), ("65", None), ("SIGNOPE", None), ("", None), ("RTMIN+40", None), ("-1", None),
    ],
)  # fmt: skip
def test_signals_by_number_and_name(word: str, number: int | None) -> None:
    assert parse_signal(word) == number


def test_signal_names() -> None:
    assert [signal_name(number) for number in (15, 37, 34)] == ["SIGTERM", "SIGRTMIN+3", "SIGRTMIN"]


def one(on: str = "docker@28", **wanted: object) -> imagepeel.process.PidOne:  # type: ignore[name-defined]
    wanted.setdefault("entrypoint", ("/bin/report",))
    found = predict(FakeRootfs(BASE), ProcessSpec(architecture="amd64", **wanted), ProcessOptions(engine=on))  # type: ignore[arg-type]
    assert found.pid1 is not None
    return found.pid1


def test_stop_signal_per_engine() -> None:
    assert one(stop_signal="SIGINT").stop_signal == "SIGINT"
    assert one("containerd", stop_signal="SIGINT").stop_signal == "SIGTERM"
    assert one(stop_signal="SIGNOPE").stop_signal == "SIGTERM"
    assert "silently" in one(stop_signal="SIGNOPE").why
    assert "failed to parse stop signal" in one("k8s", stop_signal="SIGNOPE").why
    assert "refuses" in one("podman", stop_signal="SIGNOPE").why


def test_grace_per_engine() -> None:
    assert [one(on).grace_seconds for on in ("docker", "podman", "k8s", "containerd")] == [10, 10, 30, 0]
    assert one(stop_timeout=3).grace_seconds == 3
    assert one("k8s").seconds_to_stop == "0 to 30"


def test_unknown_programs_may_or_may_not_listen() -> None:
    assert one().hears_sigterm == "unknown"
    assert one().argv == ("/bin/report",)


def test_podman_takes_some_commands_for_an_init_system() -> None:
    assert systemd_mode(("/sbin/init",))
    assert systemd_mode(("/usr/lib/systemd/systemd", "--system"))
    assert systemd_mode(("/bin/sh", "-c", "/sbin/init"))
    assert not systemd_mode(("/bin/init",))
    assert not systemd_mode(())


def test_what_the_engine_hides() -> None:
    rootfs = FakeRootfs((*BASE, forge.file("dev/x", "1"), forge.file("proc/y", "2"), forge.file("run/z/a", "3"),
                         forge.file("etc/hosts", "1.2.3.4 x\n")))  # fmt: skip
    assert hidden(rootfs, "/run") == (2, ("/run/z", "/run/z/a"))
    assert hidden(rootfs, "/nope") == (0, ())
    wanted = ProcessSpec(entrypoint=("/bin/report",), volumes=("/data",), architecture="amd64")
    found = {(a.kind, a.path): a for a in predict(rootfs, wanted, ProcessOptions(engine="docker")).additions}
    assert found[("mount", "/dev")].hides == 1
    assert found[("mount", "/proc")].hides == 1
    assert ("mount", "/run") not in found
    assert found[("file", "/etc/hosts")].hides == 1
    assert "copied" in found[("volume", "/data")].what
    library = {(a.kind, a.path): a for a in predict(rootfs, wanted, ProcessOptions(engine="containerd")).additions}
    assert library[("mount", "/run")].hides == 2
    assert "ignored" in library[("volume", "/data")].what
    podman = {(a.kind, a.path) for a in predict(rootfs, wanted, ProcessOptions(engine="podman")).additions}
    assert ("file", "/run/.containerenv") in podman


def test_intent_notes() -> None:
    docker = find_engine("docker")[0]
    quoted = merge(ProcessSpec(entrypoint=("/bin/sh", "-c", "['a','b']")), ProcessOptions(), docker)
    assert any("single quotes" in note for note in quoted.notes)
    shell = merge(ProcessSpec(entrypoint=("/bin/sh", "-c", "app"), cmd=("x",)), ProcessOptions(), docker)
    assert any("$0, $1" in note for note in shell.notes)
    wrapped = merge(ProcessSpec(entrypoint=("/e",), cmd=("/bin/sh", "-c", "x")), ProcessOptions(), docker)
    assert any("as arguments" in note for note in wrapped.notes)
    loose = merge(ProcessSpec(entrypoint=("echo", "$HOME")), ProcessOptions(), docker)
    assert any("nobody expands" in note for note in loose.notes)


def test_null_and_absent_fields_are_equal() -> None:
    assert ProcessSpec.of(None) == ProcessSpec()
    assert ProcessSpec.of(ImageConfig()) == ProcessSpec()


def test_bundle_of_docker() -> None:
    wanted = ProcessSpec(entrypoint=("/bin/report",), env=("A=1",), labels={"l": "v"}, stop_signal="SIGINT",
                    exposed_ports=("80/tcp",), architecture="amd64")  # fmt: skip
    spec, prediction = runtime_spec(FakeRootfs(BASE), wanted, ProcessOptions(engine="docker@28", hostname="h"))
    process = spec["process"]
    assert process["args"] == list(prediction.argv)
    assert process["env"] == ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOSTNAME=h", "A=1"]
    assert process["user"] == {"uid": 0, "gid": 0, "additionalGids": [0]}
    assert len(process["capabilities"]["bounding"]) == 14
    assert not process["noNewPrivileges"]
    assert spec["annotations"]["l"] == "v"
    assert spec["annotations"]["org.opencontainers.image.stopSignal"] == "SIGINT"
    assert spec["annotations"]["org.opencontainers.image.exposedPorts"] == "80/tcp"
    assert {mount["destination"] for mount in spec["mounts"]} >= {"/proc", "/dev", "/sys", "/dev/shm"}
    json.dumps(spec)


def test_bundle_follows_the_options() -> None:
    wanted = ProcessSpec(entrypoint=("/bin/report",), architecture="amd64")
    options = ProcessOptions(engine="podman", cap_drop=("ALL",), no_new_privileges=True, workdir="/w", tty=True)
    process = runtime_spec(FakeRootfs(BASE), wanted, options)[0]["process"]
    assert process["capabilities"]["bounding"] == []
    assert process["noNewPrivileges"]
    assert process["cwd"] == "/w"
    assert process["terminal"]
    assert "TERM=xterm" in process["env"]
    everything = ProcessOptions(engine="docker", cap_add=("ALL",))
    bounding = runtime_spec(FakeRootfs(BASE), wanted, everything)[0]["process"]["capabilities"]["bounding"]
    assert len(bounding) == len(ALL_CAPABILITIES)


def test_no_bundle_where_the_engine_refuses() -> None:
    with pytest.raises(UsageError):
        runtime_spec(FakeRootfs(BASE), ProcessSpec(entrypoint=("/bin/report",), user="ghost"), ProcessOptions())
    with pytest.raises(UsageError):
        runtime_spec(FakeRootfs(BASE), ProcessSpec(), ProcessOptions())


def test_writing_a_bundle(tmp_path: Path) -> None:
    path = tmp_path / "i.tar"
    forge.write(forge.image(forge.layer(*BASE), entrypoint=["/bin/report"]), path, kind="oci-archive")
    seen = []
    with imagepeel.open(path) as archive:
        image = archive.image()
        written = write_bundle(image, tmp_path / "b", unpack=lambda rootfs, where: seen.append((rootfs, where)))
        assert json.loads((tmp_path / "b" / "config.json").read_text()) == written.config
        assert written.rootfs
        assert seen == [(image.rootfs, tmp_path / "b" / "rootfs")]
        with pytest.raises(UsageError):
            write_bundle(image, tmp_path / "b")
        with pytest.raises(UsageError):
            write_bundle(image, path)
        with pytest.raises(UsageError):
            write_bundle(image, tmp_path / "c", ProcessOptions(user="ghost"))
        assert not (tmp_path / "c").exists()

        def broken(rootfs: object, where: Path) -> None:
            raise OSError("no space")

        with pytest.raises(OSError, match="no space"):
            write_bundle(image, tmp_path / "d", unpack=broken)
        assert not (tmp_path / "d").exists()


@pytest.mark.parametrize(("needed", "hears"), [(["libc.so.6"], "unknown"), (["libevent.so.2", "libc.so.6"], "yes")])
def test_a_servers_name_alone_does_not_make_it_listen(needed: list[str], hears: str) -> None:
    # The program itself asks for no sigaction; only a library that it brings along could.
    loader = "/lib64/ld-linux-x86-64.so.2"
    entries = (
        *BASE,
        forge.file("bin/redis-server", elf(interpreter=loader, needed=needed), 0o755),
        forge.file(loader[1:], programs.report(), 0o755),
        forge.file("lib/libc.so.6", elf(soname="libc.so.6"), 0o755),
        forge.file("lib/libevent.so.2", elf(soname="libevent.so.2"), 0o755),
    )
    wanted = ProcessSpec(architecture="amd64", entrypoint=("/bin/redis-server",))
    found = predict(FakeRootfs(entries), wanted, ProcessOptions(engine="docker@28"))
    assert found.pid1 is not None
    assert found.pid1.hears_sigterm == hears
    assert found.pid1.seconds_to_stop == "0 to 10"
