"""Which notes each recorded case earns.  The expected codes are read off the tables of the layer reference by hand."""

from __future__ import annotations

import pytest
from recorded import PRESENT, REFUSED, RESULTS, load, parse, path_comes_twice

from imagepeel.findings.semantics.codes import CODES
from imagepeel.findings.semantics.compare import compare_layers
from imagepeel.findings.semantics.notes import notes_of
from imagepeel.rootfs.engines.names import VIEWS

pytestmark = [
    pytest.mark.shared,
    pytest.mark.skipif(not PRESENT, reason="../shared/conformance/layers is not beside the checkout"),
]

EARNED: dict[str, str] = {
    "A04_concat": "HIDDENTAIL",
    "D01_dup_file": "DUP",
    "D05_symlink_then_file": "DUP",
    "D06_dup_diff_spelling": "DUP",
    "D07_dup_longer_then_shorter": "DUP",
    "H02_lower_target": "XLINK",
    "H09_escape": "DOTDOT",
    "H14_with_data": "HDRDATA",
    "H19_lower_target_rewritten_same_name_link": "XLINK",
    "H20_target_whiteout_same_layer": "XLINK",
    "H22_abs_escape": "DOTDOT",
    "N03_dot_root": "ROOTATTR",
    "N03c_dot_root_symlink": "ROOTATTR",
    "N07_dotdot_escape_inner": "DOTDOT",
    "N11_empty": "ROOTATTR",
    "N12_case": "CASE",
    "N14_newline": "CTRLCHAR",
    "N20_dot_child": "DUP",
    "P02_lower_attr": "IMPLIEDATTR",
    "P02b_sticky": "IMPLIEDATTR",
    "P05_dir_mtime_explicit": "DELETEDBYTES",
    "P06_deep_lower": "IMPLIEDATTR",
    "R01_file_to_dir": "DELETEDBYTES",
    "R03_dir_to_symlink": "DELETEDBYTES",
    "R04_symlink_to_dir": "LINKSHADOW",
    "R07_usrmerge_implied": "LINKSHADOW IMPLIEDATTR",
    "R08_usrmerge_explicit": "LINKSHADOW",
    "R10_escape_symlink_parent": "LINKSHADOW",
    "R11c_same_layer_escape_rel": "DOTDOT",
    "R11g_mid_escape": "DOTDOT",
    "R12_file_parent_lower": "FILETODIR DELETEDBYTES",
    "R13_dir_over_dirlink_same": "DUP",
    "R14_symlink_then_file_same_name": "DUP",
    "R16_three_layer_usrmerge": "LINKSHADOW",
    "T01_dev": "DEVICE",
    "T06_oldgnu_sparse": "SPARSE83",
    "T11_global": "PAXGLOBAL",
    "T11b_global_name_collision": "DUP PAXGLOBAL",
    "T11c_global_collision_lower": "PAXGLOBAL",
    "T11d_global_nested_name": "PAXGLOBAL",
    "T15_xattr": "XATTRDROP",
    "T16_xattr_trusted": "XATTRDROP",
    "T16b_xattr_selinux": "XATTRDROP",
    "T16c_xattr_bad": "XATTRDROP",
    "T16d_xattr_symlink_user": "XATTRDROP",
    "T19_mtime_frac": "MTIMECLAMP",
    "T20_uid_big": "UIDWRAP",
    "T24_dir_data": "HDRDATA",
    "T25_dev_range": "DEVICE",
    "W01_wh": "DELETEDBYTES",
    "W03_readd_then_wh_file": "ORDER",
    "W04_wh_then_readd_dir": "RESURRECT",
    "W05_readd_dir_then_wh": "ORDER",
    "W06_opq_first": "DELETEDBYTES",
    "W08_opq_noparent_entry": "DELETEDBYTES",
    "W08b_opq_noparent_attrs": "IMPLIEDATTR DELETEDBYTES",
    "W09_opq_spec_example": "DELETEDBYTES",
    "W10_opq_root": "ROOTOPQ",
    "W10b_opq_root_last": "ROOTOPQ",
    "W15_wh_in_new_dir": "GHOST",
    "W16b_wh_before_opq": "GHOST DELETEDBYTES",
    "W17b_wh_empty_sub": "WHNAME",
    "W19_plnk_root": "AUFS",
    "W19b_aufs_only": "AUFS",
    "W19c_plnk_no_link": "AUFS",
    "W20_whwh_foo": "AUFS",
    "W21_wh_dir_then_child": "ORDER",
    "W21b_child_then_wh_dir": "ORDER",
    "W22_wh_dir_then_child_wh": "ORDER",
    "W23_wh_typ_dir": "DELETEDBYTES",
    "W23c_wh_typ_hardlink": "AUFS DELETEDBYTES",
    "W26_char00": "OVLXATTR DELETEDBYTES",
    "W27c_xattr_redirect": "OVLXATTR",
    "W28_wh_dir": "DELETEDBYTES",
    "W29_wh_layer0": "BASEWHITEOUT",
    "W29b_wh_after_layer0": "BASEWHITEOUT ORDER",
    "W30_three": "DELETEDBYTES",
    "W31_name_sorts_before_wh": "ORDER",
    "W33_wh_dot_slash": "DELETEDBYTES",
    "W34_wh_abs": "DELETEDBYTES",
    "X02_symlink_xattr_target": "XATTRDROP",
    "X05_three_wh_then_implied": "DELETEDBYTES",
    "X08_opq_via_symlink": "LINKSHADOW",
    "X09_link_over_lower_dir_then_child": "DELETEDBYTES",
    "X12_hardlink_to_whiteout": "XLINK DELETEDBYTES",
    "X17_child_of_wh_named_dir": "WHNAME",
    "X22_dup_whiteout": "DUP ORDER",
    "X26_opq_before_dir": "DELETEDBYTES",
    "X27_opq_then_file": "DELETEDBYTES",
    "X30_wh_readded_over_three": "DELETEDBYTES",
    "X31_wh_symlinkdir_readd_dir": "LINKSHADOW",
    "X32_wh_dir_readd_symlink": "DELETEDBYTES",
    "X33_hardlink_dir_parent_implied": "IMPLIEDATTR",
    "X34_implied_through_lower_symlink_attr": "LINKSHADOW IMPLIEDATTR",
    "X36_wh_child_of_replaced_symlink_dir": "GHOST",
    "X37_dir_entry_file_lower_whiteout_child": "GHOST FILETODIR DELETEDBYTES",
    "X38_sock_dev00_blk": "DEVICE",
    "X39_overlay_whiteout_xattr": "OVLXATTR",
    "X45_readonly_dir_then_child_layer": "IMPLIEDATTR DELETEDBYTES",
}
"""Case -> codes, without ROOTLESS; a case that is not here earns none."""


