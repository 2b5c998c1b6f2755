"""USER against passwd and group: the rules by hand, and gosu (which carries moby's own parser) as judge."""

from __future__ import annotations

import os
import shutil
import subprocess
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imagepeel.evidence import text
from imagepeel.formats.passwd import (
    AccountFile,
    AccountSource,
    Identity,
    Unreadable,
    UserRefused,
    account_file,
    atoi,
    go_quote,
    parse_group,
    parse_passwd,
    resolve_user,
)

PASSWD = b"""root:x:0:0:root:/root:/bin/sh
app:x:1000:1234:App:/home/app:/bin/sh
999:x:77:78::/n:/bin/sh
dup:x:1000:5:second:/dup:/bin/sh
"""
GROUP = b"""root:x:0:
# a comment
extra:x:5555:app,other
more:x:6666:other,app
app:x:1234:
wheel:x:10:root
"""


def read(data: bytes | Unreadable | None) -> AccountSource:
    return account_file(data) if isinstance(data, bytes) else data


def ok(spec: str, passwd: bytes | None = PASSWD, group: bytes | None = GROUP, rules: str = "moby") -> Identity:
    return resolve_user(spec, read(passwd), read(group), rules=rules)


def bad(
    spec: str,
    passwd: bytes | Unreadable | None = PASSWD,
    group: bytes | None = GROUP,
    rules: str = "moby",
    strict_ids: bool = False,
) -> UserRefused:
    with pytest.raises(UserRefused) as refused:
        resolve_user(spec, read(passwd), read(group), rules=rules, strict_ids=strict_ids)
    return refused.value


def ids(found: Identity) -> tuple[int, int, tuple[int, ...]]:
    return found.uid, found.gid, found.groups


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ("", (0, 0, (10,))),
        ("app", (1000, 1234, (5555, 6666))),
        ("app:", (1000, 1234, (5555, 6666))),
        ("app:extra", (1000, 5555, ())),
        ("app:42", (1000, 42, ())),
        ("1000", (1000, 1234, (5555, 6666))),
        ("999", (999, 0, ())),
        (":10", (0, 10, ())),
        ("app:extra:ignored", (1000, 5555, ())),
        ("2147483647", (2147483647, 0, ())),
    ],
)
def test_moby(spec: str, expected: tuple[int, int, tuple[int, ...]]) -> None:
    assert ids(ok(spec)) == expected


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("ghost", "unable to find user ghost: no matching entries in passwd file"),
        ("app:ghost", "unable to find group ghost: no matching entries in group file"),
        ("-1", "uids and gids must be in range 0-2147483647"),
        ("2147483648", "uids and gids must be in range 0-2147483647"),
        ("app:-1", "uids and gids must be in range 0-2147483647"),
    ],
)
def test_moby_refuses(spec: str, message: str) -> None:
    assert str(bad(spec)) == message


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ("", (0, 0, (10,))),
        ("app", (1000, 1234, (5555, 6666))),
        ("app:extra", (1000, 5555, (5555, 6666))),
        ("app:", (1000, 0, (5555, 6666))),
        ("1000:7", (1000, 7, (5555, 6666))),
        ("4242", (4242, 0, ())),
    ],
)
def test_containerd(spec: str, expected: tuple[int, int, tuple[int, ...]]) -> None:
    assert ids(ok(spec, rules="containerd")) == expected


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("ghost", "no users found"),
        ("app:ghost", "no groups found"),
        ("a:b:c", "invalid USER value a:b:c"),
        ("-1", 'invalid USER value "-1": uid out of range'),
        ("1:99999999999", 'invalid USER value "1:99999999999": gid out of range'),
    ],
)
def test_containerd_refuses(spec: str, message: str) -> None:
    assert str(bad(spec, rules="containerd", strict_ids=True)) == message


HUGE = b"99999999999999999999:x:0:0::/:/bin/sh\nroot:x:0:0::/root:/bin/sh\n"


def test_a_number_that_is_no_id_was_once_looked_up_as_a_name() -> None:
    """CVE-2026-46680 and moby/sys user before 0.4.1: such a line of passwd made it uid 0."""
    for rules in ("moby", "containerd", "cri", "cri-moby"):
        assert resolve_user("99999999999999999999", read(HUGE), read(GROUP), rules=rules).uid == 0
        refused = bad("99999999999999999999", HUGE, GROUP, rules=rules, strict_ids=True)
        assert refused.kind == "range"
    assert str(bad("-1", rules="containerd")) == "no users found"
    assert str(bad("1:99999999999", rules="containerd")) == "no groups found"


def test_kubernetes_loses_the_group() -> None:
    assert ids(ok("4242:5555", rules="cri")) == (4242, 0, ())
    assert ids(ok("app:nosuch", rules="cri")) == (1000, 1234, (5555, 6666))


def test_a_comment_line_becomes_root() -> None:
    found = ok("", b"# users\n" + PASSWD)
    assert (found.name, found.home, found.groups) == ("# users", "", ())
    assert found.user_entry is not None and found.user_entry.line == 1
    assert any("comment" in note for note in found.notes)


