"""Judge, engine, errno and path of a text with anything around it; exit codes, signals and states."""

from __future__ import annotations

import io
import json

import pytest

from imagepeel.decoding.clean import LONGEST, MOST, bounded, lines, readable
from imagepeel.decoding.decode import Reading, decode
from imagepeel.errors import Malformed, UsageError
from imagepeel.process.spec.failure import FailureCode, Judge

KERNEL = "exec /entrypoint.sh: no such file or directory"
RUNC = "OCI runtime create failed: runc create failed: unable to start container process: "
TASK = "failed to create shim task: "
MISSING = 'exec: "nginx": executable file not found in $PATH'


def first(text: str, engine: str = "") -> Reading:
    return decode(text, engine).readings[0]


@pytest.mark.parametrize(
    "around",
    [
        "{}",
        "web-1  | {}",
        "Nov 26 22:35:01 node3 dockerd[811]: {}",
        "\x1b[31m{}\x1b[0m",
        "2026-11-26T22:35:01.123456789Z stderr F {}",
        "$ docker run shop\n{}\n$ echo $?",
        "> {}\r\n",
        "  Warning  Failed  3s (x2 over 5s)  kubelet  Error: {}",
    ],
)
def test_a_text_is_found_in_what_stands_around_it(around: str) -> None:
    found = first(around.format(KERNEL))
    assert (found.judge, found.errno, found.about) == (Judge.KERNEL, "ENOENT", "/entrypoint.sh")
    assert found.codes[0] is FailureCode.SHEBANG_CRLF
    assert set(found.codes) == {
        FailureCode.SHEBANG_CRLF,
        FailureCode.INTERPRETER_MISSING,
        FailureCode.LOADER_MISSING,
    }


@pytest.mark.parametrize("times", [1, 2, 3])
def test_a_text_is_found_in_json_in_json(times: int) -> None:
    line = MISSING
    for _ in range(times):
        line = json.dumps({"log": f"{line}\n", "stream": "stderr"})
    assert (first(line).judge, first(line).about) == (Judge.RUNTIME, "nginx")


@pytest.mark.parametrize(
    ("text", "families"),
    [
        (f"docker: Error response from daemon: failed to create task for container: {TASK}{RUNC}{MISSING}", {"docker"}),
        (f"Error: failed to create containerd task: {TASK}{RUNC}{MISSING}: unknown", {"k8s", "cri-containerd"}),
        (f"ctr: {TASK}{RUNC}{MISSING}: unknown", {"containerd"}),
        ("Error: crun: executable file `nginx` not found in $PATH: No such file or directory", {"podman"}),
        (f"Error: runc: runc create failed: unable to start container process: {MISSING}", {"podman"}),
    ],
)  # fmt: skip
def test_the_words_before_name_the_engine(text: str, families: set[str]) -> None:
    found = first(text)
    assert {name.partition("@")[0] for name in found.engines} == families
    assert FailureCode.NOT_IN_PATH in found.codes


def test_the_name_in_the_text_speaks_for_a_cause() -> None:
    words = 'exec: "{}": executable file not found in $PATH'
    assert first(words.format("npm start")).codes[0] is FailureCode.COMMAND_LINE_AS_NAME
    assert FailureCode.COMMAND_LINE_AS_NAME not in first(words.format("npm")).codes
    assert first(words.format("npm")).codes[0] is FailureCode.NOT_IN_PATH
    assert first("exec /usr/bin/app: no such file or directory").codes[0] is FailureCode.LOADER_MISSING
    assert first("exec /run.sh: no such file or directory").codes[0] is FailureCode.SHEBANG_CRLF


def test_an_exec_format_error_is_not_said_to_be_crlf() -> None:
    found = first("exec /app: exec format error")
    assert FailureCode.SHEBANG_CRLF not in found.codes
    assert any("CRLF does not give this" in said for said in found.friends)


@pytest.mark.parametrize(
    ("text", "state"),
    [
        ("137", "SIGKILL"),
        ("SIGKILL", "SIGKILL"),
        ("kill", "SIGKILL"),
        ("139", "SIGSEGV"),
        ("143", "SIGTERM"),
        ("127", "exit-127"),
        ("Exited (137) 5 minutes ago", "SIGKILL"),
        ("web-1 exited with code 143", "SIGTERM"),
        ("      Exit Code:    139", "SIGSEGV"),
        ("app.service: Main process exited, code=killed, status=9/KILL", "SIGKILL"),
        ("app.service: Main process exited, code=exited, status=203/EXEC", "systemd-exec"),
        ("web   0/1   ErrImagePull   0   3s", "not-pulled"),
        ("web   0/1   RunContainerError   0   3s", "not-created"),
    ],
)
def test_codes_signals_and_states(text: str, state: str) -> None:
    assert state in {one.state.id for one in decode(text).readings if one.state}


def test_docker_inspect_of_a_container_that_was_not_killed_for_its_memory() -> None:
    """docker container inspect, State: OOMKilled is there for every container."""
    state = {"Status": "exited", "OOMKilled": False, "Dead": False, "ExitCode": 137, "Error": ""}
    for text in (json.dumps({"State": state}), json.dumps({"State": state}, indent=4)):
        assert [one.state.id for one in decode(text).readings if one.state] == ["SIGKILL"]
    assert "oom-killed" in {one.state.id for one in decode('"OOMKilled": true,').readings if one.state}


def test_an_exit_code_has_the_failures_of_the_engine_that_is_named() -> None:
    """podman(1) and docker(1), EXIT STATUS: 127 where the command cannot be found, 126 where it cannot be invoked."""
    assert FailureCode.NOT_IN_PATH in first("127", "podman").codes
    assert FailureCode.NOT_IN_PATH in first("127", "docker").codes
    assert FailureCode.NOT_EXECUTABLE in first("126", "podman").codes
    assert FailureCode.NOT_EXECUTABLE not in first("127", "podman").codes
    assert FailureCode.USER_UNKNOWN in first("125", "docker").codes
    assert FailureCode.LOADER_MISSING in first("255", "docker").codes  # runc after 1.1


def test_an_unknown_engine_is_an_error() -> None:
    with pytest.raises(UsageError, match="no engine"):
        decode("127", "lxc")


@pytest.mark.parametrize("data", [b"\x7fELF\x02\x01\x01" + bytes(60), bytes(5000), bytes(range(9)) * 40])
def test_binary_is_one_error(data: bytes) -> None:
    with pytest.raises(Malformed, match="no text"):
        readable(data)
    with pytest.raises(Malformed, match="no text"):
        bounded(io.BytesIO(data))


def test_of_a_huge_log_both_ends_are_read() -> None:
    filler = b"nothing to see here\n" * (2 * MOST // 20)
    for data in (KERNEL.encode() + b"\n" + filler, filler + KERNEL.encode()):
        kept, unread = bounded(io.BytesIO(data))
        assert len(kept) == MOST + 1 and unread == len(data) - MOST
        assert first(readable(kept)).judge is Judge.KERNEL
    between = b"x\n" * (MOST // 2) + b"the end\n"
    kept, unread = bounded(io.BytesIO(between))
    assert kept.endswith(b"x\nthe end\n") and unread == len(between) - MOST
    assert bounded(io.BytesIO(b"x\n" * (MOST // 2))) == (b"x\n" * (MOST // 2), 0)


def test_a_long_line_is_read_whole_in_parts() -> None:
    assert first("x" * 3 * LONGEST + " " + KERNEL).judge is Judge.KERNEL
    parts = list(lines("x" * 100 + " " + "y" * 5 * LONGEST))
    assert all(len(part) <= LONGEST for part in parts)
