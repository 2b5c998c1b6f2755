"""Programs that switch the user: their right to it, their words without it, and who it is after that.

Each text and exit code was seen with gosu 1.14 and util-linux 2.38 on Debian 12, as the user nobody and as root with
one capability less.
"""

from __future__ import annotations

import pytest
from fake_rootfs import FakeRootfs

from imagepeel import forge
from imagepeel.forge import programs
from imagepeel.process.predict import predict
from imagepeel.process.spec.options import ProcessOptions
from imagepeel.process.spec.process_spec import ProcessSpec
from imagepeel.process.spec.values import Prediction

PASSWD = "root:x:0:0::/root:/bin/sh\nnobody:x:65534:65534::/nonexistent:/bin/sh\nbob:x:7:8::/bob:/bin/bash\n"
GROUP = "root:x:0:\nnogroup:x:65534:\nbob:x:8:\nmore:x:90:bob,nobody\n"
NOBODY = {"user": "nobody"}


def start(words: str, *, mode: int = 0o755, xattrs: dict[str, bytes] | None = None, **options: object) -> Prediction:
    """Start a command line in a tree in which every program is static and lies in /bin."""
    names = ["app", words.split()[0]]
    entries = [
        forge.file("etc/passwd", PASSWD),
        forge.file("etc/group", GROUP),
        *(forge.file(f"bin/{name}", programs.report(), mode if name != "app" else 0o755) for name in set(names)),
    ]
    wanted = ProcessSpec(entrypoint=tuple(words.split()), architecture="amd64", user=str(options.pop("user", "")))
    engine = str(options.pop("engine", "runc@1.1"))
    return predict(FakeRootfs(tuple(entries)), wanted, ProcessOptions(engine=engine, **options))  # type: ignore[arg-type]


NO_UID, NO_GID = {"cap_drop": ("SETUID",)}, {"cap_drop": ("SETGID",)}


GOSU_NOBODY = 'error: failed switching to "nobody": operation not permitted'
DENIED = "Operation not permitted"
NO_ENTRY = "setpriv: uid 77777 not found, --init-groups requires an user that can be found on the system"
NO_WAY = "setpriv: --[re]gid requires --keep-groups, --clear-groups, --init-groups, or --groups"
TWO_WAYS = "setpriv: mutually exclusive arguments: --clear-groups --keep-groups --init-groups --groups"


@pytest.mark.parametrize(
    ("words", "options", "text", "code"),
    [
        ("gosu nobody app", NOBODY, GOSU_NOBODY, 1),
        ("gosu nobody app", NO_UID, GOSU_NOBODY, 1),
        ("gosu root app", NO_GID, 'error: failed switching to "root": operation not permitted', 1),
        ("setpriv --reuid nobody --clear-groups app", NOBODY, f"setpriv: setgroups failed: {DENIED}", 127),
        ("setpriv --reuid root app", NOBODY, f"setpriv: setresuid failed: {DENIED}", 127),
        ("setpriv --regid root --keep-groups app", NOBODY, f"setpriv: setresgid failed: {DENIED}", 127),
        ("setpriv --reuid bob --regid bob --init-groups app", NO_GID, f"setpriv: setresgid failed: {DENIED}", 127),
        ("setpriv --reuid nobody --init-groups app", NOBODY, f"setpriv: initgroups failed: {DENIED}", 127),
        ("setpriv --regid bob app", {}, NO_WAY, 1),
        ("setpriv --init-groups app", {}, "setpriv: --init-groups requires --ruid or --reuid", 1),
        ("setpriv --reuid 77777 --init-groups app", {}, NO_ENTRY, 1),
        ("setpriv --reuid ghost app", {}, "setpriv: failed to parse reuid: 'ghost'", 1),
        ("setpriv --clear-groups --keep-groups --regid 5 app", {}, TWO_WAYS, 1),
    ],
)
def test_who_may_not_switch_is_told_so(words: str, options: dict[str, object], text: str, code: int) -> None:
    verdict = start(words, **options).verdict
    assert (verdict.kind, verdict.id) == ("FAILS", "F36"), verdict
    assert (verdict.message, verdict.runtime_exit_code) == (text, code)


@pytest.mark.parametrize(
    ("words", "options", "who"),
    [
        ("gosu bob app", {}, (7, 8, (90,))),
        ("gosu root app", NO_UID, (0, 0, ())),
        ("setpriv --reuid nobody app", NOBODY, (65534, 65534, (65534, 90))),
        ("setpriv --reuid bob --regid bob --init-groups app", {}, (7, 8, (8, 90))),
        ("setpriv --reuid bob --regid bob --clear-groups app", {}, (7, 8, ())),
        ("setpriv --reuid bob --regid bob --groups more,12 app", {}, (7, 8, (90, 12))),
    ],
)
def test_who_may_switch_becomes_that_user(
    words: str, options: dict[str, object], who: tuple[int, int, tuple[int, ...]]
) -> None:
    found = start(words, **options)
    assert found.verdict.kind == "RUNS", found.verdict
    assert found.pid1 is not None
    assert (found.pid1.path, found.pid1.uid, found.pid1.gid) == ("/bin/app", *who[:2])
    assert sorted(found.pid1.groups) == sorted(who[2])


def test_gosu_refuses_the_set_uid_bit() -> None:
    verdict = start("gosu nobody app", mode=0o4755).verdict
    assert verdict.kind == "FAILS"
    assert verdict.message.startswith(
        "error: \"gosu\" appears to be installed with the 'setuid' bit set, which is an *ex"
    )


@pytest.mark.parametrize("engine", ["docker@20.10", "docker@28", "podman@4.3", "containerd@1.6"])
def test_no_engine_lets_another_user_than_root_switch(engine: str) -> None:
    """Also engines that give capabilities to other users take them away at execve."""
    assert start("gosu nobody app", engine=engine, user="nobody").verdict.kind == "FAILS"
