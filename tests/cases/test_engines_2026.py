"""Engines of autumn 2026: what they do by name and version, and texts that newer ones write."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

import imagepeel
from imagepeel import forge
from imagepeel.forge import programs
from imagepeel.process.engines.registry import find_engine
from imagepeel.process.predict import predict
from imagepeel.process.spec.options import ProcessOptions
from imagepeel.process.spec.process_spec import ProcessSpec
from imagepeel.process.spec.values import Prediction, Verdict

sys.path[:0] = [str(Path(__file__).parents[1] / "unit" / "process")]

from fake_rootfs import FakeRootfs  # noqa: E402

REPORT = programs.report()
PASSWD = "root:x:0:0::/root:/bin/sh\napp:x:1234:1234::/home/app:/bin/sh\n"
GROUP = "root:x:0:\nextra:x:5555:app\n"
BASE = (
    forge.file("bin/report", REPORT, 0o755),
    forge.file("etc/passwd", PASSWD),
    forge.file("etc/group", GROUP),
)
HUGE = "99999999999999999999"
NAMED_LIKE_A_NUMBER = (*BASE[::2], forge.file("etc/passwd", f"{HUGE}:x:0:0::/:/bin/sh\n{PASSWD}"))


def start(on: str, *entries: forge.Entry, options: dict[str, object] | None = None, **wanted: object) -> Prediction:
    wanted.setdefault("entrypoint", ("/bin/report",))
    config = ProcessSpec(architecture="amd64", **wanted)  # type: ignore[arg-type]
    given = ProcessOptions(engine=on, **(options or {}))  # type: ignore[arg-type]
    return predict(FakeRootfs((*BASE, *entries)), config, given)  # type: ignore[arg-type]


def verdict(on: str, *entries: forge.Entry, **wanted: object) -> Verdict:
    return start(on, *entries, **wanted).verdict


# -- names and versions (c4, c5, c6, c10, c12 to c16)


@pytest.mark.parametrize(
    ("asked", "profile", "runtime"),
    [
        ("docker", "docker@29.7", "runc@1.4"),
        ("docker@29", "docker@29", "runc@1.3"),
        ("docker@29.6.1", "docker@29", "runc@1.3"),
        ("docker@29.7.2", "docker@29.7", "runc@1.4"),
        ("containerd", "containerd@2.3", "runc@1.4"),
        ("containerd@2", "containerd@2.3", "runc@1.4"),
        ("containerd@2.2.5", "containerd@2.2.4", "runc@1.3"),
        ("containerd@2.3.1", "containerd@2.3.1", "runc@1.3"),
        ("cri-containerd@2.3", "cri-containerd@2.3", "runc@1.4"),
        ("k8s@1.24", "k8s@1.24", "runc@1.1"),
        ("k8s@1.36", "k8s@1.36", "runc@1.3"),
        ("kubernetes", "k8s@1.37", "runc@1.4"),
        ("nerdctl", "nerdctl@2", "runc@1.4"),
        ("openshift", "cri-o@1", "crun@1.28"),
        ("podman", "podman@6.1", "crun@1.29"),
    ],
)
def test_names_and_versions(asked: str, profile: str, runtime: str) -> None:
    engine, label = find_engine(asked)
    assert (engine.label, engine.runtime) == (profile, runtime)
    assert label.partition("@")[0] == profile.partition("@")[0]


@pytest.mark.parametrize(
    ("asked", "told"), [("docker@30", True), ("k8s@2", True), ("k8s@1.20", True), ("docker@29.6", False)]
)
def test_a_version_without_a_profile_is_told(asked: str, told: bool) -> None:
    notes = start(asked).notes
    assert any("stand for" in note for note in notes) == told


def test_a_prediction_says_whose_texts_it_uses() -> None:
    assert (
        "no start of docker@29.7 was watched: its rules were read (29.7.2), and its texts are those of docker 28.5.2"
        in (start("docker").notes)
    )
    assert not any("was watched" in note for note in start("docker@28").notes)
    assert any("runc@1.5 was watched" in note for note in start("docker@28", options={"runtime": "runc@1.5"}).notes)


# -- users (c7, c8, c9)


@pytest.mark.parametrize(
    ("on", "refused"),
    [
        ("docker@28", False), ("docker@29.6", False), ("docker@29.7", True), ("containerd@2.3.0", False),
        ("containerd@2.3.1", True), ("containerd@2.2.3", False), ("containerd@2.2.4", True),
        ("containerd@2.1.7", False), ("containerd@2.1.8", True), ("containerd@2.0.8", False),
        ("containerd@2.0.9", True), ("containerd@1.7.31", False), ("containerd@1.7.32", True),
        ("cri-containerd@2.2.3", False), ("cri-containerd@2.2.4", True), ("k8s@1.37", True),
    ],
)  # fmt: skip
def test_a_user_that_is_no_id_and_a_name_of_passwd(on: str, refused: bool) -> None:
    config = ProcessSpec(entrypoint=("/bin/report",), user=HUGE, architecture="amd64")
    found = predict(FakeRootfs(NAMED_LIKE_A_NUMBER), config, ProcessOptions(engine=on))  # type: ignore[arg-type]
    if refused:
        assert found.verdict.id == "F13"
        words = "in range 0-2147483647" if on.startswith("docker") else "uid out of range"
        assert words in found.verdict.message
    else:
        assert (found.verdict.kind, found.user.uid) == ("RUNS", 0)


# -- capabilities, environment, volumes (c14, c15, c17, c18)


def test_nerdctl_is_not_ctr() -> None:
    image = {"env": ("A=1",), "entrypoint": ("report",), "volumes": ("/data",)}
    ctr, nerdctl = start("ctr", **image), start("nerdctl", **image)
    assert ctr.verdict.id == "F12" and nerdctl.verdict.kind == "RUNS"
    assert "HOSTNAME" in nerdctl.environment and "HOSTNAME" not in ctr.environment
    assert ctr.user.no_new_privileges and not nerdctl.user.no_new_privileges
    volume = next(one for one in nerdctl.additions if one.kind == "volume")
    assert "copied" in volume.what


def test_crio_gives_nine_capabilities_and_drops_the_group() -> None:
    found = start("cri-o", user="app:extra")
    assert set(found.user.bounding).isdisjoint({"SYS_CHROOT", "SETFCAP", "MKNOD", "NET_RAW", "AUDIT_WRITE"})
    assert len(found.user.bounding) == 9
    assert (found.user.gid, found.runtime) == (1234, "crun@1.28")


@pytest.mark.parametrize(("on", "groups"), [("k8s@1.37", (1234,)), ("k8s@1.32", (1234, 5555))])
def test_a_strict_pod_drops_the_groups_of_the_image(on: str, groups: tuple[int, ...]) -> None:
    found = start(on, user="app", options={"supplemental_groups_policy": "Strict"})
    assert found.user.groups == groups
    assert any("supplementalGroupsPolicy" in note for note in found.notes) == (on == "k8s@1.32")


@pytest.mark.parametrize(("on", "signal"), [("k8s@1.37", "SIGINT"), ("k8s@1.36", "SIGQUIT"), ("docker", "SIGINT")])
def test_who_may_name_another_stop_signal(on: str, signal: str) -> None:
    found = start(on, stop_signal="SIGQUIT", options={"stop_signal": "SIGINT"})
    assert found.pid1 is not None and found.pid1.stop_signal == signal


def test_dockers_grace_is_a_setting_since_29_7() -> None:
    for on, told in (("docker@29", False), ("docker@29.7", True)):
        one = start(on).pid1
        assert one is not None and ("--default-stop-timeout" in one.why) == told


# -- texts that were started (E)


def text_of(on: str, *entries: forge.Entry, **wanted: object) -> str:
    return verdict(on, *entries, **wanted).runtime_text


def test_texts_of_crun_1_28() -> None:
    closed = forge.file("x", REPORT, 0o644)
    assert text_of("crun@1.28", closed, entrypoint=("/x",)) == (
        "the path `/x` exists but it is not executable: Operation not permitted"
    )
    loop = forge.symlink("loopa", "loopa")
    assert text_of("crun@1.28", loop, entrypoint=("/loopa",)) == "open `/loopa`: Too many levels of symbolic links"
    assert text_of("crun@1.28", entrypoint=("/bin/report/",)) == "open `/bin/report/`: Not a directory"
    assert text_of("crun@1.28", forge.directory("srv"), entrypoint=("bin/app",), working_dir="/srv") == (
        "executable file `/srv/bin/app` not found: No such file or directory"
    )
    assert text_of("crun@1.28", working_dir="/etc/passwd").startswith("chdir to `/etc/passwd`: ")
    assert text_of("crun@1.8", working_dir="/etc/passwd").startswith("chdir `/etc/passwd`: ")


@pytest.mark.parametrize(("on", "code"), [("docker@28", 125), ("podman@5.8", 126)])
def test_a_directory_called_passwd_is_an_empty_file(on: str, code: int) -> None:
    tree = FakeRootfs((BASE[0], forge.directory("etc/passwd")))
    config = ProcessSpec(entrypoint=("/bin/report",), user="app", architecture="amd64")
    found = predict(tree, config, ProcessOptions(engine=on)).verdict  # type: ignore[arg-type]
    assert "unable to find user app: no matching entries in passwd file" in found.text
    assert found.exit_code == code


def test_docker_28_on_containerd_2_ends_without_unknown() -> None:
    assert verdict("docker@28", entrypoint=("/nope",)).text.endswith("stat /nope: no such file or directory")
    directory = verdict("docker@28", entrypoint=("/bin",))
    assert directory.text.endswith("is a directory: permission denied") and directory.exit_code == 126
    assert verdict("docker@20.10", entrypoint=("/nope",)).text.endswith(": unknown")


# -- trees (F4, F4b, c6, c11)


def written(tmp_path: Path, *entries: forge.Entry) -> Path:
    path = tmp_path / "image.tar"
    forge.write(forge.image(forge.layer(*entries)), path, kind="docker-archive")
    return path


def test_an_entry_dot_dot_is_podmans_root(tmp_path: Path) -> None:
    path = written(tmp_path, forge.directory("..", 0o750), forge.file("f", "x"))
    with imagepeel.open(path) as archive:
        assert archive.image().view("podman").lookup("/").mode == 0o750


def test_umoci_sets_no_empty_attribute(tmp_path: Path) -> None:
    path = written(tmp_path, forge.file("f", "x", xattrs={b"user.x": b"", b"user.y": b"1"}))
    with imagepeel.open(path) as archive:
        image = archive.image()
        assert set(image.view("spec").lookup("/f").xattrs) == {b"user.y"}
        assert set(image.view("runtime").lookup("/f").xattrs) == {b"user.x", b"user.y"}


def test_the_case_of_a_docker_import(case) -> None:  # type: ignore[no-untyped-def]
    """Fault 9 of the real images: /.dockerenv is made by Docker's init layer."""
    with imagepeel.open(case("real-images", "imported.tar")) as archive:
        image = next(iter(archive.images()))
        assert image.process(engine="docker").verdict.kind == "RUNS"


