"""What engines of named versions do with one image; every expected value was measured on the real engine."""

from __future__ import annotations

import pytest
from fake_rootfs import FakeRootfs

from imagepeel import forge
from imagepeel.errors import UsageError
from imagepeel.forge import programs
from imagepeel.oci.config import ImageConfig, RunConfig
from imagepeel.process.engines.registry import ENGINES, find_engine, find_runtime
from imagepeel.process.matrix import matrix
from imagepeel.process.predict import predict
from imagepeel.process.spec.options import ProcessOptions
from imagepeel.process.spec.process_spec import ProcessSpec
from imagepeel.process.spec.values import Prediction

REPORT = programs.report()
PASSWD = "root:x:0:0:root:/root:/bin/sh\napp:x:1234:1234::/home/app:/bin/sh\n"
GROUP = "root:x:0:\napp:x:1234:\nextra:x:5555:app\nmore:x:6666:app\n"
BASE = (
    forge.file("bin/report", REPORT, 0o755),
    forge.file("etc/passwd", PASSWD),
    forge.file("etc/group", GROUP),
)
MEASURED = ("docker@20.10", "docker@28", "podman@4.3", "podman@5.8", "containerd@1.6")


def start(on: str, *entries: forge.Entry, options: ProcessOptions | None = None, **wanted: object) -> Prediction:
    wanted.setdefault("entrypoint", ("/bin/report",))
    config = ProcessSpec(architecture="amd64", **wanted)  # type: ignore[arg-type]
    if options is None:
        options = ProcessOptions(engine=on)
    return predict(FakeRootfs((*BASE, *entries)), config, options)


CAUSES = {
    "path missing": ({"entrypoint": ("/nope",)}, (), (127, 127, 127, 127, 1)),
    "dangling link": ({"entrypoint": ("/l",)}, (forge.symlink("l", "/gone"),), (127, 127, 127, 127, 1)),
    "not in PATH": ({"entrypoint": ("nope",)}, (), (127, 127, 127, 127, 1)),
    "empty argv[0]": ({"cmd": ("", "x"), "entrypoint": ()}, (), (127, 127, 127, 127, 1)),
    "a b as one word": ({"entrypoint": ("report a",)}, (), (127, 127, 127, 127, 1)),
    "not executable": ({"entrypoint": ("/e",)}, (forge.file("e", REPORT, 0o644),), (126, 126, 126, 126, 1)),
    "a directory": ({"entrypoint": ("/bin",)}, (), (126, 126, 126, 126, 1)),
    "symlink loop": ({"entrypoint": ("/l",)}, (forge.symlink("l", "l"),), (125, 125, 126, 126, 1)),
    "CRLF": ({"entrypoint": ("/e",)}, (forge.file("e", "#!/bin/report\r\n", 0o755),), (1, 255, 1, 1, 1)),
    "interpreter missing": ({"entrypoint": ("/e",)}, (forge.file("e", "#!/bin/x\n", 0o755),), (1, 255, 1, 1, 1)),
    "wrong architecture": (
        {"entrypoint": ("/e",)},
        (forge.file("e", programs.report(architecture="arm64"), 0o755),),
        (1, 255, 1, 1, 1),
    ),
    "no shebang": ({"entrypoint": ("/e",)}, (forge.file("e", "echo\n", 0o755),), (1, 255, 1, 1, 1)),
    "too many scripts": ({"entrypoint": ("/e",)}, (forge.file("e", "#!/e\n", 0o755),), (1, 255, 1, 1, 1)),
    "unknown user": ({"user": "nosuch"}, (), (125, 125, 126, 126, 1)),
    "unknown group": ({"user": "app:nosuch"}, (), (125, 125, 126, 126, 1)),
    "uid out of range": ({"user": "2147483648"}, (), (125, 125, 126, 126, 1)),
    "workdir is a file": ({"working_dir": "/etc/passwd"}, (), (125, 125, 126, 126, 1)),
    "PATH with an empty element": (
        {"env": ("PATH=:/x",), "working_dir": "/bin", "entrypoint": ("report",)},
        (),
        (125, 125, 126, 0, 1),
    ),
}


@pytest.mark.parametrize("cause", CAUSES)
def test_exit_codes_per_engine(cause: str) -> None:
    wanted, entries, codes = CAUSES[cause]
    found = []
    for on in MEASURED:
        verdict = start(on, *entries, **wanted).verdict
        found.append(0 if verdict.kind == "RUNS" else verdict.exit_code)
    assert tuple(found) == codes


