"""What comes through a pipe."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from imagepeel import forge

COMMAND = [sys.executable, "-m", "imagepeel", "layers", "-"]


def test_standard_input_is_read_like_a_file(tmp_path: Path) -> None:
    data = forge.to_bytes(forge.build("hello"), "oci-archive")
    piped = subprocess.run(COMMAND, input=data, capture_output=True)
    assert piped.returncode == 0
    assert b"1 layer" in piped.stdout


@pytest.mark.judge
@pytest.mark.skipif(shutil.which("skopeo") is None, reason="skopeo is not installed")
def test_skopeo_into_a_pipe(tmp_path: Path) -> None:
    path = tmp_path / "hello.tar"
    forge.write(forge.build("hello"), path, "docker-archive")
    copy = f"skopeo --insecure-policy copy --quiet docker-archive:{path} docker-archive:/dev/stdout"
    done = subprocess.run(["bash", "-c", f"{copy} | {' '.join(COMMAND)}"], capture_output=True)
    assert done.returncode == 0 and b"1 layer" in done.stdout
    # Without --quiet skopeo 1.9 writes its progress into the same stream; the error says so.
    mixed = subprocess.run(COMMAND, input=b"Getting image source signatures\nCopying blob 1\n", capture_output=True)
    assert mixed.returncode == 10 and b"--quiet" in mixed.stderr


def test_an_export_with_more_members_than_an_archive_may_have_is_read_whole() -> None:
    import imagepeel
    from imagepeel.archive.source import MemorySource
    from imagepeel.limits import Limits

    entries = [forge.file(f"{top}/f{n}", b"") for top in ("bin", "etc", "usr", "var", "zzz") for n in range(60)]
    with imagepeel.open(MemorySource(forge.encode(entries)), limits=Limits(archive_members=150)) as archive:
        assert len(archive.image().layers[0].entries) == 300
        assert [anomaly.code for anomaly in archive.anomalies] == []
        assert "150 members" in archive.detection.sentence
