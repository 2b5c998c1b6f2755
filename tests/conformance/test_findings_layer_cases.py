"""`views` and `wtf` say the same about the 155 layer cases: a finding for every note, a note for every finding.

The codes that a case earns are in `test_view_codes.py`, held against what real extractors made; nothing is excused.
"""

from __future__ import annotations

import pytest
from recorded import BASE, PRESENT, REFUSED, RESULTS

from imagepeel import forge
from imagepeel.api import open as open_archive
from imagepeel.archive.source import MemorySource
from imagepeel.findings.catalogue import find_rule
from imagepeel.findings.examine import examine
from imagepeel.findings.rules.merge.rules import ROOTLESS_DIFFERS
from imagepeel.findings.rules.unpack.rules import RULES as REFUSALS
from imagepeel.findings.rules.unpack.rules import store_refuses_layer
from imagepeel.findings.semantics.compare import compare
from imagepeel.findings.semantics.notes import ONTO

pytestmark = [
    pytest.mark.shared,
    pytest.mark.skipif(not PRESENT, reason="../shared/conformance/layers is not beside the checkout"),
]


def _case(name: str) -> bytes:
    files = sorted((BASE / "cases" / name).glob("*.tar"), key=lambda path: int(path.stem))
    tars = [path.read_bytes() for path in files]
    layers = [forge.layer(tar=tar, compression="none") for tar in tars]
    return forge.to_bytes(forge.image(*layers, cmd=["/x"], env=["PATH=/bin"], names="case:1"), "docker-archive")


@pytest.mark.parametrize("case", sorted(RESULTS))
def test_a_note_is_found_and_a_finding_is_noted(case: str) -> None:
    with open_archive(MemorySource(_case(case))) as archive:
        image = archive.images()[0]
        found = examine(image)
        rules = {find_rule(finding.rule) for finding in found}
        views = compare(image)
    noted = {note.code for note in views.notes}
    # What engines without overlayfs show is told where its reason is told, and alone where no rule knows the reason.
    told = any(ONTO in line for finding in found for line in (finding.message, *finding.details))
    assert ("ROOTLESS" in noted) == told
    if ROOTLESS_DIFFERS not in rules:
        noted.discard("ROOTLESS")
    assert noted == {rule.of for rule in rules if rule.of and (rule not in REFUSALS or rule.of in noted)}
    # What containerd refuses is told by both, `views` in its own words.
    containerd = {rule for rule in rules if rule in REFUSALS and rule is not store_refuses_layer}
    assert "runtime" in views.refusals or {rule.of for rule in containerd} <= noted


@pytest.mark.parametrize("case", sorted(RESULTS))
def test_a_refusal_of_a_store_alone_is_found(case: str) -> None:
    """Where dockerd or podman refused the load and containerd did not, a finding of high severity says so."""
    with open_archive(MemorySource(_case(case))) as archive:
        found = examine(archive.images()[0])
    told = [finding for finding in found if finding.rule in ("STORE-REFUSES-LAYER", "DUPLICATE-ENTRY")]
    alone = bool(REFUSED[case]) and "containerd@1.6" not in REFUSED[case]
    if alone:
        assert any(finding.severity == "high" for finding in told)
    elif not REFUSED[case]:
        assert not told