GROUPS = {
    "app": ((1234, 5555, 6666), (1234, 5555, 6666), (1234, 5555, 6666), (1234, 5555, 6666), (1234, 5555, 6666)),
    "app:extra": ((5555,), (5555,), (5555,), (5555,), (5555, 6666)),
    "": ((0,), (0,), (), (), (0,)),
}


@pytest.mark.parametrize("spec", GROUPS)
def test_supplementary_groups_per_engine(spec: str) -> None:
    assert tuple(start(on, user=spec).user.groups for on in MEASURED) == GROUPS[spec]


def test_kubernetes_drops_the_group_of_user() -> None:
    assert start("k8s", user="app:extra").user.gid == 1234
    assert start("k8s", user="2000:2000").user.gid == 0
    assert start("docker@28", user="2000:2000").user.gid == 2000
    assert start("k8s", user="app:ghost").verdict.kind == "RUNS"


@pytest.mark.parametrize(
    ("user", "message"),
    [
        (
            "app",
            "container has runAsNonRoot and image has non-numeric user (app), cannot verify user is non-root",
        ),
        ("", "container has runAsNonRoot and image will run as root"),
        ("0", "container has runAsNonRoot and image will run as root"),
    ],
)
def test_run_as_non_root_reads_only_the_config(user: str, message: str) -> None:
    verdict = start("k8s", options=ProcessOptions(engine="k8s", run_as_non_root=True), user=user).verdict
    assert (verdict.kind, verdict.id, verdict.message) == ("FAILS", "F39", message)
    assert verdict.exit_code is None
    numeric = start("k8s", options=ProcessOptions(engine="k8s", run_as_non_root=True), user="1234").verdict
    assert numeric.kind == "RUNS"


def test_environment_defaults_per_engine() -> None:
    def names(on: str, **wanted: object) -> list[str]:
        return [variable.name for variable in start(on, **wanted).env]

    assert names("docker@28") == ["PATH", "HOSTNAME", "HOME"]
    assert names("docker@28", env=("A=1",)) == ["PATH", "HOSTNAME", "A", "HOME"]
    assert names("containerd@1.6", env=("A=1",)) == ["A", "HOME"]
    assert names("containerd@1.6") == ["PATH", "HOME"]
    assert set(names("podman@4.3")) == {"PATH", "container", "HOSTNAME", "HOME", "TERM"}
    assert set(names("podman@5.8")) == {"PATH", "container", "HOSTNAME", "HOME"}


def test_a_bare_name_without_path_in_the_image_fails_on_containerd_only() -> None:
    wanted = {"env": ("A=b",), "entrypoint": ("report",)}
    assert start("docker@28", **wanted).verdict.kind == "RUNS"
    assert start("containerd@2", **wanted).verdict.id == "F12"


def test_capabilities_per_engine() -> None:
    assert len(start("docker@28").user.bounding) == 14
    assert len(start("podman@5.8").user.bounding) == 11
    assert len(start("docker@28", user="app").user.effective) == 14
    assert len(start("containerd@1.6", user="app").user.effective) == 14
    for on in ("docker@20.10", "docker@23", "podman@4.3", "podman@5.8"):
        assert start(on, user="app").user.effective == ()
    assert start("containerd@1.6").user.no_new_privileges
    assert not start("docker@28").user.no_new_privileges


def test_a_root_only_program_runs_where_capabilities_stay_until_execve() -> None:
    closed = forge.file("e", REPORT, 0o700)
    kinds = {on: start(on, closed, entrypoint=("/e",), user="app").verdict for on in (*MEASURED, "docker@24", "k8s")}
    assert {on for on, verdict in kinds.items() if verdict.kind == "RUNS"} == {
        "docker@28", "docker@24", "containerd@1.6", "k8s",
    }  # fmt: skip
    assert {kinds[on].exit_code for on in ("docker@20.10", "podman@4.3")} == {126}
    assert kinds["podman@5.8"].exit_code == 1


def test_entrypoint_override_discards_cmd_and_kubernetes_args_keep_the_entrypoint() -> None:
    wanted = {"entrypoint": ("/bin/report", "e"), "cmd": ("c",)}
    override = ProcessOptions(engine="docker@28", entrypoint=("/bin/report",))
    assert start("docker@28", options=override, **wanted).argv == ("/bin/report",)
    arguments = ProcessOptions(engine="k8s", args=("x",))
    assert start("k8s", options=arguments, **wanted).argv == ("/bin/report", "e", "x")


def test_init_is_put_in_front() -> None:
    found = start("docker@28", options=ProcessOptions(engine="docker@28", init=True))
    assert found.argv == ("/sbin/docker-init", "--", "/bin/report")
    podman = start("podman", options=ProcessOptions(engine="podman", init=True))
    assert podman.argv[:2] == ("/run/podman-init", "--")


