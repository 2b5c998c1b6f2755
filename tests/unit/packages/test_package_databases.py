"""Package databases that are damaged, hostile or not there, and what is said of them."""

from __future__ import annotations

import json
import struct
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parents[2]))

import imagepeel
from imagepeel import forge
from imagepeel.packages import apk
from imagepeel.results import PackagesResult
from missing import blobs, without

Make = Callable[..., Path]
Run = Callable[..., Any]


def packages(archive: Path, layer: int | None = None) -> PackagesResult:
    with imagepeel.open(archive) as opened:
        return opened.image().packages(layer)


@pytest.fixture
def of_files(forge_archive: Make, request: pytest.FixtureRequest) -> Callable[..., PackagesResult]:
    """Return a function: files of layers, each a dict of path to content, to the packages of the image."""

    def make(*layers: dict[str, str | bytes], **given: Any) -> PackagesResult:
        spec = forge.image(*(forge.layer(*(forge.file(p, c) for p, c in layer.items())) for layer in layers))
        return packages(forge_archive(spec, name=f"{abs(hash(request.node.name))}-{len(layers)}.tar"), **given)

    return make


STATUS = "Package: a\nStatus: install ok installed\nVersion: 1\nArchitecture: amd64\n\n"


def test_a_damaged_status_is_read_up_to_the_line_that_is_wrong(of_files: Callable[..., PackagesResult]) -> None:
    found = of_files({"var/lib/dpkg/status": STATUS + "Package: b\nno field\n\n" + STATUS.replace("a\n", "c\n", 1)})
    assert [one.name for one in found.packages if one.installed] == ["a", "b"]
    (doubt,) = found.doubts
    assert (doubt.path, doubt.layer, doubt.place) == ("/var/lib/dpkg/status", 0, "line 7")
    assert "no colon" in doubt.why and not found.complete


@pytest.mark.parametrize(
    ("path", "content", "place"),
    [
        ("lib/apk/db/installed", "P:a\nV:1\nX\n\n", "line 3"),
        ("lib/apk/db/installed", "V:1\n\n", "line 1"),
        ("usr/lib/apk/db/installed", b"P:" + b"a" * 2_000_000, "line 1"),
        ("var/lib/rpm/rpmdb.sqlite", "no database", "byte 0"),
        ("var/lib/rpm/rpmdb.sqlite", b"SQLite format 3\0" + b"\x10\0" + bytes(5000), "byte 100"),
        ("var/lib/rpm/Packages", bytes(4096), "byte 12"),
        ("usr/lib/sysimage/rpm/Packages.db", b"RpmP" + struct.pack("<3I", 0, 0, 99) + bytes(4080), "byte 12"),
        ("usr/lib/python3/dist-packages/x.dist-info/METADATA", "Version: 1\n\n", "line 1"),
        ("srv/node_modules/x/package.json", "{", ""),
        ("srv/node_modules/x/package.json", "[" * 100_000, ""),
        ("srv/node_modules/x/package.json", '{"version": "1"}', ""),
    ],
)
def test_what_cannot_be_read_is_named(
    path: str, content: str | bytes, place: str, of_files: Callable[..., PackagesResult]
) -> None:
    found = of_files({path: content})
    (doubt,) = found.doubts
    assert (doubt.path, doubt.place) == (f"/{path}", place)
    assert doubt.why and not found.complete


def header(name: str, *, count: int | None = None, offset: int = 0) -> bytes:
    """A header of rpm with one tag, the name."""
    data = name.encode() + b"\0"
    return struct.pack(">II", 1 if count is None else count, len(data)) + struct.pack(">4I", 1000, 6, offset, 1) + data


