"""The commands extract, flatten and dockerfile as a person calls them."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from imagepeel import forge
from imagepeel.errors import UsageError
from imagepeel.export.whole_file import replacing

SECRET = "correct-horse-battery"


def run(*words: str | Path, **environment: str) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-c", "from imagepeel.cli import main; main()", *map(str, words)]
    return subprocess.run(command, capture_output=True, timeout=60, env={**os.environ, **environment})


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    base = forge.layer(
        forge.file("bin/su", "#!", 0o4755, 0, 0, mtime=99),
        forge.device("dev/null", 1, 3),
        forge.file(b"esc\x1b[31m", "x", 0o644, 12345, 12345),
        created_by=f"|2 TOKEN={SECRET} NAME=me /bin/sh -c make",
    )
    steps = (
        forge.Step(created_by=f"|2 TOKEN={SECRET} NAME=me /bin/sh -c make"),
        forge.Step(created_by=f"ENV DB_PASSWORD={SECRET}", comment="buildkit.dockerfile.v0", empty=True),
        forge.Step(created_by='CMD ["su"]', comment="buildkit.dockerfile.v0", empty=True),
    )
    spec = forge.image(base, names="x:1", history=steps, cmd=["su"])
    return forge.write(spec, tmp_path / "x.tar", kind="oci-archive")


@pytest.fixture
def refused(tmp_path: Path) -> Path:
    layers = [forge.layer(forge.file("a", "x")), forge.layer(forge.hardlink("b", "a"), forge.file("c", "y"))]
    return forge.write(forge.image(*layers, names="x:1"), tmp_path / "refused.tar", kind="oci-archive")


def test_extract_says_what_it_left_out(archive: Path, tmp_path: Path) -> None:
    done = run("extract", archive, tmp_path / "out")
    assert done.returncode == 0, done.stderr
    text = done.stdout.decode()
    assert "left out (root can keep most of it with --preserve):" in text
    assert "1  device nodes, such as /dev/null" in text
    assert "1  set-uid and set-gid bits, such as /bin/su" in text
    assert "\x1b" not in text
    assert (tmp_path / "out/bin/su").stat().st_mode & 0o7777 == 0o755
    assert sorted(os.listdir(tmp_path / "out")) == ["bin", "dev", "esc\x1b[31m"]
    again = run("extract", archive, tmp_path / "out")
    assert again.returncode == 2 and b"is not empty" in again.stderr


def test_extract_as_json(archive: Path, tmp_path: Path) -> None:
    done = run("extract", "--json", archive, tmp_path / "out")
    result = json.loads(done.stdout)["result"]
    assert (result["files"], result["directories"], result["devices"]) == (2, 2, 0)
    assert {"what": "device nodes", "count": 1, "example": "/dev/null"} in result["omissions"]


def test_a_refused_image(refused: Path, tmp_path: Path) -> None:
    done = run("extract", refused, tmp_path / "out")
    assert done.returncode == 11 and b"--best-effort" in done.stderr and b"--view spec" in done.stderr
    assert not (tmp_path / "out").exists()
    assert run("extract", "--view", "spec", refused, tmp_path / "out").returncode == 0
    assert sorted(os.listdir(tmp_path / "out")) == ["a", "b", "c"]
    effort = run("extract", "--best-effort", refused, tmp_path / "effort")
    assert effort.returncode == 0 and b"refuses to unpack" in effort.stderr
    flat = run("flatten", refused, "-o", tmp_path / "flat.tar")
    assert flat.returncode == 11 and not (tmp_path / "flat.tar").exists()


def test_a_wrong_digest_stops_before_anything_is_written(tmp_path: Path) -> None:
    forge.write(forge.build("wrong-digest"), tmp_path / "x.tar")
    for words in (
        ("extract", tmp_path / "x.tar", tmp_path / "out"),
        ("flatten", tmp_path / "x.tar", "-o", tmp_path / "f"),
    ):
        assert run(*words).returncode == 12
    assert sorted(os.listdir(tmp_path)) == ["x.tar"]


def test_an_interrupted_extraction_is_marked(archive: Path, tmp_path: Path) -> None:
    program = (
        "import sys; from imagepeel.export.writer import Writer; import imagepeel.cli\n"
        "def stop(self, item): raise KeyboardInterrupt\n"
        "Writer._file = stop; imagepeel.cli.main()"
    )
    command = [sys.executable, "-c", program, "extract", str(archive), str(tmp_path / "out")]
    done = subprocess.run(command, capture_output=True, timeout=60)
    assert done.returncode == 130
    assert b"is incomplete, as .imagepeel-partial in it says" in done.stderr
    assert (tmp_path / "out/.imagepeel-partial").read_text().startswith("This directory is incomplete")


def test_flatten_to_a_file_and_to_standard_output(archive: Path, tmp_path: Path) -> None:
    done = run("flatten", archive, "-o", tmp_path / "flat.tar", SOURCE_DATE_EPOCH="1234567890")
    assert done.returncode == 0, done.stderr
    data = (tmp_path / "flat.tar").read_bytes()
    assert f"sha256:{hashlib.sha256(data).hexdigest()}" in done.stdout.decode()
    piped = run("flatten", archive, "-o", "-", SOURCE_DATE_EPOCH="1234567890")
    assert piped.stdout == data
    with tarfile.open(tmp_path / "flat.tar") as tar:
        assert {m.name: m.mtime for m in tar if m.name in ("bin", "bin/su")} == {"bin": 1234567890, "bin/su": 99}
    assert run("flatten", archive, "-o", tmp_path, SOURCE_DATE_EPOCH="").returncode == 2
    assert run("flatten", archive, "-o", "-", "--json").returncode == 2
    assert run("flatten", archive, "-o", "-", SOURCE_DATE_EPOCH="soon").returncode == 2
    result = json.loads(run("flatten", archive, "-o", tmp_path / "g.tar", "--json").stdout)["result"]
    assert result["entries"] == 5 and result["size"] == len(data)


def test_flatten_keeps_a_link_and_writes_into_a_pipe(archive: Path, tmp_path: Path) -> None:
    (tmp_path / "real.tar").write_text("old")
    os.symlink("real.tar", tmp_path / "link.tar")
    assert run("flatten", archive, "-o", tmp_path / "link.tar").returncode == 0
    assert os.path.islink(tmp_path / "link.tar") and tarfile.is_tarfile(tmp_path / "real.tar")
    assert run("flatten", archive, "-o", "/dev/null").returncode == 0
    assert os.path.exists("/dev/null") and not os.path.isfile("/dev/null")


def test_a_reader_that_stops_early(tmp_path: Path) -> None:
    spec = forge.image(forge.layer(*[forge.file(f"f{n}", os.urandom(100_000)) for n in range(50)]), names="x:1")
    forge.write(spec, tmp_path / "x.tar", kind="oci-archive")
    if shutil.which("head") is None:
        pytest.skip("head is not on PATH")
    program = (
        f"{sys.executable} -c 'from imagepeel.cli import main; main()' flatten {tmp_path / 'x.tar'} -o - | head -c 10"
    )
    done = subprocess.run(["bash", "-c", f"set -o pipefail; {program}"], capture_output=True, timeout=60)
    assert (done.returncode, len(done.stdout), done.stderr) == (0, 10, b"")


def test_dockerfile_masks_what_looks_secret(archive: Path) -> None:
    plain = run("dockerfile", archive).stdout.decode()
    assert "RUN make" in plain and 'CMD ["su"]' in plain and "NAME=me" in plain
    assert SECRET not in plain
    assert SECRET not in run("dockerfile", "--json", archive).stdout.decode()
    assert f"ENV DB_PASSWORD={SECRET}" in run("dockerfile", "--show-secrets", archive).stdout.decode()


def test_dockerfile_as_json(archive: Path) -> None:
    result = json.loads(run("dockerfile", "--json", archive).stdout)["result"]
    lines = result["instructions"]
    assert [(line["keyword"], line["layer"], line["confidence"]) for line in lines] == [
        ("RUN", 0, "exact"),
        ("ENV", None, "exact"),
        ("CMD", None, "exact"),
    ]
    assert lines[0]["bytes"] > 0 and lines[0]["arguments"][1] == "NAME=me"


@pytest.mark.parametrize("command", ["extract", "flatten", "dockerfile"])
def test_the_schema_describes_the_json(archive: Path, tmp_path: Path, command: str) -> None:
    jsonschema = pytest.importorskip("jsonschema", reason="jsonschema is not installed")
    extra = {"extract": [tmp_path / "out"], "flatten": ["-o", tmp_path / "f.tar"], "dockerfile": []}[command]
    schema = json.loads(run("schema", command).stdout)
    jsonschema.validate(json.loads(run(command, archive, *extra, "--json").stdout), schema)


def test_a_filesystem_that_cannot_be_written_is_the_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr(os, "open", refuse)
    monkeypatch.setattr(os, "unlink", refuse)  # as unlink(2) answers for any name there
    with pytest.raises(UsageError, match="cannot be written: Read-only file system"), replacing(str(tmp_path / "x")):
        pass