def test_nothing_to_run() -> None:
    for on, message in (
        ("docker@20.10", "No command specified"),
        ("docker@28", "no command specified"),
        ("podman@4.3", "no command or entrypoint provided, and no CMD or ENTRYPOINT from image"),
    ):
        verdict = start(on, entrypoint=()).verdict
        assert (verdict.id, verdict.judge, verdict.exit_code, verdict.message) == ("F9", "J1", 125, message)


def test_incomplete_layers_prove_nothing() -> None:
    found = predict(FakeRootfs(BASE), ProcessSpec(entrypoint=("/nope",)), ProcessOptions(), complete=False)
    assert found.verdict.kind == "UNKNOWN"


def test_other_systems_and_unknown_architectures_are_unknown() -> None:
    assert start("docker", os="windows").verdict.kind == "UNKNOWN"
    config = ProcessSpec(architecture="vax", entrypoint=("/bin/report",))
    assert predict(FakeRootfs(BASE), config, ProcessOptions()).verdict.kind == "UNKNOWN"
    with pytest.raises(UsageError, match="no architecture 'vax'"):
        start("docker", options=ProcessOptions(host_arch="vax"))


def test_the_host_architecture_decides() -> None:
    found = start("docker", options=ProcessOptions(host_arch="arm64"))
    assert found.verdict.id == "F23"
    assert "amd64" in found.verdict.why
    assert any("binfmt" in fact for fact in found.verdict.depends)


def test_engine_names_and_versions() -> None:
    assert find_engine("docker")[1] == "docker@29.7"
    assert find_engine("docker@20.10.24")[0].version == (20, 10)
    assert find_engine("docker@26.1")[0].version == (24,)
    assert find_engine("docker@1")[0].version == (20, 10)
    assert find_engine("ctr@1.6")[0].name == "containerd"
    assert find_engine("kubernetes")[0].name == "k8s"
    assert find_runtime("runc@1.1.5").exec_exit == 1
    assert find_runtime("runc@1.2.0").exec_exit == 255
    for wrong in ("rocket", "docker@", "docker@x"):
        if wrong == "docker@":
            continue
        with pytest.raises(UsageError):
            find_engine(wrong)
    with pytest.raises(UsageError):
        find_runtime("youki")
    with pytest.raises(UsageError):
        start("docker", options=ProcessOptions(cap_drop=("FLY",)))


def test_labels_are_unique() -> None:
    labels = [known.label for known in ENGINES]
    assert len(labels) == len(set(labels))


def test_the_matrix_has_a_verdict_a_cell() -> None:
    found = matrix(FakeRootfs(BASE), ProcessSpec(entrypoint=("/bin/report",), architecture="amd64"))
    assert len(found.cells) == len(found.engines) * len(found.architectures)
    assert {cell.verdict.kind for cell in found.cells if cell.architecture == "amd64"} == {"RUNS"}
    assert {cell.verdict.id for cell in found.cells if cell.architecture == "arm64"} == {"F23"}
    assert not found.agree
    assert len(found.row("docker@29.7")) == len(found.architectures)


def test_the_engines_init_stays_process_one_and_words_what_it_cannot_start() -> None:
    options = ProcessOptions(engine="docker@28", init=True)
    good = start("docker@28", options=options)
    assert good.verdict.kind == "RUNS"
    assert good.pid1 is not None and good.pid1.kind == "init" and good.pid1.hears_sigterm == "yes"
    assert good.wrapped == (("/bin/report",),)
    verdict = start("docker@28", options=options, entrypoint=("nope",)).verdict
    assert (verdict.id, verdict.judge, verdict.exit_code) == ("F36", "J4", 127)
    assert verdict.text == "[FATAL tini (7)] exec nope failed: No such file or directory"


def test_s6_refuses_to_be_anything_but_process_one() -> None:
    files = (forge.file("init", REPORT, 0o755), forge.directory("etc/s6-overlay"))
    assert start("docker@28", *files, entrypoint=("/init",)).verdict.kind == "RUNS"
    verdict = start(
        "docker@28", *files, options=ProcessOptions(engine="docker@28", init=True), entrypoint=("/init",)
    ).verdict
    assert (verdict.id, verdict.exit_code) == ("F37", 100)
    assert verdict.text == "s6-overlay-suexec: fatal: can only run as pid 1"


