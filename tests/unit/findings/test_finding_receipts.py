"""Every finding has a receipt, and every receipt shows what it promises when bash runs it."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from imagepeel import forge
from imagepeel.api import open as open_archive
from imagepeel.findings.example import archive_of
from imagepeel.findings.rules.examples import EXAMPLES

TOOLS = ("bash", "tar", "jq", "od", "readelf", "gzip")


@pytest.mark.judge
@pytest.mark.skipif(not all(map(shutil.which, TOOLS)), reason="needs " + ", ".join(TOOLS))
@pytest.mark.parametrize("rule", sorted(EXAMPLES))
def test_receipts_run(rule: str, tmp_path: Path) -> None:
    path = tmp_path / "image.tar"
    path.write_bytes(archive_of(EXAMPLES[rule].bad()))
    with open_archive(path) as archive:
        findings = archive.images()[0].findings(budget=EXAMPLES[rule].budget)
    assert findings
    for finding in findings:
        assert finding.evidence.receipts, finding.message
        for receipt in finding.evidence.receipts:
            done = subprocess.run(["bash", "-c", receipt.command], capture_output=True)
            assert done.stdout, (receipt.command, done.stderr)
            assert receipt.expect.encode("utf-8", "surrogateescape") in done.stdout, receipt.command


@pytest.mark.judge
@pytest.mark.skipif(not all(map(shutil.which, TOOLS)), reason="needs " + ", ".join(TOOLS))
def test_a_place_in_manifest_json_is_shown_there(tmp_path: Path) -> None:
    """Its pointer is one of manifest.json, and means nothing in the image config."""
    path = forge.write(forge.build("two-images"), tmp_path / "two.tar")
    with open_archive(path) as archive:
        finding = next(f for f in archive.image("#2").findings() if f.rule == "TWO-IMAGES")
    done = subprocess.run(["bash", "-c", finding.evidence.receipts[0].command], capture_output=True, check=True)
    assert json.loads(done.stdout)[0]["RepoTags"] == ["two-images:1"]
