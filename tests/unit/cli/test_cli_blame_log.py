"""blame and log: text and JSON, what no diff can say, hostile texts, layers that are not here, exit codes."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest

import imagepeel
from imagepeel import forge
from imagepeel.render.schemas import schema_of

Make = Callable[..., Path]
Run = Callable[..., Any]
Golden = Callable[[str, str], None]

BODY = [f"MIIEpAIBAAKCAQEAwJ2nJ8y3mXcVtR9fLq{number}hJkW8xYbZpQsT1uN5vAeGr" for number in range(9)]
KEY = ["-----BEGIN RSA PRIVATE KEY-----", *BODY, "-----END RSA PRIVATE KEY-----"]


def document(run_cli: Run, *words: Any) -> Any:
    done = run_cli(*words, "--json")
    assert done.exit_code == 0, done.stderr
    found = json.loads(done.stdout)
    jsonschema.validate(found, schema_of(str(words[0])))
    return found["result"]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("blame/file", ["blame", "shop.tar", "/etc/passwd"]),
        ("blame/removed", ["blame", "shop.tar", "/srv/shop/.env"]),
        ("log/patch", ["log", "-p", "shop.tar", "/etc/passwd"]),
        ("log/elf", ["log", "shop.tar", "/bin/sh"]),
        ("log/layer", ["log", "-p", "shop.tar", "--layer", "L2"]),
    ],
)
def test_text_is_what_was_reviewed(
    name: str, words: list[str], run_cli: Run, forge_archive: Make, golden: Golden
) -> None:
    path = forge_archive("shop")
    done = run_cli(*words, cwd=path.parent, env={"COLUMNS": "120"})
    assert done.exit_code == 0, done.stderr
    golden(f"{name}.txt", done.stdout)


def test_json_tells_lines_and_versions(run_cli: Run, forge_archive: Make) -> None:
    path = forge_archive("shop")
    result = document(run_cli, "blame", path, "/etc/passwd")
    assert [line["label"] for line in result["lines"]] == ["L1", "L1", "L2"]
    assert document(run_cli, "log", "-p", path, "/etc/passwd")["versions"][1]["added"] == 1
    assert document(run_cli, "log", "-p", path, "--layer", "L4")["layer"] == 3


def test_deleted_lines_name_the_layers_that_ship_them(run_cli: Run, forge_archive: Make) -> None:
    spec = forge.image(
        forge.layer(forge.file("x", "keep\nold\n")),
        forge.layer(forge.file("x", "keep\nold\nmore\n")),
        forge.layer(forge.file("x", "keep\nmore\n")),
    )
    result = document(run_cli, "blame", forge_archive(spec, name="gone.tar"), "/x")
    assert [(line["text"], line["still_in"], line["number"]) for line in result["gone"]] == [("old", ["L1", "L2"], 2)]
    assert [line["label"] for line in result["lines"]] == ["L1", "L2"]


def test_what_comes_back_is_new(run_cli: Run, forge_archive: Make) -> None:
    spec = forge.image(
        forge.layer(forge.file("x", "a\n"), forge.file("d/y", "b\n")),
        forge.layer(forge.whiteout("x"), forge.opaque("d")),
        forge.layer(forge.file("x", "a\n"), forge.file("d/y", "b\n")),
    )
    path = forge_archive(spec, name="back.tar")
    for name in ("/x", "/d/y"):
        result = document(run_cli, "blame", path, name)
        assert [line["label"] for line in result["lines"]] == ["L3"]
        assert [version["kind"] for version in result["versions"]] == ["added", "removed", "added"]
        assert [line["still_in"] for line in result["gone"]] == [["L1"]]


def test_a_key_that_was_replaced_stays_masked(run_cli: Run, forge_archive: Make) -> None:
    """BEGIN and END stay, so that they are not among the lines that differ."""
    other = [KEY[0], *(line.swapcase() for line in KEY[1:-1]), KEY[-1]]
    spec = forge.image(
        forge.layer(forge.file("key", "\n".join(KEY) + "\n")), forge.layer(forge.file("key", "\n".join(other) + "\n"))
    )
    path = forge_archive(spec, name="key.tar")
    for words in (["blame", path, "/key"], ["log", "-p", path, "/key"], ["log", "-p", path, "--layer", "2"]):
        for form in ([], ["--json"], ["--markdown"], ["--html", "-"]):
            told = run_cli(*words, *form).stdout
            assert not [line for line in (*KEY[1:-1], *other[1:-1]) if line[4:20] in told], (words, form)
    assert KEY[3] in run_cli("blame", path, "/key", "--show-secrets").stdout


def test_an_elf_file_is_told_by_what_it_needs(run_cli: Run, forge_archive: Make) -> None:
    from imagepeel.forge.elf import elf

    def program(*needed: str) -> bytes:
        return elf(needed=needed, interpreter="/lib64/ld-linux-x86-64.so.2")

    spec = forge.image(
        forge.layer(forge.file("bin/x", program("libc.so.6"), 0o755)),
        forge.layer(forge.file("bin/x", program("libc.so.6", "libssl.so.3"), 0o755)),
    )
    done = run_cli("log", "-p", forge_archive(spec, name="elf.tar"), "/bin/x")
    assert "NEEDED libssl.so.3 added" in done.stdout
    assert "diff --git" not in done.stdout


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"a\r\nb\r\n", "text of 2 lines, CRLF"),
        (b"a\r\nb\n", "text of 2 lines, mixed"),
        (b"caf\xe9\n", "text of 1 line, other"),
        ("é\n".encode("utf-16"), "text of 1 line, utf-16le"),
        (b"a", "text of 1 line, no newline at its end"),
        (b"", "text of 0 lines"),
        (b"\0\1\2", "binary, sha256:ae4b3280e56e..."),
        (b"\n" * 100_000, "binary, sha256:"),
        (b"\x1b[31mred\n", "text of 1 line"),
    ],
)
def test_content_is_named(content: bytes, said: str, run_cli: Run, forge_archive: Make) -> None:
    path = forge_archive(forge.image(forge.layer(forge.file("x", content))), name="one.tar")
    for words in (["log", "-p", path, "/x"], ["blame", path, "/x"]):
        done = run_cli(*words)
        assert said in done.stdout
        assert "\x1b" not in done.stdout
        assert "\r" not in done.stdout


def test_a_line_is_not_certain_where_a_layer_is_not_here(run_cli: Run, forge_archive: Make) -> None:
    spec = forge.image(
        forge.layer(forge.file("x", "a\n")),
        forge.layer(forge.file("x", "a\nb\n"), missing=True),
        forge.layer(forge.file("x", "a\nb\nc\n")),
    )
    path = forge_archive(spec, name="missing.tar", kind="oci-archive")
    done = run_cli("blame", path, "/x")
    assert "L3?" in done.stdout
    assert "L2 is not here whole" in done.stdout
    result = document(run_cli, "blame", path, "/x")
    assert [(line["label"], line["certain"]) for line in result["lines"]] == [
        ("L1", True),
        ("L3", False),
        ("L3", False),
    ]
    assert "L2 may have brought it" in run_cli("log", path, "/x").stdout
    assert run_cli("log", path, "--layer", "2").exit_code == 14


def test_errors_name_what_is_wrong(run_cli: Run, forge_archive: Make) -> None:
    path = forge_archive("shop")
    assert run_cli("log", path).exit_code == 2
    assert run_cli("log", path, "--layer", "99").exit_code == 2
    assert run_cli("blame", path, "/no/such").exit_code == run_cli("trace", path, "/no/such").exit_code
    assert run_cli("blame", path, "/etc/passwd", "--view", "none").exit_code == 2
    refused = forge_archive("link-below")
    assert run_cli("log", refused, "--layer", "1").exit_code == 2
    for words in (["log", "-p", refused, "/bin/hello"], ["blame", refused, "/bin/hello"]):
        done = run_cli(*words)
        assert done.exit_code == 0
        assert "these are the entries that name the path" in done.stdout


def test_links_are_followed_and_kinds_told(run_cli: Run, forge_archive: Make) -> None:
    spec = forge.image(
        forge.layer(forge.file("real", "a\n"), forge.symlink("link", "real"), forge.hardlink("name", "real")),
        forge.layer(forge.directory("real2"), forge.file("dev", "x\n")),
        forge.layer(forge.device("dev", 1, 3), forge.symlink("real2", "/")),
    )
    path = forge_archive(spec, name="kinds.tar")
    assert document(run_cli, "blame", path, "/link")["reached"] == "/real"
    assert document(run_cli, "blame", path, "/name")["lines"][0]["text"] == "a"
    assert "symlink" in run_cli("blame", path, "/link", "--no-follow").stdout
    assert "file became char" in run_cli("log", "-p", path, "/dev").stdout
    assert "dir became symlink" in run_cli("log", "-p", path, "/real2", "--no-follow").stdout


def test_python_has_both(forge_archive: Make) -> None:
    with imagepeel.open(forge_archive("shop")) as archive:
        image = archive.image()
        assert image.blame("etc/passwd", receipts=True).versions[0].receipt is not None
        assert image.log("etc/passwd", patch=True).versions[0].patch is not None
        assert image.log(layer=1).layer == 1
        with pytest.raises(imagepeel.UsageError):
            image.log()
        with pytest.raises(imagepeel.PathNotFound):
            image.log("/no/such")


def test_a_sparse_file_of_any_size_is_not_hashed(run_cli: Run, forge_archive: Make) -> None:
    path = forge_archive(forge.image(forge.layer(forge.sparse("x", [(0, b"\0data")], 7 << 50))), name="sparse.tar")
    done = run_cli("log", "-p", path, "/x")
    assert done.exit_code == 0
    assert "binary" in done.stdout
    assert "sha256" not in done.stdout


def test_what_an_elf_file_needs_is_told_of_its_first_version(run_cli: Run, forge_archive: Make) -> None:
    from imagepeel.forge.elf import elf

    program = elf(needed=["libc.so.6"], interpreter="/lib64/ld-linux-x86-64.so.2", runpath="/opt/lib")
    path = forge_archive(forge.image(forge.layer(forge.file("x", program, 0o755))), name="first.tar")
    told = run_cli("log", path, "/x").stdout
    for said in ("interpreter /lib64/ld-linux-x86-64.so.2", "NEEDED libc.so.6", "runpath /opt/lib"):
        assert said in told


def test_a_change_of_the_time_alone_is_named(run_cli: Run, forge_archive: Make) -> None:
    spec = forge.image(
        forge.layer(forge.file("x", "a\n")),
        forge.layer(forge.file("x", "a\n", mtime=5)),
        forge.layer(forge.file("x", "a\n", 0o600, mtime=5)),
    )
    told = run_cli("log", "-p", forge_archive(spec, name="time.tar"), "/x").stdout
    assert told.count("(only its time changed)") == 1
    assert "old mode 100644\nnew mode 100600\n" in told
