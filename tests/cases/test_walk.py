"""What a walk through the pages of the cases still found: twins of their faults that no page names.

Where a real tool decides, it was asked: `ctr` 1.6.20 on overlayfs loads a first layer whose whiteout follows its file,
and refuses the same layer above another.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

import imagepeel
from imagepeel import forge
from imagepeel.forge.specimens import add, sound
from imagepeel.process.spec.access import Actor
from imagepeel.process.spec.failure import Failure, Unproved
from imagepeel.process.wrappers.programs import unwrap
from imagepeel.process.wrappers.scheduling import refusal
from missing import blobs, without

Make = Callable[..., Path]
Run = Callable[..., Any]


def joined(text: str) -> str:
    return " ".join(text.split())


def messages(run_cli: Run, path: Path, *words: str) -> dict[str, str]:
    """The message of each rule that `wtf` reports."""
    found = json.loads(run_cli("wtf", "--json", *words, path).stdout)["result"]["findings"]
    return {each["rule"]: each["message"] for each in found}


# ---- one fact, one sentence ----------------------------------------------------------------------------------


def test_layers_that_ship_the_same_again_are_told_in_one_sentence(run_cli: Run, forge_archive: Make) -> None:
    """One sentence stood there for each layer of an image of 48 that all bring /foo."""
    same = [add(forge.file("foo", b"same")) for _ in range(6)]
    told = joined(run_cli("explain", forge_archive(sound(*same), name="again.tar")).stdout)
    assert told.count("whose content did not change") == 1
    assert " each ship 4 B of files again whose content did not change, for example /foo" in told
    assert "more layers ship unchanged files again" in told


def test_layers_that_ship_other_files_again_are_told_apart(run_cli: Run, forge_archive: Make) -> None:
    steps = [add(forge.file(name, text)) for name, text in (("a", b"aaaa"), ("b", b"bb")) for _ in range(2)]
    told = joined(run_cli("explain", forge_archive(sound(*steps), name="other.tar")).stdout)
    assert told.count("whose content did not change") == 2
    assert "ships 4 B of files again" in told and "ships 2 B of files again" in told


def test_engines_that_refuse_the_same_entry_are_told_in_one_sentence(run_cli: Run, forge_archive: Make) -> None:
    twice = forge.image(forge.layer(forge.file("f", b"1"), forge.file("f", b"2")), names="d:1")
    told = joined(run_cli("explain", forge_archive(twice, name="twice.tar")).stdout)
    assert "Docker and podman refuse at L1: duplicates of file paths not supported." in told
    assert told.count("Not everybody unpacks this") == 1


# ---- two findings, one answer --------------------------------------------------------------------------------

BEFORE = (forge.file("var/old", b"x"), forge.file("var/.wh.old", b""))
BELOW = (forge.file("var/.wh.old", b""), forge.file("var/old/x", b"x"))
AGAIN = (forge.file("var/.wh.old", b""), forge.file("var/.wh.old", b""))


@pytest.mark.parametrize("entries", [BEFORE, BELOW, AGAIN], ids=["before", "below", "again"])
def test_containerd_unpacks_the_first_layer_without_overlayfs(
    entries: tuple[forge.Entry, ...], forge_archive: Make
) -> None:
    """`ctr images import` says done: below the first layer lies nothing, and a whiteout only deletes."""
    path = forge_archive(forge.image(forge.layer(*entries), names="a:1"), name="first.tar")
    with imagepeel.open(path) as archive:
        image = archive.image()
        refusals = image.views(("runtime", "docker", "podman")).refusals
        assert set(refusals) == {"docker", "podman"}
        (note,) = [one.message for one in image.findings() if one.rule == "WHITEOUT-ORDER"]
        assert "Docker and podman refuse" in note and "containerd, Docker" not in note


@pytest.mark.parametrize("entries", [BEFORE, BELOW, AGAIN], ids=["before", "below", "again"])
def test_containerd_refuses_the_same_above_another_layer(entries: tuple[forge.Entry, ...], forge_archive: Make) -> None:
    """`ctr images import`: failed to convert whiteout file, or mkparent: not a directory."""
    below = forge.layer(forge.file("bin/x", b"x"))
    path = forge_archive(forge.image(below, forge.layer(*entries), names="a:1"), name="second.tar")
    with imagepeel.open(path) as archive:
        image = archive.image()
        assert set(image.views(("runtime", "docker", "podman")).refusals) == {"runtime", "docker", "podman"}
        found = {one.rule: one.message for one in image.findings()}
        assert found["WHITEOUT-ORDER"].startswith("containerd cannot unpack layer L2")
        assert "in containerd the last entry wins" not in " ".join(found.values())
        notes = [note.message for note in image.views().notes if note.code in ("ORDER", "DUP")]
        assert notes and not [note for note in notes if "lets the last entry win" in note]
        assert any("containerd, Docker and podman refuse" in note for note in notes)


# ---- a cut archive ends with 11 ------------------------------------------------------------------------------

KINDS = ("oci-archive", "docker-archive", "docker-save-25", "podman-archive", "crane")


def cut_in_a_layer(whole: Path, target: Path) -> Path:
    """The archive with its largest layer last, and cut in the middle of it: every document is there."""
    data = io.BytesIO()
    with tarfile.open(whole) as source, tarfile.open(fileobj=data, mode="w") as other:
        for member in sorted(source.getmembers(), key=lambda member: member.size):
            other.addfile(member, source.extractfile(member) if member.isfile() else None)
        last = other.getmembers()[-1]
    target.write_bytes(data.getvalue()[: last.offset_data + last.size // 2])
    return target


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "words",
    [("layers",), ("explain",), ("wtf",), ("process",), ("ls",), ("images",), ("check", "--fail-on", "none")],
    ids=" ".join,
)
def test_an_archive_that_ends_in_a_layer_was_cut_off(
    words: tuple[str, ...], kind: str, forge_archive: Make, run_cli: Run, tmp_path: Path
) -> None:
    """It ended with 12 and `do not trust the file`, since what is left of the bytes has another digest."""
    path = cut_in_a_layer(forge_archive("shop", kind=kind), tmp_path / "cut.tar")
    done = run_cli(words[0], path, *words[1:])
    assert done.exit_code == 11
    assert "the archive ends inside the member" in done.stderr and "do not trust" not in done.stderr


@pytest.mark.parametrize("kind", KINDS)
def test_a_baseline_does_not_make_an_archive_whole(
    kind: str, forge_archive: Make, run_cli: Run, tmp_path: Path
) -> None:
    path = cut_in_a_layer(forge_archive("shop", kind=kind), tmp_path / "cut.tar")
    known = tmp_path / "known.json"
    assert run_cli("check", path, "--write-baseline", known).exit_code == 11
    done = run_cli("check", path, "--baseline", known)
    assert (done.exit_code, "nothing new" in done.stdout) == (11, True)


@pytest.mark.parametrize(("part", "code"), [("manifest", 14), ("config", 14), ("L2", 0)])
def test_a_baseline_does_not_bring_back_what_is_missing(
    part: str, code: int, forge_archive: Make, run_cli: Run, tmp_path: Path
) -> None:
    whole = forge_archive("shop", kind="oci-archive")
    path = without(whole, blobs(whole)[part], tmp_path / "part.tar")
    known = tmp_path / "known.json"
    run_cli("check", path, "--write-baseline", known)
    assert run_cli("check", path, "--baseline", known).exit_code == code


def test_a_wrong_digest_is_a_finding_that_may_be_accepted(run_cli: Run, forge_archive: Make, tmp_path: Path) -> None:
    """Every byte was read: nothing is unknown."""
    spec = sound(faults=[forge.Fault(kind="diff-id", layer=0)])
    path = forge_archive(spec, name="wrong.tar", kind="oci-archive")
    known = tmp_path / "known.json"
    run_cli("check", path, "--write-baseline", known)
    assert run_cli("check", path, "--baseline", known).exit_code == 0


# ---- a wrong size is no wrong digest -------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["config-size", "layer-size"])
@pytest.mark.parametrize("off", [-1, 1])
def test_a_wrong_size_alone_is_no_reason_for_distrust(kind: str, off: int, run_cli: Run, forge_archive: Make) -> None:
    spec = sound(names="demo:1", faults=[forge.Fault(kind=kind, value=off)])  # type: ignore[arg-type]
    path = forge_archive(spec, name="size.tar", kind="oci-archive")
    done = run_cli("layers", path)
    assert done.exit_code == 12
    assert "do not trust" not in done.stderr and "correct the stated size" in done.stderr
    found = json.loads(run_cli("wtf", "--json", path).stdout)["result"]["findings"]
    (mine,) = [each for each in found if each["rule"] == "WRONG-SIZE"]
    # `ctr` and podman load a layer of another size; podman, skopeo and buildah refuse a config.
    assert [each.partition("@")[0] for each in mine["profiles"]] == (["podman"] if kind == "config-size" else [])


def test_other_bytes_are_a_reason(run_cli: Run, forge_archive: Make) -> None:
    faults = [forge.Fault(kind="config-size", value=1), forge.Fault(kind="layer-bytes", layer=0)]
    path = forge_archive(sound(faults=faults), name="both.tar", kind="oci-archive")
    assert "do not trust the file" in run_cli("layers", path).stderr


# ---- Windows, and a config that is not here ------------------------------------------------------------------


def windows_layer(path: Path) -> Path:
    with tarfile.open(path, "w") as tar:
        for name in ("Files", "Files/Windows", "Hives"):
            member = tarfile.TarInfo(name)
            member.type = tarfile.DIRTYPE
            tar.addfile(member)
    return path


def no_config(path: Path) -> Path:
    spec = sound(os="windows", names="w:1", faults=[forge.Fault(kind="config-missing")])
    path.write_bytes(forge.to_bytes(forge.index(spec, names="w:1"), "oci-archive"))
    return path


@pytest.mark.parametrize("make", ["layer", "index"])
@pytest.mark.parametrize("form", [(), ("--matrix",)], ids=["one", "matrix"])
def test_a_command_does_not_make_windows_linux(form: tuple[str, ...], make: str, run_cli: Run, tmp_path: Path) -> None:
    """`process LAYER -- cmd.exe` was looked for in six directories of a Linux PATH."""
    path = tmp_path / "windows.tar"
    (windows_layer if make == "layer" else no_config)(path)
    done = run_cli("process", path, *form, "--", "cmd.exe", "/c", "dir")
    assert "UNKNOWN" in done.stdout and "windows" in done.stdout
    for words in ("FAILS", "/usr/local/sbin", "ENOENT", "linux/amd64 with", "groups", "HOME="):
        assert words not in done.stdout, words


def test_a_bare_windows_layer_has_a_platform_and_no_process(run_cli: Run, tmp_path: Path) -> None:
    path = windows_layer(tmp_path / "windows.tar")
    story = joined(run_cli("explain", path).stdout)
    assert "Which process it becomes is not written here" in story and "The image is for ," not in story
    head = json.loads(run_cli("layers", "--json", path).stdout)["result"]["image"]
    assert head["platform"] == "windows"
    assert "windows/amd64" in run_cli("process", path, "--verbose").stdout


# ---- cards ---------------------------------------------------------------------------------------------------


def shown(value: object) -> str:
    return " ".join(value._repr_mimebundle_().values())  # type: ignore[attr-defined]


@pytest.mark.parametrize("part", ["layer", "rootfs", "path", "absent", "layer path", "verdict", "config"])
def test_a_card_of_a_part_names_the_images_that_it_is_not_about(part: str, forge_archive: Make) -> None:
    def value(image: imagepeel.Image) -> object:
        layer, rootfs = image.layers[0], image.rootfs
        return {
            "layer": lambda: layer, "rootfs": lambda: rootfs, "path": lambda: rootfs / "bin",
            "absent": lambda: rootfs / "nope", "layer path": lambda: layer / "bin",
            "verdict": lambda: image.process().verdict, "config": lambda: image.config,
        }[part]()  # fmt: skip

    both = forge.index(sound(), sound(architecture="arm64"), names="demo:1")
    with imagepeel.open(forge_archive(both, name="both.tar", kind="oci-archive")) as archive:
        assert "#1: not #2 (linux/arm64)" in shown(value(archive.image(platform="linux/amd64")))
        assert "#2: not #1 (linux/amd64)" in shown(value(archive.image(platform="linux/arm64")))
    with imagepeel.open(forge_archive(sound(), name="one.tar", kind="oci-archive")) as archive:
        assert "was examined" not in shown(value(archive.image()))


def test_a_card_of_a_path_does_not_say_no_where_a_layer_is_missing(forge_archive: Make, tmp_path: Path) -> None:
    whole = forge_archive("shop", kind="oci-archive")
    with imagepeel.open(without(whole, blobs(whole)["L2"], tmp_path / "part.tar")) as archive:
        rootfs = archive.image().rootfs
        assert "does not exist" not in shown(rootfs / "srv/nope")
        assert "is not in the layers that are here" in shown(rootfs / "srv/nope")
        assert "L2 is not in the archive" in shown(rootfs)
    with imagepeel.open(whole) as archive:
        assert "does not exist" in shown(archive.image().rootfs / "srv/nope")


# ---- wrappers: judges A2, B6 and C2 --------------------------------------------------------------------------

Case = Callable[[str, str], Path]
DOCKER = frozenset((
    "AUDIT_WRITE", "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "MKNOD", "NET_BIND_SERVICE", "NET_RAW",
    "SETFCAP", "SETGID", "SETPCAP", "SETUID", "SYS_CHROOT",
))  # fmt: skip
ROOT = Actor(uid=0, gid=0, groups=frozenset({0}), capabilities=DOCKER)
WRAPPED = (
    (["chrt", "--rr", "5", "/srv/app"], 1, "chrt: failed to set pid 0's policy: Operation not permitted"),
    (["chrt", "5", "/srv/app"], 1, "chrt: failed to set pid 0's policy: Operation not permitted"),
    (["chrt", "-f", "10", "/srv/app"], 1, "chrt: failed to set pid 0's policy: Operation not permitted"),
    (["chrt", "-o", "5", "/srv/app"], 1,
     "chrt: unsupported priority value for the policy: 5: see --max for valid range"),
    (["ionice", "-c1", "/srv/app"], 1, "ionice: ioprio_set failed: Operation not permitted"),
)  # fmt: skip
"""A command line, the exit code and the text of runc 1.1 with the capabilities of docker; util-linux 2.38."""
STARTING = (
    ["chrt", "-o", "0", "/srv/app"], ["chrt", "-b", "0", "/srv/app"], ["chrt", "-i", "0", "/srv/app"],
    ["choom", "-n", "50", "/srv/app"], ["ionice", "-c3", "/srv/app"], ["flock", "-F", "/srv/lock", "/srv/app"],
    ["flock", "-F", "/srv/lock", "-c", "exec /srv/app"],
    ["flock", "--no-fork", "/srv/lock", "--command", "exec /srv/app"],
)  # fmt: skip
"""Command lines that were seen to start /srv/app there."""


def asked(argv: list[str], actor: Actor = ROOT) -> Failure | Unproved | None:
    wrapped = unwrap(argv)
    assert wrapped is not None
    return refusal(argv, wrapped, actor, measured=True)


@pytest.mark.parametrize(
    ("argv", "code", "text"), WRAPPED, ids=lambda value: " ".join(value) if isinstance(value, list) else str(value)[:20]
)
def test_what_asks_for_too_much_never_comes_to_its_program(argv: list[str], code: int, text: str) -> None:
    found = asked(argv)
    assert isinstance(found, Failure)
    assert (found.exit_code, found.message) == (code, text)
    may = Actor(uid=0, gid=0, groups=frozenset({0}), capabilities=DOCKER | {"SYS_NICE"})
    assert (asked(argv, may) is None) is ("unsupported" not in text)


def test_a_lower_score_depends_on_the_score_that_the_engine_gives() -> None:
    """`choom: failed to set score adjust value: Permission denied` at 0; a pod may have -997."""
    assert isinstance(asked(["choom", "-n", "-100", "/srv/app"]), Unproved)


@pytest.mark.parametrize(
    ("words", "shell", "argv"),
    [
        (["flock", "/l", "-c", "a b"], "", ("/bin/sh", "-c", "a b")),
        (["flock", "-n", "/l", "--command", "a"], "/bin/bash", ("/bin/bash", "-c", "a")),
        (["flock", "/l", "prog", "-c", "x"], "", ("prog", "-c", "x")),
    ],
)
def test_flock_gives_a_line_to_the_shell(words: list[str], shell: str, argv: tuple[str, ...]) -> None:
    """`flock: failed to execute -c` was predicted of a start that runs."""
    wrapped = unwrap(words, env={"SHELL": shell} if shell else {})
    assert wrapped is not None and wrapped.argv == argv


@pytest.mark.parametrize(
    ("words", "code"),
    [(["flock", "/l", "-c", "a", "b"], 64), (["flock", "-c", "a", "/l"], 64)],
    ids=lambda value: " ".join(value) if isinstance(value, list) else str(value),
)
def test_a_wrapper_that_refuses_its_words_starts_nothing(words: list[str], code: int) -> None:
    """`-c requires exactly one command argument`, `invalid option -- 'c'`."""
    wrapped = unwrap(words)
    assert wrapped is not None
    assert (wrapped.kind, wrapped.failure_exit) == ("none", code)


@pytest.mark.parametrize("interval", ["5", "1.5m", "0", "2d", "1e2"])
def test_a_time_that_timeout_takes(interval: str) -> None:
    wrapped = unwrap(["timeout", interval, "/srv/app"])
    assert wrapped is not None and wrapped.kind == "fork"


@pytest.mark.parametrize("words", [*(one for one, _, _ in WRAPPED), *STARTING], ids=" ".join)
def test_the_starts_end_as_they_were_seen_to(words: list[str], case: Case, forge_archive: Make) -> None:
    """The programs are those of the case, which has no ionice."""
    if words[0] == "ionice":
        pytest.skip("the case has no ionice")
    place = case("judges", "process-faults")
    with imagepeel.open(place) as archive:
        names = [(layer.record.digest or "").removeprefix("sha256:") for layer in archive.image("wrap-chrt").layers]
    layers = [forge.layer(tar=gzip.decompress((place / "blobs/sha256" / name).read_bytes())) for name in names]
    path = forge_archive(forge.image(*layers, names="t:1", cmd=words), name="wrapped.tar", kind="oci-archive")
    with imagepeel.open(path) as archive:
        found = archive.image().process(engine="runc@1.1")
    ends = {" ".join(one): (code, text) for one, code, text in WRAPPED}.get(" ".join(words))
    if ends is None:
        assert (found.verdict.kind, found.pid1 and found.pid1.path) == ("RUNS", "/srv/app")
    else:
        assert (found.verdict.runtime_exit_code, found.verdict.runtime_text) == ends


def test_indexes_that_are_not_followed_are_not_nothing(run_cli: Run, forge_archive: Make, tmp_path: Path) -> None:
    """An image below 20 indexes is there: with strict limits nobody looked that deep, and nobody says that none is."""
    deep = tmp_path / "deep.tar"
    with tarfile.open(forge_archive("hello", kind="oci-archive")) as source, tarfile.open(deep, "w") as copy:

        def put(name: str, data: bytes) -> None:
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            copy.addfile(entry, io.BytesIO(data))

        files = {entry.name: source.extractfile(entry).read() for entry in source if entry.isfile()}
        listed = json.loads(files.pop("index.json"))["manifests"]
        kind = "application/vnd.oci.image.index.v1+json"
        for _ in range(20):
            data = json.dumps({"schemaVersion": 2, "mediaType": kind, "manifests": listed}).encode()
            digest = hashlib.sha256(data).hexdigest()
            files[f"blobs/sha256/{digest}"] = data
            listed = [{"mediaType": kind, "digest": f"sha256:{digest}", "size": len(data)}]
        put("index.json", json.dumps({"schemaVersion": 2, "manifests": listed}).encode())
        for name, data in files.items():
            put(name, data)
    assert run_cli("process", deep, "--exit-code").exit_code in (0, 2)
    for words in (["images"], ["wtf"], ["process"], ["check"], ["loadable"]):
        told = run_cli(*words, deep, "--limits", "strict")
        said = told.stdout + told.stderr
        assert "nest deeper than" in said, words
        assert "names no image" not in said and "that nothing points at" not in said, words
        assert run_cli(*words, deep).exit_code == 0, words


def test_an_image_whose_manifest_is_missing_is_not_another_one(
    run_cli: Run, forge_archive: Make, tmp_path: Path
) -> None:
    """docker save of two images without one OCI manifest: manifest.json describes the image, and nobody can tell that
    index.json means another one.
    """
    whole = tmp_path / "two.tar"
    forge.write([forge.build("shop"), forge.build("hello")], whole, kind="docker-save-25")
    assert "TWO-IMAGES" not in messages(run_cli, whole, "--image", "hello:1")
    with tarfile.open(whole) as tar:
        index = tar.extractfile("index.json")
        assert index is not None
        listed = json.load(index)["manifests"]
    for gone in listed:
        cut = without(whole, "blobs/" + gone["digest"].replace(":", "/"), tmp_path / "cut.tar")
        for chosen in ("shop:1.4", "hello:1"):
            assert "TWO-IMAGES" not in messages(run_cli, cut, "--image", chosen), (gone, chosen)


@pytest.mark.parametrize("gone", [0, 1, None])
def test_an_image_that_both_documents_name_is_one_image(
    gone: int | None, run_cli: Run, forge_archive: Make, tmp_path: Path
) -> None:
    """docker save of two images that lacks an OCI manifest had three rows, of which `docker load` was said to load no
    more than the third: it loads both, and so does podman, which reads manifest.json where the layout is refused.
    """
    whole = tmp_path / "two.tar"
    forge.write([forge.build("shop"), forge.build("hello")], whole, kind="docker-save-25")
    path = whole
    if gone is not None:
        with tarfile.open(whole) as tar:
            digest = json.load(tar.extractfile("index.json") or io.BytesIO())["manifests"][gone]["digest"]
        path = without(whole, "blobs/" + digest.replace(":", "/"), tmp_path / "cut.tar")
    rows = json.loads(run_cli("images", "--json", path).stdout)["result"]["images"]
    assert [(row["layers"], row["complete"]) for row in rows] == [(8, gone != 0), (1, gone != 1)]
    assert [row["missing"] for row in rows] == [["manifest"] if at == gone else [] for at in (0, 1)]
    with imagepeel.open(path) as archive:
        for name in ("shop:1.4", "hello:1"):
            answers = {one.tool: one for one in archive.image(name).loadable()}
            assert answers["docker@20.10"].takes and answers["podman@4.3"].names == (f"localhost/{name}",)
            # `ctr images import` ends with the first manifest that is not there.
            assert answers["containerd@1.6"].takes is (gone is None)
    if gone is not None:
        name = ("shop:1.4", "hello:1")[gone]
        assert "index.json lists" in messages(run_cli, path, "--image", name)["MISSING-PARTS"]
        assert "(its manifest)" not in joined(run_cli("images", path).stdout.split("\n\n#", 1)[1].split("#")[gone])
        story = joined(run_cli("explain", path, "--image", name).stdout)
        assert story.count("is not in the archive: the image is read") == 0 and "index index.json" not in story


def test_layers_that_only_the_config_counts_are_layers(case: Case, run_cli: Run) -> None:
    """layer-left-out.tar: `A runtime unpacks the one layer`, of an image of two, whose archive was `cut off`."""
    path = case("real-images", "layer-left-out.tar")
    story = joined(run_cli("explain", path).stdout)
    assert "One of two layers" in story and "unpacks the one layer" not in story
    assert "the config counts 2 layers, and 1 is listed, and what the other one would add" in story
    listed = run_cli("images", path).stdout
    assert "missing: one more layer" in listed and "cut off" not in listed
    assert "MISSING-PARTS" not in messages(run_cli, path)


@pytest.mark.parametrize(
    ("entries", "rule"),
    [
        ((forge.file("f", b"1"), forge.whiteout("f")), "WHITEOUT-ORDER"),
        ((forge.file("d/.wh.", b""),), "WHITEOUT-NAMELESS"),
        ((forge.hardlink("y", "bin/x"),), "LINK-ACROSS-LAYERS"),
        ((forge.file("a", b""), forge.file("a/b", b"1")), "UNPACK-REFUSED"),
    ],
)
def test_a_refused_layer_names_all_who_refuse_it(
    entries: tuple[forge.Entry, ...], rule: str, forge_archive: Make
) -> None:
    """Recorded for each store (L03: `failed to mknod ...: file exists`, all five); containerd alone was named."""
    below = forge.layer(forge.file("bin/x", b"x"))
    path = forge_archive(forge.image(below, forge.layer(*entries), names="a:1"), name="refused.tar")
    with imagepeel.open(path) as archive:
        (found,) = [one for one in archive.image().findings() if one.rule == rule]
    assert found.message.startswith("containerd cannot unpack layer L2")
    assert found.message.endswith("nor can docker@29.7, docker@20.10 and podman@6.1")
    assert {"containerd@2.3", "docker@29.7", "podman@6.1"} <= set(found.profiles)


@pytest.mark.parametrize(
    ("tag", "over", "fix"),
    [
        ("program-below-dev", "/dev", "keep the program outside of /dev"),
        ("interpreter-below-dev", "/dev", "name an interpreter outside of /dev"),
        ("dev-stdin-as-program", "/proc", "keep the program outside of /proc"),
    ],
)
def test_what_a_mount_hides_is_not_to_be_added_to_the_image(tag: str, over: str, fix: str, case: Case) -> None:
    """judges B4: `add /dev/app to the image`, where it is, and `RUN chmod +x /dev/stdin`."""
    with imagepeel.open(case("judges", "process-faults")) as archive:
        image = archive.image(tag)
        for engine in ("runc@1.1", "docker@29.7", "crun@1.28", "podman@6.1"):
            found = image.process(engine=engine).verdict
            assert (found.kind, found.fix) == ("FAILS", fix), engine
            assert f"{over} is mounted over" in found.why
        told = " ".join(str(msgspec.to_builtins(one)) for one in image.findings())
    assert "chmod +x" not in told and "add /dev" not in told


@pytest.mark.parametrize("path", ["etc/passwd", "etc/group"])
@pytest.mark.parametrize("user", ["", "root", "1000"])
def test_who_opens_a_fifo_waits_for_a_writer(path: str, user: str, forge_archive: Make) -> None:
    """docker 20.10.24, podman 4.3.1 and ctr 1.6.20 print nothing and never end; a text was predicted of each."""
    image = forge.image(
        forge.layer(forge.fifo(path), forge.file("bin/app", b"#!/bin/app", 0o755)),
        names="f:1",
        cmd=["/bin/app"],
        user=user,
    )
    with imagepeel.open(forge_archive(image, name="fifo.tar")) as archive:
        for engine in ("docker@20.10", "docker@29.7", "podman@4.3", "podman@6.1", "containerd@1.6", "containerd@2.3"):
            found = archive.image().process(engine=engine).verdict
            assert (found.kind, found.text) == ("UNKNOWN", ""), engine
            assert f"/{path} is a fifo" in found.reason and "the start hangs" in found.reason


def test_what_is_refused_is_told_as_what_would_be(case: Case, run_cli: Run) -> None:
    """`A runtime unpacks the one layer` stood above `containerd refuses to unpack it`, and `Docker will ask the kernel`
    below `It cannot be loaded`.
    """
    told = joined(run_cli("explain", case("real-images", "huge.tar")).stdout)
    assert "A runtime would unpack the one layer" in told and "What the process would see" in told
    told = joined(run_cli("explain", case("real-images", "one-level-down.tar")).stdout)
    assert "would ask the kernel" in told and "will ask" not in told
    told = joined(run_cli("explain", case("real-images", "groups.tar")).stdout)
    assert "A runtime unpacks the one layer" in told and "will ask the kernel" in told


def test_a_path_three_times_is_so_in_every_row(case: Case, run_cli: Run) -> None:
    """real-images 23 in the table of the story: two rows `/f  twice in L1` of one path that is there three times."""
    told = run_cli("explain", case("real-images", "three-times.tar")).stdout
    assert told.count("three times in L1") == 2 and "twice" not in told


def test_nobody_starts_windows_with_runc(case: Case, run_cli: Run) -> None:
    """bug-reports S7: `on docker@29.7 with runc@1.4, windows/amd64`."""
    told = run_cli("process", case("bug-reports", "f18b-windows-complete.tar"), "--verbose").stdout
    assert "on docker@29.7, windows/amd64" in told and "runc" not in told


def test_what_ends_at_once_is_told_once(case: Case, run_cli: Run) -> None:
    """bug-reports P15: `... ends at once with 0: what is called nginx ...: this process ends at once with 0`."""
    (told,) = [
        text
        for rule, text in messages(run_cli, case("bug-reports", "p15-nginx-daemon.tar")).items()
        if rule == "ENDS-AT-ONCE"
    ]
    assert told.count("ends at once with 0") == 1 and "nginx goes on in the background" in told


def test_a_loop_of_links_in_a_layer_has_containerds_words(forge_archive: Make) -> None:
    """judges D, refusal words: recorded as `failed to get root path: too many links`."""
    entries = (forge.symlink("a", "b"), forge.symlink("b", "a"), forge.file("a/x", b"x"))
    path = forge_archive(forge.image(forge.layer(*entries), names="l:1"), name="loop.tar")
    with imagepeel.open(path) as archive:
        refusal = archive.image().rootfs.refusal
    assert refusal is not None and refusal.reason == "failed to get root path: too many links"


@pytest.mark.parametrize("name", ["artifact.tar", "manifest-missing.tar"])
@pytest.mark.parametrize("first", [True, False])
def test_an_error_names_the_file_that_it_is_about(name: str, first: bool, case: Case, run_cli: Run) -> None:
    """users E5: `where:` named the archive that was opened last, and not the one that lacks a part."""
    bad, good = case("real-images", name), case("real-images", "groups.tar")
    done = run_cli("diff", *((bad, good) if first else (good, bad)))
    (where,) = [line for line in done.stderr.splitlines() if line.startswith("where:")]
    assert str(bad) in where and str(good) not in where
