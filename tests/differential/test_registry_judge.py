"""Debian's registry with TLS and logins: skopeo fills it and says what is in it, imagepeel reads it."""

from __future__ import annotations

import base64
import json
import os
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from test_receipts import all_receipts, run_all

import imagepeel
from estargz import convert
from imagepeel import forge
from imagepeel.oci.descriptor import REF_NAME
from imagepeel.receipts.places import Receipts
from webserver import make_authority

NEEDED = [tool for tool in ("docker-registry", "skopeo", "openssl") if shutil.which(tool) is None]
pytestmark = [pytest.mark.judge, pytest.mark.skipif(bool(NEEDED), reason=f"missing tools: {', '.join(NEEDED)}")]
Make = Callable[..., Path]
PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "open-images-where-they-are.md"
# What htpasswd -B writes for ada and the password secret.
PASSWORDS = "ada:$2y$05$abcdefghijklmnopqrstuuOQiyCxlgf/oeuTqixKmWdcYUh4Hjl0a\n"
LOGINS = {"auth": base64.b64encode(b"ada:secret").decode()}


class Place:
    """A registry of a test's own: `host` with its port, `ca` the file of its authority or None without TLS."""

    def __init__(self, top: Path, *, secure: bool) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.host = f"localhost:{port}" if secure else f"127.0.0.1:{port}"
        self.ca: Path | None = None
        self.log = top / "log"
        http: dict[str, Any] = {"addr": f"127.0.0.1:{port}"}
        config: dict[str, Any] = {"version": 0.1, "storage": {"filesystem": {"rootdirectory": str(top / "data")}}}
        if secure:
            (top / "tls").mkdir()
            self.ca, both = make_authority(top / "tls")
            http["tls"] = {"certificate": str(both), "key": str(top / "tls" / "key.pem")}
            (top / "passwords").write_text(PASSWORDS)
            config["auth"] = {"htpasswd": {"realm": "test", "path": str(top / "passwords")}}
        (top / "config.yml").write_text(json.dumps({**config, "http": http}))
        self.process = subprocess.Popen(
            ["docker-registry", "serve", str(top / "config.yml")], stdout=self.log.open("wb"), stderr=subprocess.STDOUT
        )
        for _ in range(200):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    return
            time.sleep(0.05)
        raise AssertionError(self.log.read_text())

    def asked(self) -> list[str]:
        """The paths of all requests so far, without those of skopeo and of the probe for TLS."""
        lines = [line for line in self.log.read_text().splitlines() if '"GET ' in line and "imagepeel/" in line]
        return [line.partition('"GET ')[2].partition(" ")[0].removeprefix("/v2/") for line in lines]


def skopeo(place: Place, *words: str) -> str:
    options = ["--tls-verify=false"]
    creds = ["--creds", "ada:secret"] if place.ca is not None else []
    verb, *rest = words
    if verb == "copy":
        options, creds = ["--dest-tls-verify=false"], [word.replace("--creds", "--dest-creds") for word in creds]
    return subprocess.run(["skopeo", verb, *options, *creds, *rest], check=True, capture_output=True, text=True).stdout


@pytest.fixture(scope="module", params=[True, False], ids=["tls-and-login", "plain"])
def place(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, forge_archive: Make
) -> Iterator[Place]:
    made = Place(tmp_path_factory.mktemp("registry"), secure=request.param)
    archive = forge_archive("shop", kind="oci-archive")
    skopeo(made, "copy", f"oci-archive:{archive}", f"docker://{made.host}/team/shop:1.4")
    skopeo(made, "copy", f"docker-archive:{forge_archive('shop')}", f"docker://{made.host}/team/docker:1")
    yield made
    made.process.terminate()
    made.process.wait(10)


