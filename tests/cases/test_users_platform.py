"""What is no program for this Linux: files of other systems, images of other platforms (users D2, D6; engines 2026)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import imagepeel
from imagepeel import forge
from imagepeel.forge import programs

Run = Callable[..., Any]
REPORT = forge.file("bin/report", programs.report(), 0o755)


@pytest.fixture
def image(tmp_path: Path) -> Callable[..., Path]:
    def write(*entries: forge.Entry, **settings: Any) -> Path:
        path = tmp_path / "image.tar"
        settings.setdefault("entrypoint", ["/bin/report"])
        made = forge.image(forge.layer(REPORT, *entries), names="demo:1", kind="docker-save-25", **settings)
        forge.write(made, path)
        return path

    return write


@pytest.mark.parametrize(
    ("head", "what", "fix"),
    [
        (b"MZ\x90\0\3\0" + bytes(200), "a program for Windows", "build it for linux"),
        (b"\xcf\xfa\xed\xfe\7\0\0\1" + bytes(200), "a program for macOS", "build it for linux"),
        (b"PK\3\4\x14\0" + b"x" * 100, "a zip archive", "java -jar"),
        (b"\xca\xfe\xba\xbe\0\0\0\x34", "a class of Java", "such as java"),
        (b"\0asm\1\0\0\0", "a WebAssembly module", "a runtime for WebAssembly"),
        (b"\x1f\x8b\x08\0" + b"x" * 40, "compressed with gzip", "unpack it"),
        ("\ufeff#!/bin/sh\n".encode("utf-16-le"), "text in UTF-16", "save it as UTF-8"),
        (b"<!DOCTYPE html>\n<html>", "a page of HTML", "download it again"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 3\n", "a pointer of Git LFS", "git lfs pull"),
        (b"\xa7\r\r\n\0\0\0\0" + b"x" * 40, 'starts with "', "it is no text"),
        (b"", "is empty", "copy the file again"),
    ],
)
def test_a_file_that_no_first_line_makes_a_script(
    head: bytes, what: str, fix: str, image: Callable[..., Path], run_cli: Run
) -> None:
    """What file(1) calls these bytes; a first line in front would make a broken file of another kind of them."""
    path = image(forge.file("app", head, 0o755), entrypoint=["/app"])
    told = run_cli("process", path).stdout
    assert "exec /app: exec format error" in told and what in told
    assert fix in told and "#!/bin/sh" not in told.partition("fix")[2].partition("\n")[0]
    assert "sed -i '1i" not in run_cli("wtf", path).stdout


@pytest.mark.parametrize("text", [b"echo hi\n", b"version=1\n", b"# <html>\n", b"M=1\n"])
def test_a_text_gets_its_first_line(text: bytes, image: Callable[..., Path], run_cli: Run) -> None:
    told = run_cli("wtf", image(forge.file("app", text, 0o755), entrypoint=["/app"])).stdout
    assert "RUN sed -i '1i #!/bin/sh' /app" in told


@pytest.mark.parametrize(
    ("platform", "words"),
    [
        ({"os": "windows"}, "the image is for windows"),
        ({"architecture": "wasm"}, "the image is for WebAssembly"),
        ({"os": "wasip1", "architecture": "wasm"}, "the image is for WebAssembly"),
        ({"os": "freebsd"}, "the image is for freebsd"),
        ({"architecture": "pdp11"}, "no rules are known for the architecture 'pdp11'"),
    ],
)
def test_nothing_is_not_said_of_rules_that_were_not_asked(
    platform: dict[str, str], words: str, image: Callable[..., Path], run_cli: Run
) -> None:
    path = image(**platform)
    told = " ".join(run_cli("wtf", path).stdout.split())
    assert f"START-NOT-JUDGED {words}" in told and "Nothing here surprises" not in told
    story = run_cli("explain", path).stdout
    if "architecture" not in platform or "wasm" in platform["architecture"]:
        assert "Nothing surprised us, and rules about a start were not asked." in story
    manual = " ".join(run_cli("operate", path).stdout.split())
    assert "depends on the engine" not in manual and "It starts on every engine" not in manual
    assert "UNKNOWN" in run_cli("process", path).stdout


@pytest.mark.parametrize("name", ["amd64", "x86_64", "AMD64"])
def test_an_architecture_by_another_name_is_judged(name: str, image: Callable[..., Path], run_cli: Run) -> None:
    path = image(architecture=name)
    assert "START-NOT-JUDGED" not in run_cli("wtf", path).stdout
    assert f"It starts on every engine on {name}." in run_cli("operate", path).stdout


def test_a_config_without_os_is_of_linux(image: Callable[..., Path], run_cli: Run) -> None:
    assert "with runc@1.4, linux/amd64" in run_cli("process", image(os=""), "--verbose").stdout


PYTHON = (
    forge.file("usr/bin/python3.11", programs.hello(), 0o755),
    forge.symlink("usr/bin/python3", "python3.11"),
    forge.file("usr/lib/python3.11/lib-dynload/_ssl.cpython-311-x86_64-linux-gnu.so", b"\x7fELF"),
    forge.file("srv/app.py", b"#!/usr/bin/python3\nimport urllib.request\n", 0o755),
)


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ((), True),
        ((forge.directory("etc/ssl/certs"),), True),
        ((forge.file("etc/ssl/certs/ca-certificates.crt", b"x"),), False),
        ((forge.file("usr/lib/python3.11/site-packages/certifi/cacert.pem", b"x"),), False),
    ],
)
def test_a_python_without_certificates_is_told(more: tuple[forge.Entry, ...], told: bool, tmp_path: Path) -> None:
    """users D, row 12: only `operate` said it of a Python program, whose TLS lies in a module."""
    path = tmp_path / "python.tar"
    forge.write(forge.image(forge.layer(*PYTHON, *more), names="p:1", cmd=["/srv/app.py"]), path, kind="docker-archive")
    with imagepeel.open(path) as archive:
        found = [one for one in archive.image().findings() if one.rule == "NO-CERTIFICATES"]
    assert [(one.severity, "_ssl.cpython-311" in one.message) for one in found] == ([("low", True)] if told else [])