def test_what_engines_refuse_before_there_is_a_process() -> None:
    deep = ImageConfig(
        diff_ids=("sha256:0",) * 126, architecture="amd64", config=RunConfig(entrypoint=("/bin/report",))
    )
    verdict = predict(FakeRootfs(BASE), deep, ProcessOptions(engine="docker@28")).verdict
    assert (verdict.id, verdict.message) == ("F41", "max depth exceeded")
    assert predict(FakeRootfs(BASE), deep, ProcessOptions(engine="containerd@2")).verdict.kind == "RUNS"
    foreign = forge.file("x", "1", 0o644, 164188, 164188)
    verdict = start("podman", foreign, options=ProcessOptions(engine="podman", rootless=True)).verdict
    assert verdict.id == "F40"
    assert "requested 164188:164188 for /x" in verdict.message
    assert start("podman", foreign).verdict.kind == "RUNS"
    volume = start("docker@28", forge.file("data", "x"), volumes=("/data",)).verdict
    assert (volume.id, volume.exit_code) == ("F38", 125)
    assert volume.message.startswith("cannot mount volume over existing file, file exists ")


def test_options_take_lists_and_single_words() -> None:
    options = ProcessOptions(args=["a"], entrypoint="sh", env=["A=1"], cap_drop=["ALL"])  # type: ignore[arg-type]
    assert (options.args, options.entrypoint, options.env, options.cap_drop) == (("a",), ("sh",), ("A=1",), ("ALL",))
    assert ProcessOptions().args is None


LINKS = {
    # What runc 1.1.5 and crun 1.8.1 did with bundles, dockerd 20.10.24 and podman 4.3.1 with images.
    "proc": ("F43", "F43", "RUNS", "F43"),
    "sys": ("F43", "F43", "RUNS", "F43"),
    "dev": ("RUNS", "F43", "RUNS", "RUNS"),
}


@pytest.mark.parametrize("name", LINKS)
def test_a_link_where_the_runtime_mounts(name: str) -> None:
    found = []
    for on in ("runc@1.1", "crun@1.8", "docker@20.10", "podman@4.3"):
        verdict = start(on, forge.directory("tmp"), forge.symlink(name, "/tmp")).verdict
        found.append(verdict.id or verdict.kind)
    assert tuple(found) == LINKS[name]


def test_docker_makes_its_own_files_before_it_mounts() -> None:
    """moby's init layer unlinks what stands in its way; /.dockerenv is in every image made of a docker export."""
    assert start("docker", forge.file(".dockerenv", "")).verdict.kind == "RUNS"
    elsewhere = (forge.directory("e"), forge.file("e/passwd", "app:x:7:7::/:\n"), forge.symlink("etc", "e"))
    config = ProcessSpec(entrypoint=("/bin/report",), user="app", architecture="amd64")
    tree = FakeRootfs((forge.file("bin/report", REPORT, 0o755), *elsewhere))
    assert predict(tree, config, ProcessOptions(engine="docker")).verdict.id == "F13"


def test_what_the_mounts_hide_is_not_found_and_not_asked() -> None:
    script = forge.file("s", "#!/dev/sh\n", 0o755)
    assert start("docker", forge.file("dev/sh", REPORT, 0o755), script, entrypoint=("/s",)).verdict.id == "F19"
    live = start("docker", entrypoint=("/sys/kernel/app",)).verdict
    assert (live.kind, live.reason) == (
        "UNKNOWN",
        "/sys/kernel/app leads to /sys/kernel/app, and the kernel of the host decides what is there",
    )
    assert start("docker", entrypoint=("/sys/app",)).verdict.id == "F3"


def test_a_root_only_script_is_started_and_then_not_readable() -> None:
    dash = forge.file("bin/sh", REPORT + b"Illegal option -%c", 0o755)
    script = forge.file("e", "#!/bin/sh\nreport\n", 0o700)
    found = {on: start(on, dash, script, entrypoint=("/e",), user="app").verdict for on in MEASURED}
    assert {on: (verdict.id, verdict.exit_code) for on, verdict in found.items()} == {
        "docker@20.10": ("F5", 126),
        "docker@28": ("F29", 2),
        "podman@4.3": ("F5", 126),
        "podman@5.8": ("F5", 1),
        "containerd@1.6": ("F29", 2),
    }
    assert found["docker@28"].text == "/bin/sh: 0: cannot open /e: Permission denied"


def test_a_refusal_names_the_file_that_cannot_be_read() -> None:
    named = start("docker@24", forge.directory("etc/passwd"), entrypoint=("/bin/report",), user="groupie").verdict
    assert named.message == "unable to find user groupie: read <mount>/etc/passwd: is a directory"
    assert (named.judge, named.errno) == ("J1", "EISDIR")
    members = start("containerd@2", forge.directory("etc/group"), entrypoint=("/bin/report",), user="app").verdict
    assert members.text == "ctr: mount callback failed on <mount>: read <mount>/etc/group: is a directory"
