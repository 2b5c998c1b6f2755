"""Archives on real web servers: nginx, which gives parts and versions, and Python's own, which gives neither."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from test_receipts import all_receipts, run_all

import imagepeel
from imagepeel.errors import FetchFailed
from imagepeel.receipts.places import Receipts
from imagepeel.sources.fetched import Fetched

pytestmark = pytest.mark.judge

CONFIG = """
worker_processes 1; pid {top}/pid; error_log {top}/error.log; daemon off; {user}
events {{ }}
http {{
  access_log {top}/access.log; gzip on; gzip_types *;
  client_body_temp_path {top}/t; proxy_temp_path {top}/t; fastcgi_temp_path {top}/t; uwsgi_temp_path {top}/t;
  scgi_temp_path {top}/t;
  server {{
    listen 127.0.0.1:{port}; root {top}/www;
    location /closed/ {{ alias {top}/www/; auth_basic here; auth_basic_user_file {top}/passwords; }}
  }}
}}
"""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for(port: int) -> None:
    for _ in range(200):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise RuntimeError("the server did not come up")


@pytest.fixture(scope="module")
def nginx(forge_archive) -> Iterator[tuple[str, Path]]:
    """Address and folder of a server that has shop.tar, also behind a password and a redirect."""
    program = shutil.which("nginx", path=os.environ.get("PATH", "") + ":/usr/sbin")
    if program is None:
        pytest.skip("nginx is not installed")
    top = Path(tempfile.mkdtemp(prefix="imagepeel-nginx-"))
    port = free_port()
    (top / "www").mkdir()
    os.chmod(top, 0o755)
    shutil.copy(forge_archive("shop"), top / "www")
    hashed = subprocess.run(["openssl", "passwd", "-apr1", "sesame"], capture_output=True, text=True, check=True)
    (top / "passwords").write_text(f"me:{hashed.stdout.strip()}\n")
    user = "user root;" if os.geteuid() == 0 else ""
    (top / "conf").write_text(CONFIG.format(top=top, port=port, user=user))
    server = subprocess.Popen([program, "-c", f"{top}/conf"], stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_for(port)
        yield f"127.0.0.1:{port}", top
    finally:
        server.terminate()
        server.wait(20)
        shutil.rmtree(top)


def diff_ids(what: str | Path, **given) -> list[str | None]:
    with imagepeel.open(what if isinstance(what, str) else str(what), **given) as archive:
        (image,) = archive.images()
        image.scan()
        assert all(check.ok for layer in image.layers for check in layer.checks)
        return [layer.diff_id for layer in image.layers]


@pytest.mark.parametrize("where", ["", "closed/"])
def test_parts_of_nginx_are_the_file(where: str, nginx: tuple[str, Path], forge_archive) -> None:
    host, top = nginx
    before = len((top / "access.log").read_text().splitlines())
    login = "me:sesame@" if where else ""
    assert diff_ids(f"http://{login}{host}/{where}shop.tar") == diff_ids(forge_archive("shop"))
    asked = (top / "access.log").read_text().splitlines()[before:]
    assert len(asked) < 12 and all(" 206 " in line for line in asked)
    with imagepeel.open(f"http://{login}{host}/{where}shop.tar") as archive:
        assert isinstance(archive.file, Fetched) and archive.file.stamp()


def test_receipts_are_true_of_what_their_first_line_fetches(nginx: tuple[str, Path], tmp_path: Path) -> None:
    if shutil.which("curl") is None:
        pytest.skip("curl is not installed")
    name = f"http://{nginx[0]}/shop.tar"
    with imagepeel.open(name) as archive:
        line = Receipts(archive).copying()
    receipts = all_receipts(name)
    assert line is not None and len(receipts) > 20
    subprocess.run(["bash", "-c", line], cwd=tmp_path, check=True, capture_output=True, timeout=60)
    assert run_all(receipts, tmp_path, tmp_path / "scratch") == []


def test_nginx_refuses_a_wrong_password(nginx: tuple[str, Path]) -> None:
    with pytest.raises(FetchFailed, match="HTTP 401") as raised:
        imagepeel.open(f"http://me:geheim@{nginx[0]}/closed/shop.tar")
    assert "geheim" not in str(raised.value) + raised.value.hint


def test_a_file_of_nginx_that_is_replaced_meanwhile(nginx: tuple[str, Path]) -> None:
    host, top = nginx
    moving = top / "www" / "moving.tar"
    moving.write_bytes((top / "www" / "shop.tar").read_bytes() + bytes(8_000_000))
    with imagepeel.open(f"http://{host}/moving.tar") as archive:
        source = archive.file
        assert source is not None
        # Opening read what it needed; the rest is of another version.
        later = top / "later"
        later.write_bytes(bytes(source.size))
        os.utime(later, (1, 1))
        later.replace(moving)
        with pytest.raises(FetchFailed, match="changed while it was read"):
            source.pread(0, source.size)


def test_a_server_of_python_gives_the_whole_file(tmp_path: Path, forge_archive) -> None:
    port = free_port()
    folder = forge_archive("shop").parent
    server = subprocess.Popen(
        [sys.executable, "-m", "http.server", "--bind", "127.0.0.1", "--directory", str(folder), str(port)],
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        wait_for(port)
        assert diff_ids(f"http://127.0.0.1:{port}/shop.tar") == diff_ids(forge_archive("shop"))
    finally:
        server.terminate()
        server.wait(20)