LINKED = (BASE[0], forge.file("nix/passwd", PASSWD), forge.file("nix/group", GROUP))
NIX = (*LINKED, forge.symlink("etc/passwd", "/nix/passwd"), forge.symlink("etc/group", "/nix/group"))
SYSTEM = (
    BASE[0],
    forge.file("system/passwd", PASSWD),
    forge.file("system/group", GROUP),
    forge.symlink("etc", "/system"),
)


@pytest.mark.parametrize(
    ("on", "nix", "system"),
    [
        ("containerd@2.1", "RUNS", "RUNS"), ("containerd@2.2.0", "F42", "F42"), ("containerd@2.2.3", "RUNS", "F42"),
        ("containerd@2.2.7", "RUNS", "F42"), ("containerd@2.2.8", "RUNS", "RUNS"), ("containerd@2.3.4", "RUNS", "F42"),
        ("containerd@2.3.5", "RUNS", "RUNS"), ("containerd@2.3", "RUNS", "RUNS"),
    ],
)  # fmt: skip
def test_absolute_links_to_passwd_and_group(on: str, nix: str, system: str) -> None:
    config = ProcessSpec(entrypoint=("/bin/report",), user="app", architecture="amd64")
    found = []
    for entries in (NIX, SYSTEM):
        tree = FakeRootfs(entries)
        one = predict(tree, config, ProcessOptions(engine=on)).verdict  # type: ignore[arg-type]
        found.append(one.id or one.kind)
    assert found == [nix, system]