def _rootless(case: str) -> bool:
    """Whether the recorded extractors disagree: containerd with overlayfs, and onto the merged tree.

    Times of directories and link counts move without a difference in content and do not count.
    """
    overlay, onto = RESULTS[case]["containerd-overlay"], RESULTS[case]["containerd-sequential"]
    if "ERROR" in overlay or "ERROR" in onto:
        return ("ERROR" in overlay) != ("ERROR" in onto)

    def facts(tree: dict[str, str]) -> dict[str, object]:
        out: dict[str, object] = {}
        for path, line in tree.items():
            if line.startswith("GHOST"):
                out[path] = "ghost"
                continue
            parsed = parse(line)[0]
            out[path] = parsed._replace(nlink=1, mtime=None if parsed.kind == "d" else parsed.mtime)
        return out

    return facts(overlay) != facts(onto)


@pytest.mark.parametrize("case", sorted(RESULTS))
def test_case_earns_exactly_these_codes(case: str) -> None:
    earned = set(EARNED.get(case, "").split())
    if _rootless(case):
        earned.add("ROOTLESS")
    found = notes_of(load(case))
    assert {note.code for note in found} == earned, "\n".join(f"{n.code}: {n.message}" for n in found)
    for note in found:
        assert note.message and note.code in CODES


def test_the_table_names_real_cases_and_codes() -> None:
    assert not EARNED.keys() - RESULTS.keys()
    assert {code for codes in EARNED.values() for code in codes.split()} <= CODES.keys()


JUDGES = dict(
    zip(
        VIEWS,
        ("containerd-overlay", "umoci-dir", "containerd-sequential", "docker29-overlay2", "containers-storage-overlay"),
        strict=True,
    )
)


@pytest.mark.parametrize("case", sorted(RESULTS))
def test_views_disagree_where_the_extractors_do(case: str) -> None:
    """The paths that `compare` lists are those where the recorded trees differ, and refusals are the recorded ones.

    The recorded extractors ran without the check that stores add to them; what that refuses was seen in real loads.
    """
    layers = load(case)
    recorded = {view: RESULTS[case][judge] for view, judge in JUDGES.items()}
    found = compare_layers(layers)
    refused = {view for view, tree in recorded.items() if "ERROR" in tree}
    if any(path_comes_twice(layer) for layer in layers):
        assert {"docker@20.10", "podman@4.3"} <= set(REFUSED[case])
        refused |= {"docker", "podman"}
    assert set(found.refusals) == refused
    trees = {view: tree for view, tree in recorded.items() if view not in refused}
    expected: set[str] = set()
    if len(trees) > 1:
        for path in set().union(*trees.values()):
            seen = set()
            for view, tree in trees.items():
                line = tree.get(path)
                if line is None or line.startswith("GHOST"):
                    seen.add(line and "ghost")
                    continue
                facts = parse(line)[0]
                mode = 0o755 if path == "/" and view == "podman" and facts.mode == 0o555 else facts.mode
                time = None if facts.kind == "d" else facts.mtime
                seen.add(facts._replace(nlink=1, mode=mode, mtime=time))
            if len(seen) > 1:
                expected.add("/" + path.strip("/"))
    # A file that two views take from different entries with equal content is the same to a reader of the recording.
    listed = {difference.path for difference in found.differences}
    assert expected <= listed, expected - listed
    for extra in listed - expected:
        shown = next(d.shown for d in found.differences if d.path == extra)
        assert len({(f.kind, f.mode, f.uid, f.gid, f.size) if f else None for f in shown.values()}) == 1, extra
    assert found.total == len(found.differences)
