"""The whole line S1 to S7 on small trees; texts and codes are those of real starts (see the scenario corpus)."""

from __future__ import annotations

import pytest
from fake_rootfs import FakeRootfs

from imagepeel import forge
from imagepeel.forge import programs
from imagepeel.process.predict import predict
from imagepeel.process.spec.options import ProcessOptions
from imagepeel.process.spec.process_spec import ProcessSpec
from imagepeel.process.spec.values import Prediction

HELLO = programs.hello()


def start(
    *entries: forge.Entry, engine: str = "docker@28", options: ProcessOptions | None = None, **wanted: object
) -> Prediction:
    config = ProcessSpec(architecture="amd64", **wanted)  # type: ignore[arg-type]
    return predict(FakeRootfs(entries), config, options or ProcessOptions(engine=engine))


def test_a_static_program_runs_and_every_answer_is_there() -> None:
    found = start(
        forge.file("bin/hello", HELLO, 0o755), entrypoint=("hello", "a"), cmd=("b",), env=("A=1",), working_dir="/bin"
    )
    assert found.verdict.kind == "RUNS"
    assert found.argv == ("hello", "a", "b")
    assert found.path == "/bin/hello"
    assert found.cwd == "/bin"
    assert (found.user.uid, found.user.gid, found.user.groups) == (0, 0, (0,))
    assert [(v.name, v.origin) for v in found.env] == [
        ("PATH", "engine"),
        ("HOSTNAME", "engine"),
        ("A", "image"),
        ("HOME", "runtime"),
    ]
    assert found.execve == 'execve("/bin/hello", ["hello", "a", "b"], 4 variables)'


CREATE = "failed to create shim task: OCI runtime create failed: runc create failed: "
NOT_FOUND = 'exec: "nope": executable file not found in $PATH'
SHIM_20 = f"Error response from daemon: {CREATE}unable to start container process: {NOT_FOUND}: unknown"
SHIM_28 = (
    f"Error response from daemon: failed to create task for container: {CREATE}"
    f"unable to start container process: error during container init: {NOT_FOUND}"
)


@pytest.mark.parametrize(
    ("engine", "client", "state", "text"), [("docker@20.10", 127, 127, SHIM_20), ("docker@28", 127, 127, SHIM_28)]
)
def test_a_missing_command_fails_at_the_runtime(engine: str, client: int, state: int, text: str) -> None:
    verdict = start(entrypoint=("nope",), engine=engine).verdict
    assert (verdict.kind, verdict.id, verdict.judge) == ("FAILS", "F1", "J2")
    assert (verdict.exit_code, verdict.state_exit_code) == (client, state)
    assert verdict.text == text


def test_crlf_is_no_such_file_although_the_script_is_there() -> None:
    verdict = start(
        forge.file("bin/sh", HELLO, 0o755), forge.file("e.sh", "#!/bin/sh\r\nexit\r\n", 0o755), entrypoint=("/e.sh",)
    ).verdict
    assert (verdict.id, verdict.judge, verdict.errno) == ("F18", "J3", "ENOENT")
    assert verdict.text == "exec /e.sh: no such file or directory"
    assert verdict.exit_code == 255
    assert "sed" in verdict.fix


def test_the_next_failure_is_told() -> None:
    """A program for another machine that is not executable either: with the x bit comes the next error."""
    arm = bytearray(HELLO)
    arm[18:20] = b"\xb7\x00"  # e_machine: AArch64
    verdict = start(forge.file("app", bytes(arm), 0o644), entrypoint=("/app",)).verdict
    assert (verdict.kind, verdict.id, verdict.after) == ("FAILS", "F5", "exec /app: exec format error")
    assert start(forge.file("app", bytes(arm), 0o755), entrypoint=("/app",)).verdict.after == ""
    assert start(forge.file("app", HELLO, 0o644), entrypoint=("/app",)).verdict.after == ""


def test_the_next_failure_stands_behind_a_refusal_of_the_engine() -> None:
    verdict = start(forge.file("app", b"#!/nope\n", 0o755), entrypoint=("/app",), user="nosuch").verdict
    assert verdict.id == "F13"
    assert verdict.after == "exec /app: no such file or directory"
    verdict = start(forge.file("run.sh", b"#!/bin/nope\n", 0o600), entrypoint=("/run.sh",)).verdict
    assert (verdict.id, verdict.after) == ("F5", "exec /run.sh: no such file or directory")