def test_the_words_about_an_absolute_link() -> None:
    """As reported for containerd 2.2.1 with an image of Nix."""
    config = ProcessSpec(entrypoint=("/bin/report",), user="app", architecture="amd64")
    found = predict(FakeRootfs(NIX), config, ProcessOptions(engine="ctr@2.2.1")).verdict  # type: ignore[arg-type]
    assert found.text == "ctr: mount callback failed on <mount>: openat etc/passwd: path escapes from parent"


@pytest.mark.parametrize(
    ("runtime", "user", "text"),
    [
        ("runc@1.1", "70000", "unable to setup user: cannot set uid to unmapped user in user namespace"),
        ("runc@1.1", "5:70000", ""),  # Kubernetes drops the group
        ("crun@1.8", "70000", "cannot setresuid to 70000: Invalid argument"),
    ],
)
def test_a_user_namespace_has_few_ids(runtime: str, user: str, text: str) -> None:
    """Started with runc 1.1.5 and crun 1.8.1: a bundle whose user namespace maps 65,536 ids."""
    given = {"user_namespace": True, "runtime": runtime}
    found = start("k8s@1.37", user=user, options=given).verdict
    assert found.message == text
    assert found.kind == ("FAILS" if text else "RUNS")
    assert start("k8s@1.32", user=user, options=given).verdict.kind == "RUNS"


