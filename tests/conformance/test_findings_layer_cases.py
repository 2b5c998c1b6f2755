"""What the views note about the 155 layer cases, a rule finds too; where it does not, this file says why.

The notes come from the code that builds the views, the findings from the rules: two readings of the same tars.
"""

from __future__ import annotations

import pytest
from recorded import BASE, PRESENT, RESULTS

from imagepeel import forge
from imagepeel.api import open as open_archive
from imagepeel.archive.source import MemorySource
from imagepeel.findings.catalogue import find_rule
from imagepeel.findings.examine import examine
from imagepeel.findings.semantics.compare import notes

pytestmark = [
    pytest.mark.shared,
    pytest.mark.skipif(not PRESENT, reason="../shared/conformance/layers is not beside the checkout"),
]

NOT_WORTH_A_FINDING = {
    "DELETEDBYTES": "the cases are a few bytes large; the rule speaks from 64 KiB on",
}
TOLD_BY_ANOTHER = {
    ("W17b_wh_empty_sub", "WHNAME"): "WHITEOUT-NAMELESS",
    ("W29b_wh_after_layer0", "ORDER"): "BASE-WHITEOUT",
    ("H22_abs_escape", "DOTDOT"): "LINK-WITHOUT-TARGET",
}
SILENT = {
    ("R11c_same_layer_escape_rel", "DOTDOT"): "a symbolic link that climbs is clamped at the root by every runtime",
    ("R11g_mid_escape", "DOTDOT"): "a symbolic link that climbs is clamped at the root by every runtime",
    ("N20_dot_child", "DUP"): "a directory twice merges with itself",
    ("R13_dir_over_dirlink_same", "DUP"): "a directory entry over a link of the same layer: all engines agree",
    ("T20_uid_big", "UIDWRAP"): "ids from 2^31 on still fit into 32 bits; ROOTLESS-IDS tells of them",
    ("X12_hardlink_to_whiteout", "ROOTLESS"): "a hardlink to a whiteout: no real builder writes it",
    ("X12_hardlink_to_whiteout", "XLINK"): "a hardlink to a whiteout: no real builder writes it",
}


def _case(name: str) -> bytes:
    files = sorted((BASE / "cases" / name).glob("*.tar"), key=lambda path: int(path.stem))
    tars = [path.read_bytes() for path in files]
    layers = [forge.layer(tar=tar, compression="none") for tar in tars]
    return forge.to_bytes(forge.image(*layers, cmd=["/x"], env=["PATH=/bin"], names="case:1"), "docker-archive")


@pytest.mark.parametrize("case", sorted(RESULTS))
def test_a_noted_oddity_is_found(case: str) -> None:
    with open_archive(MemorySource(_case(case))) as archive:
        image = archive.images()[0]
        found = {finding.rule for finding in examine(image)}
        noted = {note.code for note in notes(image)}
    for code in noted:
        if code in NOT_WORTH_A_FINDING or (case, code) in SILENT:
            continue
        assert TOLD_BY_ANOTHER.get((case, code), find_rule(code).id) in found, (code, found)