@pytest.fixture
def ask(place: Place, run_cli: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("REGISTRY_AUTH_FILE", str(tmp_path / "auth.json"))
    if place.ca is not None:
        (tmp_path / "auth.json").write_text(json.dumps({"auths": {place.host: LOGINS}}))
    trust = ["--ca", str(place.ca)] if place.ca is not None else []
    return lambda *words: run_cli(*words, *trust)


def test_what_skopeo_sees_is_what_we_see(place: Place, ask: Any) -> None:
    word = f"registry:{place.host}/team/shop:1.4"
    theirs = json.loads(skopeo(place, "inspect", f"docker://{place.host}/team/shop:1.4"))
    ours = json.loads(ask("layers", "--json", word).stdout)["result"]
    assert [layer["digest"] for layer in ours["layers"]] == theirs["Layers"]
    assert ours["image"]["digest"] == theirs["Digest"]
    config = json.loads(skopeo(place, "inspect", "--config", f"docker://{place.host}/team/shop:1.4"))
    assert [layer["diff_id"] for layer in ours["layers"]] == config["rootfs"]["diff_ids"]


@pytest.mark.parametrize("command", [["tree"], ["ls", "-R"], ["views"], ["layers"], ["waste"], ["process"]])
def test_the_answer_is_that_about_the_copy_that_skopeo_makes(
    command: list[str], place: Place, ask: Any, run_cli: Any, tmp_path: Path
) -> None:
    """Byte for byte, but for the name of the archive, which stands in the answer."""
    name = f"{place.host}/team/shop:1.4"
    creds = ["--src-creds", "ada:secret"] if place.ca is not None else []
    copy = ["skopeo", "copy", "--src-tls-verify=false", *creds, f"docker://{name}", f"oci:{tmp_path}/copy:{name}"]
    subprocess.run(copy, check=True, capture_output=True)
    here, there = run_cli(*command, "--json", f"{tmp_path}/copy"), ask(*command, "--json", f"registry:{name}")
    assert there.exit_code == here.exit_code == 0
    told = here.stdout.replace(f'"{tmp_path}/copy"', json.dumps(f"registry:{name}"))
    assert there.stdout == told


def test_platforms_of_an_index_are_listed_and_not_judged(place: Place, ask: Any, tmp_path: Path) -> None:
    """Nobody asked for their manifests, so that nothing is known to be missing, and nothing to be there."""
    made = [forge.image(forge.layer(forge.file("x", name)), architecture=name) for name in ("amd64", "arm64")]
    forge.write(forge.index(*made, names="many:1"), tmp_path / "many", kind="oci-dir")
    name = f"{place.host}/team/many:1"
    skopeo(place, "copy", "--all", f"oci:{tmp_path}/many", f"docker://{name}")
    before = len(place.asked())
    listed = json.loads(ask("images", "--json", f"registry:{name}").stdout)["result"]["images"]
    assert [(row["platform"], row["complete"], row["missing"], row["layers"]) for row in listed] == [
        ("linux/amd64", None, [], None),
        ("linux/arm64", None, [], None),
    ]
    theirs = json.loads(skopeo(place, "inspect", "--raw", f"docker://{name}"))
    assert [row["digest"] for row in listed] == [one["digest"] for one in theirs["manifests"]]
    assert not [path for path in place.asked()[before:] if "/blobs/" in path or "sha256:" in path]
    shown = ask("images", f"registry:{name}").stdout
    assert shown.count(" not asked ") == 2 and "Which layers #1 and #2 have was not asked" in shown
    assert "missing" not in shown and "not read yet" not in shown
    for chosen in (["--platform", "linux/arm64"], ["--image", "#2"]):
        first, second = json.loads(ask("images", "--json", f"registry:{name}", *chosen).stdout)["result"]["images"]
        assert (first["layers"], second["layers"], second["complete"]) == (None, 1, None)
    assert ask("images", f"registry:{name}", "--image", "#3").exit_code == 14


def test_a_digest_names_the_same_image(place: Place, ask: Any) -> None:
    digest = json.loads(skopeo(place, "inspect", f"docker://{place.host}/team/shop:1.4"))["Digest"]
    assert ask("images", f"docker://{place.host}/team/shop@{digest}").exit_code == 0
    wrong = digest[:-1] + ("0" if digest[-1] != "0" else "1")
    assert ask("images", f"docker://{place.host}/team/shop@{wrong}").exit_code == 14


def test_a_layer_that_was_seen_is_not_fetched_again(place: Place, ask: Any) -> None:
    word = f"registry:{place.host}/team/shop:1.4"
    assert ask("explain", word).exit_code == 0
    before = len(place.asked())
    assert ask("explain", word).exit_code == 0
    kinds = [path.split("/")[2] for path in place.asked()[before:]]
    assert set(kinds) == {"manifests", "blobs"} and kinds.count("blobs") == 1, "the config alone"


def test_without_a_login_it_says_how_to_log_in(place: Place, ask: Any, tmp_path: Path) -> None:
    if place.ca is None:
        pytest.skip("the plain registry has no logins")
    (tmp_path / "auth.json").unlink()
    done = ask("images", f"registry:{place.host}/team/shop:1.4")
    assert done.exit_code == 16 and f"docker login {place.host}" in done.stderr


def test_a_helper_of_dockers_protocol_is_asked(place: Place, ask: Any, tmp_path: Path, monkeypatch: Any) -> None:
    if place.ca is None:
        pytest.skip("the plain registry has no logins")
    helper = tmp_path / "docker-credential-vault"
    helper.write_text(f'#!/bin/sh\n[ "$1" = get ] && read host; printf "%s" "$host" > {tmp_path}/asked\n'
                      'printf \'{"ServerURL":"x","Username":"ada","Secret":"secret"}\'\n')  # fmt: skip
    helper.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    (tmp_path / "auth.json").write_text(json.dumps({"credHelpers": {place.host: "vault"}}))
    assert ask("images", f"registry:{place.host}/team/shop:1.4").exit_code == 0
    assert (tmp_path / "asked").read_text() == place.host


def test_the_receipts_hold_after_the_copy_that_they_name(place: Place, tmp_path: Path) -> None:
    if place.ca is not None:
        pytest.skip("skopeo wants a directory of certificates, which the line leaves to the user")
    word = f"registry:{place.host}/team/shop:1.4"
    with imagepeel.open(word) as archive:
        line = Receipts(archive, archive.image()).copying()
    assert line is not None and line.startswith("skopeo copy ")
    subprocess.run(["bash", "-c", line], cwd=tmp_path, check=True, capture_output=True)
    assert run_all(all_receipts(word), tmp_path, tmp_path / "scratch") == []


def test_of_a_manifest_that_a_copy_would_change_no_line_is_given(place: Place) -> None:
    if place.ca is not None:
        pytest.skip("said once")
    with imagepeel.open(f"registry:{place.host}/team/docker:1") as archive:
        assert archive.image().record.descriptor.media_type.startswith("application/vnd.docker.")
        assert Receipts(archive, archive.image()).copying() == ""


@pytest.fixture(scope="module")
def chunked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """A registry with a layer that skopeo wrote as zstd:chunked: four megabytes of noise between two small files."""
    top = tmp_path_factory.mktemp("chunked")
    made = Place(top, secure=False)
    noise = forge.file("srv/noise", os.urandom(4 << 20))
    layer = forge.layer(forge.file("etc/first", "1"), noise, forge.file("usr/last", "the last"))
    saved = forge.write(forge.image(layer, cmd=["/etc/first"], names="big:1"), top / "big.tar")
    packed = ["--dest-compress-format", "zstd:chunked", "--dest-compress"]
    skopeo(made, "copy", *packed, f"docker-archive:{saved}", f"docker://{made.host}/big:1")
    yield made
    made.process.terminate()
    made.process.wait(10)


@pytest.fixture(scope="module")
def lazy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """A registry with an eStargz image: three thousand small files of noise, and then those of the shop."""
    top = tmp_path_factory.mktemp("lazy")
    made = Place(top, secure=False)
    noise = forge.layer(*(forge.file(f"srv/{number}/noise", os.urandom(2000)) for number in range(3000)))
    shop = forge.build("shop")
    whole = msgspec.structs.replace(shop, layers=(noise, *shop.layers), history=None)
    convert(forge.write(whole, top / "layout", "oci-dir"))
    tag = json.loads((top / "layout" / "index.json").read_text())["manifests"][0]["annotations"][REF_NAME]
    skopeo(made, "copy", "--preserve-digests", f"oci:{top}/layout:{tag}", f"docker://{made.host}/lazy:1")
    yield made
    made.process.terminate()
    made.process.wait(10)


def sent(place: Place, before: int) -> int:
    """Bytes of blobs that the log of the registry says it sent to us, after so many lines."""
    lines = [line for line in place.log.read_text().splitlines()[before:] if '"GET ' in line and "imagepeel/" in line]
    return sum(int(line.split('HTTP/1.1" ')[1].split()[1]) for line in lines if "/blobs/" in line)


def test_without_digests_a_large_file_of_zstd_chunked_stays_in_the_registry(
    chunked: Place, run_cli: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    word = f"registry:{chunked.host}/big:1"
    before = len(chunked.log.read_text().splitlines())
    listed = run_cli("ls", "-lR", "--no-verify", word)
    assert listed.exit_code == 0 and "4194304" in listed.stdout and "usr/last" in listed.stdout.replace(":\n", "/")
    assert 0 < sent(chunked, before) < 1 << 20
    before = len(chunked.log.read_text().splitlines())
    assert run_cli("ls", "-lR", "--no-cache", word).stdout == listed.stdout
    assert sent(chunked, before) > 4 << 20


@pytest.mark.parametrize(
    "words",
    [
        ["ls", "-lR"], ["ls", "-l", "--layer", "2"], ["tree"], ["find", "--sort", "size"], ["process"], ["packages"],
        ["process", "--verbose"], ["cat", "/etc/passwd"], ["cat", "/srv/17/noise"],
        ["extract", "DIR", "/etc"],
    ],
    ids=" ".join,
)  # fmt: skip
def test_the_table_of_small_files_gives_the_same_answer(
    words: list[str], lazy: Place, run_cli: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As all of the layers, whose digests were verified; the layers stay in the registry."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    image = f"registry:{lazy.host}/lazy:1"
    verb, *rest = (word.replace("DIR", str(tmp_path / "part")) for word in words)
    before = len(lazy.log.read_text().splitlines())
    part = run_cli(verb, image, *rest, "--no-verify", "--no-cache")
    came = sent(lazy, before)
    verb, *rest = (word.replace("DIR", str(tmp_path / "whole")) for word in words)
    before = len(lazy.log.read_text().splitlines())
    whole = run_cli(verb, image, *rest, "--no-cache")
    assert part.stdout.replace("/part", "/whole") == whole.stdout and part.exit_code == whole.exit_code == 0
    assert sent(lazy, before) > 6_000_000
    assert 0 < came < 1_500_000
    assert re.search(r"L1, L2.*: listed by the table of contents, [67]\d{6} bytes were not read", part.stderr)
    if verb == "extract":
        subprocess.run(["diff", "-r", "--no-dereference", tmp_path / "part", tmp_path / "whole"], check=True)


def test_what_asks_for_headers_says_that_they_were_not_read(lazy: Place) -> None:
    """A verb that would count or judge them gives no answer without them; the others give theirs."""
    with imagepeel.open(f"registry:{lazy.host}/lazy:1", verify=False, tables=True) as archive:
        image = archive.image()
        assert image.process().argv and image.unread > 6_000_000 and (image.rootfs / "srv/17/noise").read_bytes()
        verbs: list[Callable[[], object]] = [
            image.findings, image.explain, image.operators_manual, image.waste, image.slim, image.du, image.views,
            image.dockerfile, image.loadable, archive.loadable, lambda: image.diff(image),
        ]  # fmt: skip
        for verb in verbs:
            with pytest.raises(imagepeel.UsageError, match=r"L1.*the table of contents was read"):
                verb()


@pytest.mark.parametrize(
    "words",
    [
        ["ls"], ["tree"], ["find"], ["du"], ["process"], ["explain"], ["wtf"], ["cat", "/usr/last"], ["layers"],
        ["check"], ["check", "--all"], ["diff", "WORD", "--quick"], ["loadable"], ["views"],
        ["extract", "DIR"], ["anatomy"], ["packages"],
    ],
    ids=" ".join,
)  # fmt: skip
def test_every_command_says_what_did_not_come(
    words: list[str], chunked: Place, run_cli: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Or all of the layer came."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    before = len(chunked.log.read_text().splitlines())
    image = f"registry:{chunked.host}/big:1"
    verb, *rest = (word.replace("DIR", str(tmp_path / "out")).replace("WORD", image) for word in words)
    done = run_cli(verb, image, *rest, "--no-verify")
    came = sent(chunked, before)
    said = re.search(r"(\d+) bytes (of compressed layers )?were not read for (the list of files|it)", done.stderr)
    assert said is not None and int(said[1]) > 4_100_000, done.stderr
    assert 0 < came < 1 << 20 or words[0] in ("extract", "anatomy"), "those read content for the answer"


@pytest.mark.parametrize(
    "line",
    [line for line in PAGE.read_text().splitlines() if line.startswith("imagepeel") and "localhost:5000" in line],
)
def test_the_lines_of_the_page_run(line: str, place: Place, ask: Any) -> None:
    assert ask(*line.replace("localhost:5000", place.host).split()[1:]).exit_code == 0