def test_an_id_that_is_no_number_is_zero() -> None:
    assert ids(ok("app", b"app:x:oops:5\n", None)) == (0, 5, ())
    assert ids(ok("app", b"app:x:1000:staff:\n", None)) == (1000, 0, ())
    assert ids(ok("app", b"app:x:abc:5\napp:x:1000:1000::/:\n", None)) == (0, 5, ())


def test_short_lines_and_missing_files() -> None:
    assert ids(ok("app", b"app", b"")) == (0, 0, ())
    assert ids(ok("5", None, None)) == (5, 0, ())
    assert ids(ok("", None, None)) == (0, 0, ())
    assert bad("app", None, None).kind == "user-missing"


def test_unreadable() -> None:
    refused = bad("app", Unreadable(reason="is a directory", errno="EISDIR"), None)
    assert str(refused) == "unable to find user app: is a directory"
    assert refused.errno == "EISDIR"
    assert bad("app", None, None, rules="containerd").errno == "ENOENT"
    assert bad("app", None, None).errno == ""


def test_a_line_of_64_kib_spoils_passwd() -> None:
    fits = b"app:x:1:2:" + b"g" * (65_535 - 10) + b"\n"
    assert ok("app", fits, None).uid == 1
    spoiled = b"app:x:1:2:" + b"g" * (65_536 - 10) + b"\n"
    assert str(bad("app", spoiled, None)) == "unable to find user app: bufio.Scanner: token too long"


def test_offsets_name_the_line() -> None:
    entries = parse_passwd(PASSWD)
    assert PASSWD[entries[1].offset :].startswith(b"app:")
    groups = parse_group(GROUP)
    assert [group.name for group in groups] == ["root", "extra", "more", "app", "wheel"]
    assert GROUP[groups[1].offset :].startswith(b"extra:")


def test_atoi_is_that_of_go() -> None:
    assert atoi("+5") == (5, "")
    assert atoi("-0") == (0, "")
    assert atoi("1_000") == (0, "syntax")
    assert atoi("٣") == (0, "syntax")
    assert atoi(" 1") == (0, "syntax")
    assert atoi("9223372036854775807") == (2**63 - 1, "")
    assert atoi("9223372036854775808") == (2**63 - 1, "range")
    assert atoi("-9223372036854775808") == (-(2**63), "")
    assert atoi("-9223372036854775809") == (-(2**63), "range")
    assert atoi("9" * 100_000) == (2**63 - 1, "range")


def test_go_quote() -> None:
    assert go_quote('a"b\\\n\x1b\u202e\udcff') == '"a\\"b\\\\\\n\\x1b\\u202e\\xff"'


@given(st.text(max_size=30), st.binary(max_size=400), st.binary(max_size=400))
def test_any_input(spec: str, passwd: bytes, group: bytes) -> None:
    for rules in ("moby", "containerd", "cri"):
        try:
            found = resolve_user(spec, read(passwd), read(group), rules=rules)
        except UserRefused as refused:
            assert str(refused)
        else:
            assert 0 <= found.uid < 2**32 and 0 <= found.gid < 2**32


@given(st.binary(max_size=2_000))
def test_line_numbers_grow(data: bytes) -> None:
    lines = [entry.line for entry in parse_passwd(data)]
    assert lines == sorted(set(lines))


CASES = [
    ("", PASSWD, GROUP),
    ("app", PASSWD, GROUP),
    ("app:extra", PASSWD, GROUP),
    ("app:42", PASSWD, GROUP),
    ("1000", PASSWD, GROUP),
    ("999", PASSWD, GROUP),
    ("ghost", PASSWD, GROUP),
    ("app:ghost", PASSWD, GROUP),
    ("-1", PASSWD, GROUP),
    ("+1000", PASSWD, GROUP),
    ("01000", PASSWD, GROUP),
    ("2147483648", PASSWD, GROUP),
    ("99999999999999999999", PASSWD, GROUP),
    ("app:99999999999999999999", PASSWD, GROUP),
    ("0", b"# c\n" + PASSWD, GROUP),
    ("app", b"app:x:abc:5\n" + PASSWD, GROUP),
    ("app", b"  app:x: 7:5\n" + PASSWD, GROUP),
    ("app", b"\xc2\xa0app:x:7:5\xe3\x80\x80\n", GROUP),
    ("app", b"app:x:7:5:::\r\n", b"a:x:3:app\r\nb:x:4:x,app\r\n"),
    ("app", b"app", GROUP),
    ("app", b"app:x:7", b"z\napp\nq:x:oops:app\n  # c:x:1:app\n"),
    ("app:q", b"app:x:7:8", b"q:x:oops:\nq:x:9:\n"),
    ("app:9", b"app:x:7:8", b"q:x:9:\n"),
    ("app", b"app:x:1:2:" + b"g" * 65_525 + b"\n", GROUP),
    ("app", b"app:x:1:2:" + b"g" * 65_526 + b"\n", GROUP),
    ("app", b"app:x:1:2:" + b"g" * 65_526, GROUP),
    ("app", b"app:x:1:2:" + b"g" * 65_525, GROUP),
    ("app", PASSWD, b"long:x:5:" + b"u," * 40_000 + b"app\n"),
    ("a:b:c", PASSWD + b"a:x:3:4\n", GROUP + b"b:x:12:\n"),
]


