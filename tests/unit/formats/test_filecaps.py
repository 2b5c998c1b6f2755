"""File capabilities: the attribute bytes, and setcap/getcap as judge."""

from __future__ import annotations

import os
import shutil
import struct
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagepeel.errors import Malformed
from imagepeel.formats.filecaps import NAMES, FileCaps, mask_of, names_of, parse_filecaps


def test_version_2() -> None:
    value = struct.pack("<IIIII", 0x02000001, 1 << 10, 0, 0, 0)
    found = parse_filecaps(value)
    assert found == FileCaps(version=2, effective=True, permitted=1 << 10, inheritable=0)
    assert found.names == ("cap_net_bind_service",)
    assert found.text() == "cap_net_bind_service=ep"


def test_version_3_has_a_root_id() -> None:
    value = struct.pack("<IIIIII", 0x03000000, 0, 1 << 12, 1 << (38 - 32), 0, 100_000)
    found = parse_filecaps(value)
    assert found.root_id == 100_000 and not found.effective
    assert found.text() == "cap_perfmon=p cap_net_admin=i"


def test_version_1_has_32_bits() -> None:
    assert parse_filecaps(struct.pack("<III", 0x01000001, 1, 1)).text() == "cap_chown=eip"


@pytest.mark.parametrize(
    "value", [b"", b"\1", struct.pack("<I", 0x02000000), struct.pack("<I", 0x09000000), b"\0" * 20]
)
def test_malformed(value: bytes) -> None:
    with pytest.raises(Malformed):
        parse_filecaps(value)


def test_masks_and_names_are_inverse() -> None:
    assert mask_of(("CHOWN", "cap_sys_admin")) == 1 | 1 << 21
    assert names_of(mask_of(list(NAMES))) == NAMES
    assert names_of(1 << 63) == ("cap_63",)
    with pytest.raises(Malformed):
        mask_of(("cap_everything",))


@given(st.binary(max_size=40))
def test_any_bytes(value: bytes) -> None:
    try:
        found = parse_filecaps(value)
    except Malformed:
        return
    assert found.version in (1, 2, 3)
    assert isinstance(found.text(), str)


@pytest.mark.judge
@pytest.mark.root
def test_setcap_agrees(tmp_path: Path) -> None:
    if shutil.which("setcap") is None or shutil.which("getcap") is None or os.geteuid() != 0:
        pytest.skip("needs root, setcap and getcap")
    file = tmp_path / "f"
    file.write_bytes(b"x")
    for wanted in ("cap_net_bind_service=ep", "cap_net_admin,cap_net_raw=p", "cap_perfmon=eip", "cap_chown=i"):
        subprocess.run(["setcap", wanted, str(file)], check=True)
        shown = subprocess.run(["getcap", str(file)], check=True, capture_output=True, text=True).stdout
        found = parse_filecaps(os.getxattr(file, b"security.capability"))
        assert found.text() == shown.split()[-1]
