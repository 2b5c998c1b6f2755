"""Content labels: own signatures, libmagic where it is there, and nothing of the process left changed by it."""

from __future__ import annotations

import subprocess
import sys

import pytest

from imagepeel.interop import magic_label
from imagepeel.interop.magic_label import label, sniff


@pytest.mark.parametrize(
    ("head", "wanted"),
    [
        (b"", "empty"),
        (b"\x7fELF\x02\x01", "ELF program or library"),
        (b"#!/bin/sh -e\nexit\n", "script for /bin/sh -e"),
        (b"#!\n", "script"),
        (b"\x1f\x8b\x08\x00", "gzip compressed data"),
        (b"\x28\xb5\x2f\xfd\x00", "Zstandard compressed data"),
        (b"plain\n", "ASCII text"),
        ("käse\n".encode(), "UTF-8 text"),
        (b"\xe9t\xe9\n", "data"),
        (b"a\x00b", "data"),
        (b"a\x01b", "data"),
        (b"name".ljust(257, b"\0") + b"ustar\x0000", "tar archive"),
        (b"-----BEGIN CERTIFICATE-----\n", "PEM certificate"),
    ],
)
def test_signatures(head: bytes, wanted: str) -> None:
    assert sniff(head) == wanted


def test_a_character_that_is_cut_by_the_end_of_the_head_is_still_text() -> None:
    head = "häuser ".encode() * 10 + "€".encode()[:2]
    assert sniff(head, whole=False) == "UTF-8 text"
    assert sniff(head, whole=True) == "data"


def test_without_libmagic_the_own_signatures_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(magic_label, "libmagic", lambda: None)
    magic_label._label.cache_clear()
    assert label(b"#!/bin/sh\n") == "script for /bin/sh"
    magic_label._label.cache_clear()


def test_a_failing_libmagic_is_not_the_users_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: bytes) -> str:
        raise RuntimeError("libmagic gave up")

    monkeypatch.setattr(magic_label, "libmagic", lambda: fail)
    magic_label._label.cache_clear()
    assert label(b"plain\n") == "ASCII text"
    magic_label._label.cache_clear()


def test_looking_for_libmagic_leaves_the_process_as_it_was() -> None:
    # In a process of its own: what importing does, it does once.
    code = (
        "import ctypes, os\n"
        "from imagepeel.interop.magic_label import libmagic\n"
        "before, init = dict(os.environ), ctypes.CDLL.__init__\n"
        "ask = libmagic()\n"
        "assert dict(os.environ) == before and ctypes.CDLL.__init__ is init\n"
        "print(ask is None or 'ELF' in ask(b'\\x7fELF\\x02\\x01\\x01' + bytes(57)))"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "True\n"


def test_libmagic_labels_where_it_is_installed() -> None:
    if magic_label.libmagic() is None:
        pytest.skip("libmagic is not installed")
    magic_label._label.cache_clear()
    # Its words change with its version, so only that it says something else than nothing is known.
    assert "ELF" in label(b"\x7fELF\x02\x01\x01" + bytes(57))


def test_importing_the_module_loads_neither_magic_nor_its_carrier() -> None:
    code = (
        "import sys, imagepeel.interop.magic_label\n"
        "print([name for name in ('magic', 'pylibmagic') if name in sys.modules])"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"