@pytest.mark.judge
@pytest.mark.root
def test_gosu_agrees(tmp_path: Path) -> None:
    """gosu resolves its first argument with the same Go package that docker uses."""
    gosu, busybox = shutil.which("gosu"), shutil.which("busybox")
    if gosu is None or busybox is None or os.geteuid() != 0:
        pytest.skip("needs root, gosu and a static busybox")
    tmp_path.chmod(0o755)
    (tmp_path / "etc").mkdir()
    # gosu looks whether it is set-uid itself; a file in this place answers.
    (tmp_path / "proc/self").mkdir(parents=True)
    (tmp_path / "proc/self/exe").touch()
    shutil.copy(gosu, tmp_path / "gosu")
    shutil.copy(busybox, tmp_path / "busybox")
    for spec, passwd, group in CASES:
        (tmp_path / "etc/passwd").write_bytes(passwd)
        (tmp_path / "etc/group").write_bytes(group)
        done = subprocess.run(
            [
                "/gosu",
                spec,
                "/busybox",
                "sh",
                "-c",
                "echo $(/busybox id -u) $(/busybox id -g) $(/busybox id -G) H$HOME",
            ],
            preexec_fn=lambda: (os.chroot(tmp_path), os.chdir("/"))[0],
            capture_output=True,
            env={"PATH": "/"},
        )
        try:
            found = resolve_user(spec, read(passwd), read(group))
        except UserRefused as refused:
            assert done.returncode == 1, (spec, done)
            assert done.stderr.decode().strip().endswith(str(refused)), (spec, done.stderr, refused)
            continue
        assert done.returncode == 0, (spec, done.stderr, found)
        words = done.stdout.decode("utf-8", "surrogateescape").strip().split(" ")
        uid, gid = int(words[0]), int(words[1])
        groups = [int(word) for word in words[2:-1]]
        assert words[-1] == "H" + ("/" if found.home is None else found.home), (spec, words)
        assert (uid, gid) == (found.uid, found.gid), (spec, passwd[:40])
        assert groups == [gid, *(number for number in found.groups if number != gid)], (spec, passwd[:40])


def test_the_same_bytes_are_asked_once() -> None:
    first = account_file(PASSWD)
    assert account_file(bytes(bytearray(PASSWD))) is first
    assert first.user(0) is first.user(0) and first.user(0) == parse_passwd(PASSWD)[0]


_FIELD = st.text(alphabet="ab0179-+ #\x85\xe9", max_size=4)
_LINE = st.one_of(
    _FIELD, st.lists(_FIELD, min_size=3, max_size=7).map(":".join), st.just("x:" + "9" * 20 + ":" + "9" * 20)
)
_NUMBERS = st.one_of(st.integers(-20, 120), st.sampled_from((2**63 - 1, -(2**63), 2**63 - 2)))


@settings(max_examples=400, deadline=None)
@given(st.lists(_LINE, max_size=8), st.binary(max_size=3), _FIELD, _NUMBERS)
def test_a_question_finds_what_reading_every_line_finds(lines: list[str], end: bytes, name: str, number: int) -> None:
    data = "\n".join(lines).encode() + end
    users, groups, found = parse_passwd(data), parse_group(data), AccountFile(data)
    for wanted in (name, text(end), *[one.name for one in (*users, *groups)]):
        assert found.user(wanted) == next((one for one in users if one.name == wanted), None)
        assert found.group(wanted) == next((one for one in groups if one.name == wanted), None)
        assert found.groups_of(wanted) == tuple(one for one in groups if wanted in one.members)
    for wanted in (number, *[one.uid for one in users], *[one.gid for one in groups]):
        assert found.user(wanted) == next((one for one in users if one.uid == wanted), None)
        assert found.group(wanted) == next((one for one in groups if one.gid == wanted), None)


def test_a_name_that_no_file_can_hold_is_not_found() -> None:
    assert AccountFile(PASSWD).user("\ud800") is None


@pytest.mark.parametrize(("length", "too_long"), [(65_534, False), (65_535, False), (65_536, True), (70_000, True)])
def test_the_line_that_is_too_long_is_found_wherever_it_stands(length: int, too_long: bool) -> None:
    line = b"x" * length
    for data in (line, line + b"\n", b"a\n\n" + line + b"\nb\n", b"y" * 40_000 + b"\n" + line):
        assert AccountFile(data).too_long is too_long


def test_a_file_of_many_lines_costs_little_beside_its_bytes() -> None:
    data = b"".join(b"user%d:x:%d:%d::/:/bin/sh\n" % (k, k + 1, k) for k in range(50_000))
    found = AccountFile(data)
    tracemalloc.start()
    try:
        assert found.user("nobody") is None and found.user(0) is None
        assert found.group("nobody") is None and not found.groups_of("nobody") and not found.too_long
        assert tracemalloc.get_traced_memory()[1] < len(data) // 4
    finally:
        tracemalloc.stop()
