"""process and forge as a user calls them."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from imagepeel import forge

Run = Callable[..., Any]
Make = Callable[..., Path]


def prediction(run_cli: Run, *words: Any) -> Any:
    done = run_cli("process", "--json", *words)
    assert done.exit_code == 0, done.stderr
    return json.loads(done.stdout)["result"]["prediction"]


def test_a_start_that_works_shows_request_origin_and_verdict(run_cli: Run, forge_archive: Make) -> None:
    out = run_cli("process", forge_archive("shop"), "--verbose").stdout
    lines = out.splitlines()
    assert lines[4].startswith("starts on docker@29.7")
    assert 'execve("/usr/local/bin/entrypoint.sh", ["entrypoint.sh", "/srv/shop/bin/serve", "--port", "8080"]' in out
    assert "999:999 (shop)" in out
    assert "SHOP_PORT=8080   from the image" in out
    assert "HOME=/srv/shop   from the runtime" in out
    for judge in ("the engine", "the runtime, before it executes", "the kernel, in execve"):
        assert judge in lines or any(line.startswith(judge) for line in lines)


def test_a_failure_shows_the_operators_words_first(run_cli: Run, forge_archive: Make) -> None:
    result = run_cli("process", forge_archive("broken-entrypoint"))
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert lines[2].startswith("FAILS on docker@29.7; the kernel refused it: ENOENT; exit code 255")
    assert lines[3] == "exec /entrypoint.sh: no such file or directory"
    at = {
        word: next(i for i, line in enumerate(lines) if line.strip().startswith(word))
        for word in ("why", "fix", "asks")
    }
    assert 3 < at["why"] < at["fix"] < at["asks"]
    assert lines[-1] == "FAILS on docker@29.7"


def test_words_after_the_dashes_replace_the_command(run_cli: Run, forge_archive: Make) -> None:
    path = forge_archive("shop")
    assert prediction(run_cli, path, "--", "/bin/sh", "-c", "id")["argv"] == ["entrypoint.sh", "/bin/sh", "-c", "id"]
    assert prediction(run_cli, path, "--entrypoint", "sh", "--", "-c", "id")["argv"] == ["sh", "-c", "id"]
    assert prediction(run_cli, path, "--entrypoint", "", "--", "sh")["argv"] == ["sh"]


def test_overrides_reach_the_prediction(run_cli: Run, forge_archive: Make) -> None:
    found = prediction(
        run_cli, forge_archive("shop"), "-u", "0:5", "-e", "A=1", "-e", "SHOP_PORT=1", "-w", "/tmp", "--engine",
        "podman@5.8", "--cap-drop", "ALL", "--cap-add", "CHOWN", "--no-new-privileges",
    )  # fmt: skip
    assert (found["user"]["uid"], found["user"]["gid"]) == (0, 5)
    assert found["user"]["bounding"] == ["CHOWN"]
    assert found["user"]["no_new_privileges"] is True
    env = {variable["name"]: variable for variable in found["env"]}
    assert env["A"]["value"] == "1" and env["A"]["origin"] == "user"
    assert env["SHOP_PORT"]["value"] == "1"
    assert found["cwd"] == "/tmp"
    assert found["engine"] == "podman@5.8"


def test_another_architecture_does_not_run(run_cli: Run, forge_archive: Make) -> None:
    found = prediction(run_cli, forge_archive("hello"), "--host-arch", "arm64")
    assert found["architecture"] == "arm64"
    assert found["verdict"]["kind"] in ("FAILS", "DEPENDS")


def test_the_matrix_has_one_verdict_a_cell(run_cli: Run, forge_archive: Make) -> None:
    path = forge_archive("hello")
    result = json.loads(run_cli("process", "--matrix", "--json", path).stdout)["result"]
    assert len(result["cells"]) == len(result["engines"]) * len(result["architectures"])
    assert result["ended"] == ["docker@20.10", "podman@4.3"]
    assert {cell["verdict"]["kind"] for cell in result["cells"] if cell["architecture"] == "amd64"} == {"RUNS"}
    lines = run_cli("process", "--matrix", path).stdout.splitlines()
    assert [line.split()[0] for line in lines[3 : 3 + len(result["engines"])]] == result["engines"]


@pytest.mark.judge
def test_the_receipts_of_a_process_run_in_a_shell(run_cli: Run, forge_archive: Make) -> None:
    path = forge_archive("shop")
    result = json.loads(run_cli("process", "--receipts", "--json", path).stdout)["result"]
    assert len(result["receipts"]) == len(result["prediction"]["steps"])
    commands = [receipt["command"] for step in result["receipts"] for receipt in step]
    assert len(commands) >= 4
    printed = [
        line.strip().partition("   # ")[0] for line in run_cli("process", "--receipts", path).stdout.splitlines()
    ]
    outputs = []
    for command in commands:
        assert f"$ {command}" in printed
        done = subprocess.run(["bash", "-c", command], capture_output=True, text=True)
        assert done.returncode == 0, (command, done.stderr)
        outputs.append(done.stdout)
    everything = "\n".join(outputs)
    assert "shop:x:999:999" in everything
    assert "#!/bin/sh$" in everything
    assert '["entrypoint.sh"]' in everything


def test_a_process_of_an_incomplete_image_is_unknown(run_cli: Run, forge_archive: Make) -> None:
    done = run_cli("process", forge_archive("missing-blob"))
    assert done.exit_code == 14
    assert "warning: layer L2 is not here" in done.stderr
    assert "RUNS" not in done.stdout
    assert "RUNS" not in run_cli("process", "--matrix", forge_archive("missing-blob")).stdout


# ---- forge ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", forge.NAMES)
def test_every_teaching_image_can_be_made_and_opened(name: str, run_cli: Run, tmp_path: Path) -> None:
    out = tmp_path / "out.tar"
    made = run_cli("forge", name, out)
    assert made.exit_code == 0, made.stderr
    assert forge.describe(name) in made.stdout
    opened = run_cli("images", out)
    assert opened.exit_code in (0, 11), opened.stderr
    assert os.listdir(tmp_path) == ["out.tar"]


def test_forge_lists_every_name_and_kind(run_cli: Run) -> None:
    out = run_cli("forge", "--list").stdout
    for name in (*forge.NAMES, *forge.KINDS):
        assert f"\n  {name} " in out


def test_forge_reports_the_digest_of_what_it_wrote(run_cli: Run, tmp_path: Path) -> None:
    out = tmp_path / "shop.tar"
    result = json.loads(run_cli("forge", "shop", out, "--kind", "oci-archive", "--json").stdout)["result"]
    assert result["sha256"] == hashlib.sha256(out.read_bytes()).hexdigest()
    assert result["size"] == out.stat().st_size
    assert result["kind"] == "oci-archive"


def test_forge_overwrites_only_the_same_bytes_unless_forced(run_cli: Run, tmp_path: Path) -> None:
    out = tmp_path / "out.tar"
    assert run_cli("forge", "hello", out).exit_code == 0
    assert run_cli("forge", "hello", out).exit_code == 0
    other = run_cli("forge", "shop", out)
    assert other.exit_code == 2
    assert "--force" in other.stderr
    assert out.read_bytes() == forge.to_bytes(forge.build("hello"))
    assert run_cli("forge", "shop", out, "--force").exit_code == 0
    assert out.read_bytes() == forge.to_bytes(forge.build("shop"))


def test_forge_to_a_pipe_and_into_a_directory(run_cli: Run, tmp_path: Path) -> None:
    assert run_cli("forge", "hello", "-").stdout_bytes == forge.to_bytes(forge.build("hello"))
    made = run_cli("forge", "hello", tmp_path / "layout", "--kind", "oci-dir")
    assert made.exit_code == 0, made.stderr
    assert (tmp_path / "layout" / "oci-layout").exists()
    assert run_cli("layers", tmp_path / "layout").exit_code == 0
    assert run_cli("forge", "hello", "-", "--kind", "oci-dir").exit_code == 2


def test_forge_from_a_description(run_cli: Run, tmp_path: Path) -> None:
    spec = tmp_path / "spec.json"
    spec.write_text(json.dumps({"names": ["demo:1"], "layers": [{"entries": [{"file": "etc/motd", "text": "hi\n"}]}]}))
    out = tmp_path / "demo.tar"
    assert run_cli("forge", "--from", spec, out).exit_code == 0
    assert run_cli("cat", out, "/etc/motd").stdout == "hi\n"
    spec.write_text('{"layers": [{"entries": [{"nonsense": 1}]}]}')
    broken = run_cli("forge", "--from", spec, tmp_path / "other.tar")
    assert broken.exit_code == 2
    assert "/layers/0/entries/0" in broken.stderr
    assert not (tmp_path / "other.tar").exists()


@pytest.mark.parametrize(
    "words", [["hello"], [], ["a", "b", "c"], ["--from", "x.json"], ["--from", "x.json", "a", "b"]]
)
def test_forge_says_how_it_is_called(words: list[str], run_cli: Run) -> None:
    result = run_cli("forge", *words)
    assert result.exit_code == 2
    assert len(result.stderr.splitlines()) == 3


def test_forge_into_a_missing_directory_is_an_error(run_cli: Run, tmp_path: Path) -> None:
    result = run_cli("forge", "hello", tmp_path / "absent" / "out.tar")
    assert result.exit_code == 2
    assert "cannot be written" in result.stderr


def test_the_layer_that_removed_the_program_is_named(run_cli: Run, forge_archive: Make) -> None:
    verdict = prediction(run_cli, forge_archive("entrypoint-deleted"))["verdict"]
    assert (verdict["kind"], verdict["exit_code"]) == ("FAILS", 127)
    # The forge writes its whiteout into the third layer.
    assert "layer L3 removed it" in verdict["why"]


def test_a_missing_library_ends_with_127(run_cli: Run, forge_archive: Make) -> None:
    verdict = prediction(run_cli, forge_archive("no-library"))["verdict"]
    # glibc's loader: "error while loading shared libraries", exit status 127.
    assert (verdict["kind"], verdict["id"], verdict["exit_code"]) == ("FAILS", "F30", 127)


def test_an_architecture_that_does_not_exist_is_a_usage_error(run_cli: Run, forge_archive: Make) -> None:
    result = run_cli("process", forge_archive("shop"), "--host-arch", "zz")
    assert result.exit_code == 2
    assert "no architecture 'zz'" in result.stderr and "amd64" in result.stderr


@pytest.mark.parametrize(
    ("name", "words", "code"),
    [
        ("shop", [], 0),
        ("broken-entrypoint", [], 1),
        ("unknown-user", ["--engine", "podman"], 1),
        ("wrong-architecture", [], 1),
    ],
)
def test_exit_code_is_the_answer(name: str, words: list[str], code: int, run_cli: Run, forge_archive: Make) -> None:
    assert run_cli("process", forge_archive(name), *words).exit_code == 0
    done = run_cli("process", forge_archive(name), *words, "--exit-code")
    assert done.exit_code == code and done.stdout


def test_what_is_not_known_is_no_pass(run_cli: Run, forge_archive: Make) -> None:
    assert run_cli("process", forge_archive("missing-blob"), "--exit-code").exit_code == 14
    layer = forge.layer(forge.file("run", b"#!/bin/sh\nexec /bin/report\n", mode=0o755))
    open_end = forge_archive(forge.image(layer, os="freebsd", entrypoint=["/run"]), name="open-end.tar")
    assert prediction(run_cli, open_end)["verdict"]["kind"] == "UNKNOWN"
    assert run_cli("process", open_end, "--exit-code").exit_code == 1
    assert run_cli("process", open_end, "--exit-code", "--matrix").exit_code == 2