# -- a kernel of its own (c16), as Debian 12's runsc was started


@pytest.mark.parametrize(
    ("first_line", "argv"),
    [
        (b"#!\t/bin/report\ta\tb\t\n", ["/bin/report", "a\tb\t", "/e.sh"]),
        (b"#!/bin/report \t \n", ["/bin/report", "/e.sh"]),
        (b"#!/bin/report a\0b\n", ["/bin/report", "a", "/e.sh"]),
        (b"#!/bin/report " + b"a" * 113 + b"\n", ["/bin/report", "a" * 113, "/e.sh"]),
        (b"#!/bin/report " + b"a" * 120 + b"\n", ["/bin/report", "a" * 113, "/e.sh"]),
        (b"#!/bin/report x", ["/bin/report", "x", "/e.sh"]),
        (b"#!", "exec format error"),
        (b"#! \t\n", "exec format error"),
        (b"#!/bin/rep\0ort\n", "invalid argument"),
        (b"#!/bin/report\0", "invalid argument"),
        (b"#!/bin/report\r\n", "no such file or directory"),
        (b"#!/" + b"bin/../" * 18 + b"bin/report\n", "permission denied"),
    ],
)
def test_first_lines_that_gvisor_reads_itself(first_line: bytes, argv: list[str] | str) -> None:
    found = start("gvisor", forge.file("e.sh", first_line, 0o755), entrypoint=("/e.sh",))
    if isinstance(argv, str):
        assert found.verdict.runtime_text.endswith(f"creating process: failed to load /e.sh: {argv}")
    else:
        assert found.pid1 is not None and list(found.pid1.argv) == argv


CAPABILITY = {b"security.capability": bytes.fromhex("0100000200002000000000000000000000000000")}  # cap_sys_admin=ep


