"""No crying wolf: every finding on a real image is checked against the image by other means than our own readers.

The images beside the checkout were made by other people's tools; Debian and busybox trees are built from the packages
of this machine.  A judge below re-reads the documents with `json` and the layers with `tarfile` and says whether the
finding is true.  A rule that fires on a real image and has no judge fails the test: somebody has to look at it.
"""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import json
import posixpath
import re
import shutil
import subprocess
import tarfile
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path, PurePosixPath

import pytest

from imagepeel import forge
from imagepeel.api import open as open_archive
from imagepeel.archive.source import MemorySource
from imagepeel.errors import ImagepeelError
from imagepeel.findings.examine import examine
from imagepeel.findings.finding import Finding
from imagepeel.findings.subject import Subject
from imagepeel.forge.specimens import ENV_PATH
from imagepeel.verbs import Image

SHARED = Path(__file__).parents[3] / "shared" / "images"


def _rows() -> list[str]:
    index = SHARED / "index.tsv"
    if not index.is_file():
        return []
    with index.open(newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    return [
        row["path"]
        for row in rows
        if row["class"].startswith(("image:", "rootfs")) and "BROKEN" not in row["class"]
        and "DUPLICATE" not in row["notes"]
    ]  # fmt: skip


# ---- judges: is this finding true of this image? ----------------------------------------------------------------


def config(image: Image) -> dict[str, object]:
    if image.record.format.name == "docker-v1":  # saves before Docker 1.10 keep it in the json of the topmost layer
        member = image.archive.members.file(image.record.config_member)
        assert member is not None
        return dict(json.loads(image.archive.members.source(member).pread(0, 1 << 20)))
    document = json.loads(image.config.raw_bytes or b"{}")
    return document if isinstance(document, dict) else {}


def run_config(image: Image) -> dict[str, object]:
    inner = config(image).get("config")
    return inner if isinstance(inner, dict) else {}


def members(image: Image) -> Iterator[tuple[int, tarfile.TarInfo]]:
    for layer in image.layers:
        if not layer.readable:
            continue
        data = layer.record.source().pread(0, 1 << 30)
        if data[:2] == b"\x1f\x8b":
            data = gzip.decompress(data)
        elif layer.compression not in ("none", ""):
            data = layer.content.pread(0, 1 << 30)
        if not data.strip(b"\0"):
            continue
        with tarfile.open(fileobj=io.BytesIO(data)) as tar:
            for member in tar:
                yield layer.index, member


def base_names(image: Image) -> set[str]:
    return {PurePosixPath(member.name).name for _, member in members(image)}


def command_is_absent(image: Image, finding: Finding) -> bool:
    words = [*(run_config(image).get("Entrypoint") or ()), *(run_config(image).get("Cmd") or ())]  # type: ignore[misc]
    return PurePosixPath(str(words[0])).name not in base_names(image)


def no_shell(image: Image, finding: Finding) -> bool:
    return not base_names(image) & {"sh", "bash", "busybox", "ash", "dash"}


def without_command(image: Image, finding: Finding) -> bool:
    entrypoint, cmd = run_config(image).get("Entrypoint"), run_config(image).get("Cmd")
    return not (entrypoint and entrypoint != [""]) and not cmd


def odd_time(image: Image, finding: Finding) -> bool:
    created = str(config(image).get("created", ""))
    if created.startswith(("1970", "0001", "1980")):
        return True
    made = datetime.fromisoformat(created[:19] + "+00:00").timestamp()
    return any(member.mtime > made + 86_400 for _, member in members(image))


def declares_volumes(image: Image, finding: Finding) -> bool:
    return bool(run_config(image).get("Volumes"))


def env_without_path(image: Image, finding: Finding) -> bool:
    env = run_config(image).get("Env")
    return isinstance(env, list) and bool(env) and not any(str(entry).startswith("PATH=") for entry in env)


def has_wide_ids(image: Image, finding: Finding) -> bool:
    return any(max(member.uid, member.gid) > 65535 for _, member in members(image))


def has_devices(image: Image, finding: Finding) -> bool:
    return any(member.ischr() or member.isblk() for _, member in members(image))


def link_leaves_its_layer(image: Image, finding: Finding) -> bool:
    names: dict[int, set[str]] = {}
    links: list[tuple[int, str]] = []
    for layer, member in members(image):
        names.setdefault(layer, set()).add(member.name.strip("./"))
        if member.islnk():
            links.append((layer, member.linkname.strip("./")))
    return any(target not in names[layer] for layer, target in links)


def something_is_missing(image: Image, finding: Finding) -> bool:
    absent = [layer for layer in image.layers if layer.record.stored is None or not layer.readable]
    return bool(absent) or image.record.config is None or image.record.manifest is None


def is_bare_filesystem(image: Image, finding: Finding) -> bool:
    return image.archive.kind.name == "rootfs" and "manifest.json" not in base_names(image) - {"manifest.json"}


def is_estargz(image: Image, finding: Finding) -> bool:
    return any(b"stargz.index.json" in layer.content.pread(0, 1 << 24) for layer in image.layers)


def descriptors_disagree(image: Image, finding: Finding) -> bool:
    descriptor = image.record.descriptor
    document = json.loads(image.record.manifest_bytes or b"{}")
    return descriptor is not None and descriptor.media_type != document.get("mediaType")


def made_to_be_wrong(image: Image, finding: Finding) -> bool:
    # docker2aci's own fixtures: a loop of parents, and a layer id that climbs out of the directory.
    return "docker2aci" in image.archive.name


def a_shipped_file_is_gone(image: Image, finding: Finding) -> bool:
    """Whether a layer takes away a file with content that a lower one brought: removed, hidden or replaced."""
    there: dict[str, int] = {}
    for layer, member in members(image):
        name = member.name.strip("./")
        folder, _, base = name.rpartition("/")
        # `strip` takes the dot of a whiteout at the root.
        base = base if base.startswith(".wh.") else PurePosixPath(member.name).name
        gone = (folder if base == ".wh..wh..opq" else f"{folder}/{base[4:]}".lstrip("/")) if base[:4] == ".wh." else ""
        for path, below in there.items():
            if below >= layer:
                continue
            if base[:4] == ".wh." and (path == gone or path.startswith(gone + "/")):
                return True
            if path == name and not (member.isreg() or member.islnk()):
                return True
            if path.startswith(name + "/") and not member.isdir():
                return True
        if member.isreg() and member.size:
            there[name] = layer
    return False


def volume_server(image: Image, finding: Finding) -> bool:
    return bool(run_config(image).get("ExposedPorts")) and not run_config(image).get("Healthcheck")


_INDEXES = ("application/vnd.oci.image.index.v1+json", "application/vnd.docker.distribution.manifest.list.v2+json")

_NO_MACHINES = ("unknown/unknown", "/")
"""What attestations of BuildKit and signatures of cosign say in a config."""


def _file(image: Image, name: str) -> bytes | None:
    member = image.archive.members.file(name)
    return None if member is None else image.archive.members.source(member).pread(0, 1 << 26)


def _blob(image: Image, digest: str) -> bytes | None:
    return _file(image, "blobs/" + digest.replace(":", "/", 1))


def machine(document: bytes | None) -> str:
    config = json.loads(document or b"{}")
    return f"{config.get('os')}/{config.get('architecture')}"


def images_of_index(image: Image, data: bytes) -> Iterator[tuple[str, str]]:
    """The digest of each image that an index reaches, with its machine; no artifacts, and nothing that is not here."""
    for entry in json.loads(data)["manifests"]:
        held = _blob(image, entry["digest"])
        if held is None:
            continue
        document = json.loads(held)
        if "manifests" in document or entry.get("mediaType") in _INDEXES:
            yield from images_of_index(image, held)
            continue
        described = _blob(image, document["config"]["digest"]) if "config" in document else None
        if b'"rootfs"' in (described or b"") and machine(described) not in _NO_MACHINES:
            yield entry["digest"], machine(described)


def others_are_there(image: Image, finding: Finding) -> bool:
    """Whether the archive holds as many images as are counted, for these machines, and this one is not named."""
    listing, saved = _file(image, "index.json"), _file(image, "manifest.json")
    if saved is not None:
        held = {entry["Config"]: machine(_file(image, entry["Config"])) for entry in json.loads(saved)}
    else:
        held = dict(images_of_index(image, listing or b'{"manifests": []}'))
    counted = re.fullmatch(r"1 of (\d+) images was examined, #(\d+): not (.*?)(?: and (\d+) more)?", finding.message)
    assert counted is not None
    total, mine, names, more = int(counted[1]), counted[2], counted[3], int(counted[4] or 0)
    named = re.findall(r"#(\d+)", names)
    machines = Counter("/".join(each.split("/")[:2]) for each in re.findall(r"\(([^)]*)\)", names))
    own = Counter([machine(json.dumps(config(image)).encode())])
    complete = len(set(named)) == len(named) == machines.total() == total - 1 - more and mine not in named
    return total == len(held) > 1 and complete and machines + own <= Counter(held.values())


def path_is_twice(image: Image, finding: Finding) -> bool:
    """Whether one layer has two headers for one path.

    Stores that refuse it (`high`) compare the cleaned names; `../f` and `f` are the same file only when unpacked.
    """
    root = "" if finding.severity == "high" else "/"
    seen = Counter((layer, posixpath.normpath(root + member.name.lstrip("/"))) for layer, member in members(image))
    return max(seen.values()) > 1


def size_is_wrong(image: Image, finding: Finding) -> bool:
    """Whether the blob has another size than a descriptor of it states, and the digest that is said to be right."""
    told = re.fullmatch(r"the \w+ (\S+): ([\d,]+) bytes are stated and ([\d,]+) are there(.*)", finding.message)
    assert told is not None
    digest, stated, there = told[1], int(told[2].replace(",", "")), int(told[3].replace(",", ""))
    data = _blob(image, digest)
    assert data is not None
    documents = [_file(image, member.name) or b"" for member in image.archive.members if member.kind == "file"]
    pair = re.compile(rf'"{digest}"[^{{}}]*"size"\s*:\s*{stated}\b|"size"\s*:\s*{stated}\b[^{{}}]*"{digest}"'.encode())
    right = "sha256:" + hashlib.sha256(data).hexdigest() == digest
    return (
        len(data) == there != stated
        and right == ("its digest is right" in told[4])
        and any(pair.search(document) for document in documents)
    )


def tars(image: Image) -> Iterator[bytes]:
    """The layers without their compression."""
    for layer in image.layers:
        if layer.readable or layer.state == "damaged":
            data = layer.record.source().pread(0, 1 << 30)
            yield gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data


def tar_gives_up(image: Image, finding: Finding) -> bool:
    """Whether GNU tar does not reach the end of a layer either or complains, or Go's own tests expect an error."""
    runs = [subprocess.run(["tar", "-t"], input=data, capture_output=True) for data in tars(image)]
    return any(done.returncode or done.stderr for done in runs) or Path(image.archive.name).name in GO_REFUSES


GO_REFUSES = {"pax-nul-path.tar", "pax-bad-mtime-file.tar"}
"""Files of Go's archive/tar for which its reader_test.go expects ErrHeader."""


def types_of(image: Image) -> set[bytes]:
    return {member.type for _, member in members(image)}


def old_sparse(image: Image, finding: Finding) -> bool:
    return tarfile.GNUTYPE_SPARSE in types_of(image)


def unknown_type(image: Image, finding: Finding) -> bool:
    """Whether a type is none that containerd's createTarFile handles."""
    return bool(types_of(image) - {b"0", b"\0", b"1", b"2", b"3", b"4", b"5", b"6", b"S", b"x", b"g", b"L", b"K"})


def link_before_its_target(image: Image, finding: Finding) -> bool:
    """Whether a hardlink names what no earlier entry of its layer brought."""
    seen: set[tuple[int, str]] = set()
    for layer, member in members(image):
        if member.islnk() and (layer, member.linkname.strip("./")) not in seen:
            return True
        seen.add((layer, member.name.strip("./")))
    return False


def digest_is_wrong(image: Image, finding: Finding) -> bool:
    """Whether the bytes have the digest that the finding says, and not the one that the documents state."""
    stated = re.findall(r"sha256:[0-9a-f]{64}", finding.message)
    named = [(stated[i], stated[i + 1]) for i in range(0, len(stated) - 1, 2)]
    held = [layer.record.source().pread(0, 1 << 30) for layer in image.layers if layer.record.stored is not None]
    held += [*tars(image)]
    held += [_file(image, member.name) or b"" for member in image.archive.members if member.kind == "file"]
    there = {"sha256:" + hashlib.sha256(data).hexdigest() for data in held}
    return bool(named) and all(actual in there and actual != promised for promised, actual in named)


def not_taken(image: Image, finding: Finding) -> bool:
    """Whether the reason that is given for the file can be seen in its names and its first bytes."""
    names = {PurePosixPath(member.name).name for member in image.archive.members}
    path = Path(image.archive.name)
    head = path.read_bytes()[:6] if path.is_file() else b""
    if "compressed (xz)" in finding.message:
        return head == b"\xfd7zXZ\0"
    if "an OCI layout without manifest.json" in finding.message:
        return "index.json" in names and "manifest.json" not in names
    if "before Docker 1.10" in finding.message:
        return "manifest.json" not in names and "index.json" not in names
    return False


def owner_is_named(image: Image, finding: Finding) -> bool:
    """Whether a member of the archive or of a layer has this name of an owner."""
    name = finding.message.partition("belong to ")[2].partition(" (")[0]
    found = {f"{member.uname}:{member.gname}" for _, member in members(image)}
    if "members of the archive" in finding.message:
        with tarfile.open(image.archive.name) as outer:
            found = {f"{member.uname}:{member.gname}" for member in outer}
    return name in found


def framing_says_more(image: Image, finding: Finding) -> bool:
    """Whether a member of the archive is a day newer than the image; the other two kinds were seen on no real image."""
    made = datetime.fromisoformat(str(config(image)["created"])[:19] + "+00:00").timestamp()
    with tarfile.open(image.archive.name) as outer:
        days = (max(member.mtime for member in outer) - made) // 86_400
    return days >= 1 and f" up to {days:,.0f} days after " in finding.message


def repositories_differ(image: Image, finding: Finding) -> bool:
    """Whether `repositories` gives a name to another layer than manifest.json, or names other images."""
    listed = json.loads(_file(image, "manifest.json") or b"[]")
    old = json.loads(_file(image, "repositories") or b"{}")
    named = {f"{name}:{tag}": top for name, tags in old.items() for tag, top in tags.items()}
    tops = {tag: entry["Layers"][-1] for entry in listed for tag in entry["RepoTags"] or () if entry["Layers"]}
    return named.keys() != tops.keys() or any(named[tag] not in tops[tag] for tag in named)


def types_of_two_formats(image: Image, finding: Finding) -> bool:
    """Whether manifest, config, layers and index do not all name types of one format, Docker's or that of OCI."""
    index = json.loads(_file(image, "index.json") or b"{}")
    for entry in index["manifests"]:
        if entry["digest"] == str(image.digest):
            algorithm, _, value = entry["digest"].partition(":")
            manifest = json.loads(_file(image, f"blobs/{algorithm}/{value}") or b"{}")
            types = [entry["mediaType"], manifest["mediaType"], manifest["config"]["mediaType"]]
            types += [layer["mediaType"] for layer in manifest["layers"]]
            return len({"docker" in media for media in types}) == 2 or "descriptor" in entry["mediaType"]
    return False


OF_BROKEN: dict[str, Callable[[Image, Finding], bool]] = {
    "DUPLICATE-ENTRY": path_is_twice,
    "WRONG-SIZE": size_is_wrong,
    "DAMAGED-TAR": tar_gives_up,
    "OLD-SPARSE": old_sparse,
    "UNKNOWN-ENTRY-TYPE": unknown_type,
    "LINK-WITHOUT-TARGET": link_before_its_target,
    "WRONG-DIGEST": digest_is_wrong,
    "CONFIG-WITHOUT-ROOTFS": types_of_two_formats,
}
"""Rules that fire on no sound real image, and on layers and on broken images beside them."""

JUDGES: dict[str, Callable[[Image, Finding], bool]] = {
    "CONFIG-WITHOUT-ROOTFS": types_of_two_formats,
    "ANONYMOUS-VOLUME": declares_volumes,
    "COMMAND-MISSING": command_is_absent,
    "COMMAND-NOT-FOUND": command_is_absent,
    "COMPRESSOR-FILES": is_estargz,
    "DELETED-BYTES": a_shipped_file_is_gone,
    "DEVICE-NODE": has_devices,
    "FILE-NOT-TAKEN": not_taken,
    "LINK-ACROSS-LAYERS": link_leaves_its_layer,
    "MEDIA-TYPE-LIE": descriptors_disagree,
    "MISSING-PARTS": something_is_missing,
    "NO-COMMAND": without_command,
    "NO-HEALTHCHECK": volume_server,
    "NO-PAPERWORK": is_bare_filesystem,
    "NO-PATH": env_without_path,
    "NO-SHELL-FOR-SHELL-FORM": no_shell,
    "NO-SHELL-INSIDE": no_shell,
    "ODD-DOCUMENTS": made_to_be_wrong,
    "ODD-TIME": odd_time,
    "OTHER-PLATFORMS": others_are_there,
    "ROOTLESS-DIFFERS": link_leaves_its_layer,
    "ROOTLESS-IDS": has_wide_ids,
    "TWO-IMAGES": repositories_differ,
    "PACKER-NAMED": owner_is_named,
    "ARCHIVE-FRAMING": framing_says_more,
}


@pytest.mark.shared
@pytest.mark.parametrize("path", _rows() or [pytest.param("", marks=pytest.mark.skip(reason="shared images absent"))])
def test_every_finding_on_a_real_image_is_true(path: str) -> None:
    try:
        archive = open_archive(SHARED / path)
    except ImagepeelError:
        pytest.skip("not an archive that can be opened")
    with archive:
        for image in archive.images():
            for finding in image.findings():
                assert finding.rule in JUDGES, f"nobody looked at {finding.rule}: {finding.message}"
                assert JUDGES[finding.rule](image, finding), f"{finding.rule} is not true: {finding.message}"


def _all_rows() -> list[str]:
    index = SHARED / "index.tsv"
    if not index.is_file():
        return []
    with index.open(newline="") as file:
        return [row["path"] for row in csv.DictReader(file, delimiter="\t")]


@pytest.mark.shared
@pytest.mark.parametrize(
    "path", _all_rows() or [pytest.param("", marks=pytest.mark.skip(reason="shared images absent"))]
)
def test_no_archive_makes_a_rule_fall_over(path: str) -> None:
    try:
        archive = open_archive(SHARED / path)
    except ImagepeelError:
        return
    with archive:
        for image in archive.images():
            try:
                image.scan()
            except ImagepeelError:
                continue
            for finding in image.findings():
                assert finding.message and all(figure.adds_up for figure in finding.figures)
                if finding.severity == "high":
                    judge = OF_BROKEN.get(finding.rule) or JUDGES[finding.rule]
                    assert judge(image, finding), f"{finding.rule} is not true: {finding.message}"


PAGE = Path(__file__).parents[2] / "docs" / "reference" / "real-images.md"


@pytest.mark.shared
@pytest.mark.skipif(not _all_rows(), reason="shared images absent")
def test_the_page_counts_what_is_found() -> None:
    """The table of the page, row by row: rule, findings, archives."""
    found: Counter[str] = Counter()
    archives: dict[str, set[str]] = {}
    for path in _all_rows():
        try:
            with open_archive(SHARED / path) as archive:
                for finding in (finding for image in archive.images() for finding in image.findings()):
                    if finding.severity == "high":
                        found[finding.rule] += 1
                        archives.setdefault(finding.rule, set()).add(path)
        except ImagepeelError:
            continue
    rows = re.findall(r"^\| \[([A-Z0-9-]+)\].*?\| high \| (\d+) \| (\d+) \| 0 \| (\w.*) \|$", PAGE.read_text(), re.M)
    counted = {rule: (found[rule], len(archives[rule])) for rule in found}
    assert {rule: (int(count), int(many)) for rule, count, many, _ in rows} == counted


# ---- distributions ------------------------------------------------------------------------------------------------

DEBIAN = (
    "base-files base-passwd bash coreutils dash debianutils grep libc-bin libc6 login passwd sed libtinfo6 libselinux1 "
    "libacl1 libattr1 libgmp10 libpcre2-8-0 libcrypt1"
)
MERGED = ("bin", "sbin", "lib", "lib64")


def _debian() -> bytes:
    """A Debian tree of installed packages and the libraries that they need, as a tar."""
    if shutil.which("dpkg") is None or not Path("/etc/debian_version").is_file():
        pytest.skip("this machine has no Debian packages")
    listed = subprocess.run(["dpkg", "-L", *DEBIAN.split(" ")], capture_output=True, text=True)
    names = {line for line in listed.stdout.splitlines() if line.startswith("/") and len(line) > 1 and line != "/."}
    if "/bin/bash" not in names and "/usr/bin/bash" not in names:
        pytest.skip("the packages are not installed here")
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as tar:
        done: set[str] = set()

        def add(path: Path) -> None:
            name = str(path).lstrip("/")
            if not name or name in done or not (path.exists() or path.is_symlink()):
                return
            if str(path.parent) != "/":
                add(path.parent)
            done.add(name)
            info = tar.gettarinfo(path, name)
            info.uname = info.gname = ""
            info.type = tarfile.REGTYPE if info.islnk() else info.type
            if info.isreg():
                info.size = path.stat().st_size
                with path.open("rb") as file:
                    tar.addfile(info, file)
            else:
                tar.addfile(info)

        for top in MERGED:
            if Path("/", top).is_symlink():
                add(Path("/", top))
        for name in sorted(names):
            first = name.split("/")[1]
            add(Path("/usr" + name) if first in MERGED and Path("/", first).is_symlink() else Path(name))
        for name in ("passwd", "group"):
            data = Path(f"/usr/share/base-passwd/{name}.master").read_bytes()
            info = tarfile.TarInfo(f"etc/{name}")
            info.size, info.mtime = len(data), 1_704_067_200
            tar.addfile(info, io.BytesIO(data))
    return out.getvalue()


def _image(tar: bytes, **settings: object) -> bytes:
    layer = forge.layer(tar=tar, created_by="ADD rootfs.tar.xz / # buildkit")
    newest = "2035-01-01T00:00:00Z"
    return forge.to_bytes(forge.image(layer, names="real:1", created=newest, **settings), "docker-archive")  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def debian() -> bytes:
    return _debian()


def _found(data: bytes) -> tuple[Finding, ...]:
    with open_archive(MemorySource(data)) as archive:
        image = archive.image()
        subject = Subject(image)
        assert {start.verdict.kind for start in subject.starts} <= {"RUNS", "DEPENDS"}, [
            (start.engine, str(start.verdict)) for start in subject.starts
        ]
        return examine(image, subject=subject)


def test_debian_as_root_has_no_surprise(debian: bytes) -> None:
    assert [(each.rule, each.message) for each in _found(_image(debian, cmd=["bash"], env=[ENV_PATH]))] == []


def test_debian_as_another_user_knows_its_set_uid_programs(debian: bytes) -> None:
    found = _found(_image(debian, cmd=["bash"], env=[ENV_PATH], user="65534"))
    with tarfile.open(fileobj=io.BytesIO(debian)) as tar:
        setuid = [member.name for member in tar if member.isreg() and member.mode & 0o4000]
    if not setuid:
        pytest.skip("this machine has no set-uid program")
    assert [each.rule for each in found] == ["SETUID-UNDER-NNP"]
    assert found[0].severity == "info" and f"{len(setuid)} set-uid programs" in found[0].message


def test_debian_shell_form_stays_process_1(debian: bytes) -> None:
    """dash does not replace itself for `a; b`, as measured on Debian 12."""
    spec = _image(debian, cmd=["/bin/sh", "-c", "export A=1; sleep 1000; true"], env=[ENV_PATH])
    assert [each.rule for each in _found(spec)] == ["SHELL-PID1"]


def test_busybox_has_no_surprise() -> None:
    program = shutil.which("busybox")
    if program is None:
        pytest.skip("this machine has no busybox")
    data = Path(program).read_bytes()
    entries = [forge.directory("bin"), forge.file("bin/busybox", data, 0o755)]
    entries += [forge.hardlink(f"bin/{name}", "bin/busybox", 0o755) for name in ("sh", "ls", "cat", "sleep")]
    entries += [
        forge.directory("etc"),
        forge.file("etc/passwd", "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/home:/bin/false\n"),
        forge.file("etc/group", "root:x:0:\nnobody:x:65534:\n"),
        forge.directory("root", 0o700),
        forge.directory("tmp", 0o1777),
    ]
    if re.search(rb"/lib(?:64)?/ld-(?:linux|musl)", data[:4096]):
        pytest.skip("busybox is not static here")
    spec = forge.image(forge.layer(*entries, created_by="ADD busybox.tar.xz / # buildkit"), cmd=["sh"], names="b:1")
    assert [(each.rule, each.message) for each in _found(forge.to_bytes(spec, "docker-archive"))] == []