def ndb(*headers: bytes) -> bytes:
    """rpmpkg.c: 32 bytes, slots of 16 bytes that fill a page, blobs in blocks of 16 bytes."""
    slots = struct.pack("<4sIII", b"RpmP", 0, 1, 1) + bytes(16)
    body = b""
    for number, one in enumerate(headers, 1):
        blob = struct.pack("<4sIII", b"BlbS", number, 1, len(one)) + one
        blob += bytes(-(len(blob) + 12) % 16) + struct.pack("<II4s", 0, len(one), b"BlbE")
        slots += struct.pack("<4sIII", b"Slot", number, (4096 + len(body)) // 16, len(blob) // 16)
        body += blob
    while len(slots) < 4096:
        slots += struct.pack("<4sIII", b"Slot", 0, 0, 0)
    return slots + body


def test_ndb_is_read_by_its_slots(of_files: Callable[..., PackagesResult]) -> None:
    found = of_files({"usr/lib/sysimage/rpm/Packages.db": ndb(header("one"), header("two"))})
    assert [(one.name, one.purl) for one in found.packages] == [("one", "pkg:rpm/one"), ("two", "pkg:rpm/two")]
    assert not found.doubts


@pytest.mark.parametrize("bad", [header("x", count=0x7FFFFFFF), header("x", offset=0x7FFFFFF0), b"\0", header("")])
def test_one_bad_header_hides_no_other(bad: bytes, of_files: Callable[..., PackagesResult]) -> None:
    found = of_files({"var/lib/rpm/Packages.db": ndb(bad, header("good"))})
    assert [one.name for one in found.packages] == ["good"]
    (doubt,) = found.doubts
    assert doubt.place == "byte 4096"


def sqlite_page(number: int, kind: int, cells: list[bytes], right: int = 0) -> bytes:
    head = 100 if number == 1 else 0
    at, pointers, body = 512, b"", b""
    for cell in cells:
        at -= len(cell)
        pointers += struct.pack(">H", at)
        body = cell + body
    start = struct.pack(">BHHHB", kind, 0, len(cells), at, 0) + (struct.pack(">I", right) if kind == 5 else b"")
    page = bytes(head) + start + pointers
    return page + bytes(512 - len(page) - len(body)) + body


def test_pages_that_lead_in_a_circle_end(of_files: Callable[..., PackagesResult]) -> None:
    """A page of the tree that points at itself, and a chain of overflow pages that does."""
    row = bytes([6, 23, 27, 27, 1, 7]) + b"table" + b"Packages"[:7] + b"Packages"[:7] + b"\x02"
    row = bytes([5, 23, 29, 29, 1]) + b"table" + b"Packages" + b"Packages" + b"\x02"
    first = bytearray(sqlite_page(1, 13, [bytes([len(row), 1]) + row]))
    first[:18] = b"SQLite format 3\0" + struct.pack(">H", 512)
    tree = sqlite_page(2, 5, [struct.pack(">I", 2) + b"\x01"], right=2)
    large = bytes([0x81, 0x80, 0x00, 1]) + bytes([3, 0x81, 0x80]) + bytes(40) + struct.pack(">I", 2)
    chain = sqlite_page(2, 13, [bytes([0x84, 0x00, 1]) + large])
    for page in (tree, chain):
        started = time.monotonic()
        found = of_files({"var/lib/rpm/rpmdb.sqlite": bytes(first) + page})
        assert time.monotonic() - started < 2
        (doubt,) = found.doubts
        assert doubt.place or "twice" in doubt.why or "page" in doubt.why


def test_a_database_that_is_too_large_is_not_read(
    of_files: Callable[..., PackagesResult], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("imagepeel.packages.databases.ALL_BYTES", 100)
    found = of_files({"lib/apk/db/installed": "P:a\nV:1\n\n" * 20})
    assert not found.packages and "more bytes than are read" in found.doubts[0].why
    monkeypatch.setattr("imagepeel.packages.databases._AHEAD", 0)
    monkeypatch.setattr("imagepeel.packages.databases.KINDS", (apk.KIND._replace(most=100),))
    found = of_files({"lib/apk/db/installed": "P:a\nV:1\n\n" * 20}, {"a": "b"})
    assert not found.packages and "180 bytes" in found.doubts[0].why


def test_records_beyond_the_bound_are_said(
    of_files: Callable[..., PackagesResult], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("imagepeel.packages.databases.MOST_RECORDS", 3)
    found = of_files({"lib/apk/db/installed": "".join(f"P:a{n}\nV:1\n\n" for n in range(9))})
    assert len(found.packages) == 3
    assert found.doubts[0].place == "line 10" and "more records" in found.doubts[0].why


def test_an_image_without_a_database_says_what_was_looked_for(forge_archive: Make, run_cli: Run) -> None:
    told = run_cli("packages", forge_archive("shop"))
    assert told.exit_code == 0
    assert "No package database that we know was found in its layers." in told.stdout
    # and of one that could not be read at all, nothing is counted
    spec = forge.image(forge.layer(forge.file("var/lib/rpm/Packages", bytes(4096))))
    told = run_cli("packages", forge_archive(spec, name="unread.tar"))
    assert "Packages of rpm that could not be read." in told.stdout and "0 packages" not in told.stdout
    told = run_cli("packages", forge_archive("shop"))
    for family in ("dpkg", "apk", "rpm", "pip", "npm"):
        assert f"{family}: " in told.stdout


def spec_of_two() -> forge.ImageSpec:
    return forge.image(
        forge.layer(
            forge.file("lib/apk/db/installed", "P:a\nV:1\nF:usr\nR:a\n\nP:b\nV:2\nF:usr\nR:b\n\n"),
            forge.file("usr/a", "a" * 10), forge.file("usr/b", "b" * 20), forge.file("usr/none", "n" * 7),
        ),
        forge.layer(
            forge.file("lib/apk/db/installed", "P:a\nV:1.1\nF:usr\nR:a\n\n"),
            forge.file("usr/a", "A" * 11), forge.whiteout("usr/b"),
        ),
        names="two:1",
    )  # fmt: skip


def test_a_missing_layer_is_never_none(forge_archive: Make, run_cli: Run, tmp_path: Path) -> None:
    whole = forge_archive(spec_of_two(), name="two.tar", kind="oci-archive")
    for part, name in (("L1", "no-base.tar"), ("L2", "no-top.tar")):
        archive = without(whole, blobs(whole)[part], tmp_path / name)
        told = run_cli("packages", archive)
        assert "Not everything could be read" in told.stdout
        assert part in told.stdout
        found = json.loads(run_cli("packages", "--json", archive).stdout)["result"]
        assert found["complete"] is False and found["image"]["not_known"]
    asked = run_cli("packages", "--layer", "L1", tmp_path / "no-base.tar")
    assert "What L1 did is not known" in asked.stdout and "no package" not in asked.stdout
    spec = forge.image(forge.layer(forge.file("a", "b")), forge.layer(forge.file("c", "d")), names="none:1")
    none = forge_archive(spec, name="none.tar", kind="oci-archive")
    told = run_cli("packages", without(none, blobs(none)["L2"], tmp_path / "none.tar"))
    assert "was found in the layers that are here" in told.stdout


def test_one_layer_tells_what_it_did(forge_archive: Make, run_cli: Run) -> None:
    archive = forge_archive(spec_of_two(), name="two-layers.tar")
    found = packages(archive, 1)
    assert [(one.name, one.events[-1].what) for one in found.packages] == [("a", "changed"), ("b", "removed")]
    a, b = found.packages
    assert (a.content, a.hidden, a.by_layer) == (11, 10, {0: 10, 1: 11})
    assert (b.content, b.hidden, b.hidden_stored > 0) == (0, 20, True)
    told = run_cli("packages", archive, "--layer", "L2").stdout
    assert "L2: 1 changed, 1 removed" in told and "1 -> 1.1" in told
    refused = run_cli("packages", archive, "--layer", "9")
    assert refused.exit_code == 2 and "2 layers" in refused.stderr


def test_text_of_a_database_is_masked(forge_archive: Make, run_cli: Run) -> None:
    token = "ghp_" + "0123456789abcdefghijABCDEFGHIJ012345"
    spec = forge.image(forge.layer(forge.file("lib/apk/db/installed", f"P:{token}\nV:{token}\n\nbad {token}\n")))
    archive = forge_archive(spec, name="masked.tar")
    for form in ([], ["--json"], ["--markdown"], ["--html", "-"], ["--layer", "1"]):
        told = run_cli("packages", archive, *form)
        assert token not in told.stdout + told.stderr
    assert token in run_cli("packages", archive, "--show-secrets").stdout


def test_package_urls_follow_the_specification(of_files: Callable[..., PackagesResult]) -> None:
    """Forms of the type definitions: names of PyPI, scopes of npm, epochs of rpm, colons and tildes of Debian."""
    found = of_files(
        {
            "etc/os-release": 'ID="fedora"\nVERSION_ID=25\n',
            "var/lib/dpkg/status": STATUS.replace("a\n", "LibX+y\n", 1).replace("1\n", "1:2~rc1+b\n"),
            "usr/lib/python3/site-packages/A_b.C-1.dist-info/METADATA": "Name: A_b.C\nVersion: 1+cu\n",
            "srv/node_modules/@ng/core/package.json": '{"name": "@ng/core", "version": "1.0.0-rc.1"}',
        }
    )
    assert {one.family: one.purl for one in found.packages} == {
        "dpkg": "pkg:deb/fedora/libx%2By@1:2~rc1%2Bb?arch=amd64&distro=fedora-25",
        "pip": "pkg:pypi/a-b-c@1%2Bcu",
        "npm": "pkg:npm/%40ng/core@1.0.0-rc.1",
    }


def test_a_comparison_tells_which_packages_came_went_and_changed(
    forge_archive: Make, run_cli: Run, tmp_path: Path
) -> None:
    def image(status: str, project: str) -> forge.ImageSpec:
        metadata = f"Name: {project}\nVersion: 1\n"
        return forge.image(
            forge.layer(
                forge.file("var/lib/dpkg/status", status),
                forge.file("usr/lib/python3/dist-packages/p-1.dist-info/METADATA", metadata),
            ),
            names="diff:1",
        )

    def stanza(name: str, version: str) -> str:
        return STATUS.replace("a\n", f"{name}\n", 1).replace("1\n", f"{version}\n", 1)

    one = image(stanza("kept", "1") + stanza("went", "2") + stanza("grew", "3") + stanza("twice", "1"), "A.b")
    two = image(stanza("kept", "1") + stanza("came", "2") + stanza("grew", "3.1") + stanza("twice", "1") * 2, "a-B")
    old, new = forge_archive(one, name="old.tar", kind="oci-archive"), forge_archive(two, name="new.tar")
    done = run_cli("diff", "--json", old, new)
    assert done.exit_code == 0, done.stderr
    found = json.loads(done.stdout)["result"]["packages"]
    assert (found["added"], found["removed"], found["changed"], found["complete"]) == (1, 1, 1, True)
    assert [(c["kind"], c["name"], c["before"], c["after"]) for c in found["changes"]] == [
        ("added", "came", "", "2"),
        ("changed", "grew", "3", "3.1"),
        ("removed", "went", "2", ""),
    ]
    assert found["same"] == 3
    told = run_cli("diff", old, new).stdout
    assert "Packages: 1 added, 1 removed, 1 changed" in told and "~ dpkg grew 3 -> 3.1" in told
    # the same layers, a path, and images without a database have nothing to say
    for words in ((old, old), (old, new, "/var"), (forge_archive("shop"), forge_archive("hello"))):
        assert json.loads(run_cli("diff", "--json", *words).stdout)["result"]["packages"] is None
    lacking = run_cli("diff", without(old, blobs(old)["L1"], tmp_path / "lacking.tar"), new)
    assert "Not all of both could be read" in lacking.stdout


def test_a_status_d_has_a_file_a_package(of_files: Callable[..., PackagesResult]) -> None:
    """Images built without dpkg: no Status, and the sums of NAME beside it; names of files may be anything."""
    found = of_files(
        {
            "var/lib/dpkg/status.d/base": "Package: base-files\nVersion: 12\nArchitecture: amd64\nDescription: a\n b\n",
            "var/lib/dpkg/status.d/base.md5sums": f"{'0' * 32}  usr/share/x\n{'1' * 32}  ./usr/share/not there\n",
            "var/lib/dpkg/status.d/tz": "Package: tzdata\nVersion: 2024\nArchitecture: all\n",
            "usr/share/x": "12345",
        }
    )
    base, zones = found.packages
    assert (base.name, base.content, base.files, base.absent) == ("base-files", 5, 2, 1)
    assert (zones.name, zones.files) == ("tzdata", None)
    assert not found.doubts


def test_a_log_beside_a_database_is_said(of_files: Callable[..., PackagesResult]) -> None:
    database = {"var/lib/rpm/Packages.db": ndb(header("one"))}
    assert of_files({**database, "var/lib/rpm/Packages.db-wal": b""}).complete
    found = of_files({**database, "var/lib/rpm/Packages.db-wal": b"x"}, {"a": "b"})
    assert [one.name for one in found.packages] == ["one"]
    assert "write-ahead log" in found.doubts[0].why and not found.complete


def test_settings_left_behind_are_no_package(of_files: Callable[..., PackagesResult]) -> None:
    status = STATUS + STATUS.replace("a\n", "b\n", 1).replace("install ok installed", "deinstall ok config-files")
    status += STATUS.replace("a\n", "c\n", 1).replace("install ok installed", "install ok half-configured")
    found = of_files({"var/lib/dpkg/status": status})
    assert [(one.name, one.state) for one in found.packages] == [("a", ""), ("c", "half-configured")]


def test_of_a_refused_image_the_order_of_layers_tells(forge_archive: Make, run_cli: Run) -> None:
    """A hardlink that leads nowhere: which layer hides a file is not told, and which one brings it again is."""
    database = "P:a\nV:1\nF:usr\nR:a\n\n"
    spec = forge.image(
        forge.layer(forge.file("lib/apk/db/installed", database), forge.file("usr/a", "aa")),
        forge.layer(forge.file("lib/apk/db/installed", database.replace("V:1", "V:2"))),
        forge.layer(forge.hardlink("x", "nowhere"), forge.file("usr/b", "b")),
    )
    archive = forge_archive(spec, name="refused.tar")
    found = packages(archive)
    (one,) = found.packages
    assert [(event.what, event.layer) for event in one.events] == [("installed", 0), ("changed", 1)]
    assert not found.complete
    assert "Not everything could be read" in run_cli("packages", archive).stdout