def test_gvisor_has_no_programs_with_another_identity() -> None:
    for entry in (forge.file("s", REPORT, 0o4755), forge.file("s", REPORT, 0o755, xattrs=CAPABILITY)):
        assert verdict("gvisor", entry, entrypoint=("/s",), user="app").kind == "RUNS"
    assert verdict("runc@1.1", entry, entrypoint=("/s",), user="app").id == "F27"


def test_gvisor_takes_long_strings_and_long_paths() -> None:
    assert verdict("gvisor", cmd=("y" * 200_000,)).kind == "RUNS"
    assert text_of("gvisor", entrypoint=("/x" * 2100,)).endswith(": no such file or directory")
    assert text_of("gvisor", entrypoint=("/" + "n" * 300,)).endswith(": file name too long")
    assert text_of("gvisor", entrypoint=("n" * 300,)).endswith(": file name too long")


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        (forge.fifo("usr/bin/pp", 0o755), "operation not permitted"),
        (forge.symlink("usr/bin/pp", "pp"), "too many symbolic links encountered"),
        (forge.directory("usr/bin/pp"), ""),
    ],
    ids=["fifo", "loop", "directory"],
)
def test_what_ends_gvisors_search(entry: forge.Entry, words: str) -> None:
    found = verdict(
        "gvisor", entry, forge.file("bin/pp", REPORT, 0o755), entrypoint=("pp",), env=("PATH=/usr/bin:/bin",)
    )
    assert found.runtime_text.endswith(f'error finding executable "pp" in PATH [/usr/bin /bin]: {words}') or (
        not words and found.kind == "RUNS"
    )


@pytest.mark.parametrize("place", ["/proc/self/cwd", "/proc/self/fd/7", "/dev/fd/7", "/dev/stdin"])
def test_gvisor_refuses_proc_self_as_directory(place: str) -> None:
    assert text_of("gvisor", working_dir=place).endswith(
        f'creating process: failed to find initial working directory "{place}": invalid argument'
    )


# -- nothing stands silently for something else


@pytest.mark.parametrize(
    ("on", "runtime", "note"),
    [
        ("docker@28", "runc@0.9", "the rules of runc@1.1 stand for runc@0.9"),
        ("docker@28", "runc@2.0", "the rules of runc@1.5 stand for runc@2.0"),
        ("docker@28", "crun@5", "the rules of crun@1.29 stand for crun@5"),
        ("docker@28", "runsc@20300101.0", "the rules of runsc@2022.12 stand for runsc@20300101.0"),
        ("kubernetes@1.99", None, "the rules of k8s@1.37 stand for k8s@1.99"),
        ("docker@28", "runc@1.1.5", ""),
        ("docker@28.5.2", None, ""),
    ],
)
def test_what_stands_for_another_version_is_told(on: str, runtime: str | None, note: str) -> None:
    notes = [one for one in start(on, options={"runtime": runtime}).notes if " stand for " in one]
    assert notes == ([f"{note}, which has none of its own here"] if note else [])


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"host_arch": "wasm"}, "wasm is no machine of a host"),
        ({"host_arch": "WASM32"}, "WASM32 is no machine of a host"),
        ({"host_arch": "pdp11"}, "there is no architecture 'pdp11' here"),
        ({"runtime": "youki"}, "no runtime is called 'youki'"),
        ({"runtime": "runc@"}, "'' is no version"),
        ({"runtime": "runc@latest"}, "'latest' is no version"),
    ],
)
def test_what_is_not_known_is_an_error_in_its_own_words(options: dict[str, object], words: str) -> None:
    with pytest.raises(imagepeel.UsageError, match=words):
        start("docker", options=options)


@pytest.mark.parametrize("name", ["kata", "docker@", "docker@next"])
def test_an_engine_that_is_not_known_is_an_error(name: str) -> None:
    with pytest.raises(imagepeel.UsageError):
        start(name)


def test_a_bundle_says_whose_rules_it_follows(run_cli, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    done = run_cli("bundle", written(tmp_path, *BASE), tmp_path / "out", "--engine", "docker@99", "--", "/bin/report")
    assert "note: the rules of docker@29.7 stand for docker@99" in done.stderr


@pytest.mark.parametrize("option", [("views", "--only", "docker@99"), ("ls", "--view", "docker@99")])
def test_a_view_that_is_not_known_is_an_error(option: tuple[str, ...], run_cli, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    done = run_cli(*option, written(tmp_path, *BASE))
    assert done.exit_code == 2 and "there is no view 'docker@99'" in done.stderr


# -- what the runtime mounts (c1 to c3): code and the end of the text, as they were started


TMP = forge.directory("tmp", 0o1777)
ORDINARY = 'filesystem "{}" must be mounted on ordinary directory'
STARTED: list[tuple[str, dict[str, object], dict[str, tuple[int, str]]]] = [
    ("proc -> /tmp", {}, {
        "runc@1.1": (1, ORDINARY.format("proc")), "crun@1.8": (1, "the target `/proc` is invalid: Not a directory"),
        "podman@4.3": (126, ORDINARY.format("proc")), "docker@20.10": (0, ""),
    }),
    ("sys -> /tmp", {}, {
        "runc@1.1": (1, ORDINARY.format("sysfs")), "crun@1.8": (1, "the target `/sys` is invalid: Not a directory"),
        "podman@4.3": (126, ORDINARY.format("sysfs")), "docker@20.10": (0, ""),
    }),
    ("dev -> /tmp", {}, {
        "runc@1.1": (0, ""), "crun@1.8": (1, "failed open()ing /dev/null: No such file or directory"),
        "podman@4.3": (0, ""), "docker@20.10": (0, ""),
    }),
    ("", {"working_dir": "/proc/self/fd/7"}, {
        "runc@1.1": (1, "mkdir /proc/self/fd/7: not a directory"),
        "crun@1.8": (1, "chdir `/proc/self/fd/7`: No such file or directory"),
        "podman@4.3": (126, "mkdir /proc/self/fd/7: not a directory"), "docker@20.10": (125, "is the expected type"),
    }),
    ("", {"working_dir": "/dev/fd/7", "user": "1000"}, {
        "runc@1.1": (1, "mkdir /dev/fd/7: not a directory"),
        "crun@1.8": (1, "chdir `/dev/fd/7`: No such file or directory"),
        "podman@4.3": (126, "mkdir /dev/fd/7: not a directory"), "docker@20.10": (125, "is the expected type"),
    }),
]  # fmt: skip


@pytest.mark.parametrize(("link", "config", "ends"), STARTED)
def test_links_and_open_directories_below_the_mounts(
    link: str, config: dict[str, object], ends: dict[str, tuple[int, str]]
) -> None:
    name, _, target = link.partition(" -> ")
    entries = (TMP, forge.symlink(name, target)) if link else ()
    for on, (code, words) in ends.items():
        found = verdict(on, *entries, **config)
        assert (found.kind, found.exit_code or 0) == ("FAILS" if code else "RUNS", code), (on, found)
        assert found.text.endswith(words), on


# -- files of accounts that nobody needs so large (c7): moby/sys user 0.4.1 and what was before it


LONG_FILE = "root:x:0:0::/:\n" + ("#" * 60_000 + "\n") * 200
LONG_LINE = "root:x:0:\nbig:x:7:" + "m," * (1 << 19) + "z\n"
EXCEEDS = "read <mount>/etc/{}: file exceeds 10485760 bytes"
TOKEN = "bufio.Scanner: token too long"


@pytest.mark.parametrize(
    ("path", "data", "before", "since", "text"),
    [
        ("etc/passwd", LONG_FILE, "UNKNOWN", "FAILS", f"unable to find user root: {EXCEEDS.format('passwd')}"),
        ("etc/group", LONG_FILE, "UNKNOWN", "FAILS", f"unable to find groups for spec root: {EXCEEDS.format('group')}"),
        ("etc/group", LONG_LINE, "RUNS", "FAILS", f"unable to find groups for spec root: {TOKEN}"),
        ("etc/group", LONG_LINE * 12, "UNKNOWN", "FAILS", f"unable to find groups for spec root: {TOKEN}"),
        ("etc/group", "root:x:0:\nbig:x:7:" + "m," * 40_000 + "z\n", "RUNS", "RUNS", ""),
        ("etc/group", "root:x:0:\n" + "#" * ((1 << 20) - 1) + "\n", "RUNS", "RUNS", ""),
        ("etc/group", "root:x:0:\n" + "#" * (1 << 20) + "\n", "RUNS", "FAILS", TOKEN),
        ("etc/passwd", "root:x:0:0::/:\n" + "x" * 70_000 + ":x:1:1::/:\n", "FAILS", "FAILS", TOKEN),
    ],
)
def test_accounts_are_read_with_a_bound_since_29_7(path: str, data: str, before: str, since: str, text: str) -> None:
    assert [verdict(on, forge.file(path, data), user="root").kind for on in ("docker@20.10", "docker@29.6")] == (
        [before] * 2
    )
    found = verdict("docker@29.7", forge.file(path, data), user="root")
    assert (found.kind, found.exit_code or 0) == (since, 125 if text else 0)
    assert found.text.endswith(text)
    assert not text or (found.where is not None and found.where.path == f"/{path}")


@pytest.mark.parametrize(
    ("on", "kind"),
    [("containerd@1.6", "RUNS"), ("containerd@2.3.0", "RUNS"), ("k8s@1.24", "RUNS"), ("podman@4.3", "RUNS"),
     ("containerd@2.3", "UNKNOWN"), ("k8s@1.37", "UNKNOWN"), ("podman@6.1", "UNKNOWN")],
)  # fmt: skip
def test_what_readers_with_a_bound_do_is_not_guessed(on: str, kind: str) -> None:
    assert verdict(on, forge.file("etc/group", LONG_LINE), user="root").kind == kind


def test_kubernetes_is_keyed_by_its_own_versions() -> None:
    """c4: 1.24 to 1.37, each with the containerd that its nodes have, and its end of life."""
    found = {minor: find_engine(f"k8s@1.{minor}")[0] for minor in range(24, 38)}
    assert {engine.label for engine in found.values()} == {f"k8s@1.{minor}" for minor in found}
    assert all(found[minor].end_of_life for minor in range(24, 33)) and not found[36].end_of_life
    assert [found[minor].runtime for minor in (24, 36, 37)] == ["runc@1.1", "runc@1.3", "runc@1.4"]


@pytest.mark.parametrize("name", ["containerd@1.6", "containerd@2.1", "docker@20.10"])
def test_the_end_of_life_stands_in_the_matrix(name: str) -> None:
    """c19."""
    assert find_engine(name)[0].end_of_life
    assert not find_engine("containerd@2.3")[0].end_of_life


def test_umoci_refuses_a_bare_whiteout(tmp_path: Path) -> None:
    """c21, c22: umoci after 0.6.0 and the specification since 2026-05 call it an error."""
    path = written(tmp_path, forge.file("d/x", "1"), forge.file("d/.wh.", ""))
    with imagepeel.open(path) as archive:
        refusal = archive.image().view("spec").refusal
        assert refusal is not None
        assert refusal.reason == "unpack entry: d/.wh.: invalid whiteout with empty name: /d/.wh."


@pytest.mark.parametrize(
    ("name", "parent"), [(".wh..", "/"), (".wh...", "/"), ("d/.wh...", "/d"), ("d/.wh..", ""), ("gone/.wh..", "")]
)
def test_umoci_on_a_whiteout_of_its_directory(tmp_path: Path, name: str, parent: str) -> None:
    """As umoci 0.4.7 was started: it removes the directory, and stops where it puts back the owner of that."""
    path = written(tmp_path, forge.file("d/x", "1"), forge.file(name, ""))
    call = f"lchown {parent}: no such file or directory"
    with imagepeel.open(path) as archive:
        refusal = archive.image().view("spec").refusal
        assert (refusal.reason if refusal is not None else "") == (
            f"unpack entry: {name}: restore parent directory: restore chown metadata: {parent}: {call}"
            if parent
            else ""
        )
