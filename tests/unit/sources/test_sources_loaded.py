"""Sources cost nothing where none is named, also in a browser tab, and an interrupt leaves nothing of them behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from webserver import Asked, serve

CODE = """
import sys, imagepeel
for word in sys.argv[1:]:
    try:
        imagepeel.open(word).close()
    except imagepeel.PathNotFound:
        pass
of_sources = ("engine_socket", "engine_address", "web", "object_store", "fetched", "http")
print([name for name in of_sources if "imagepeel.sources." + name in sys.modules],
      [name for name in ("ssl", "http.client", "socket", "fsspec") if name in sys.modules])
"""


def test_a_file_and_a_word_that_is_no_source_load_no_network(forge_archive) -> None:
    command = [sys.executable, "-c", CODE, str(forge_archive("hello")), "nothing-here"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.stdout == "[] []\n", done.stdout + done.stderr


@pytest.mark.parametrize("ranges", [True, False], ids=["parts", "whole"])
def test_an_interrupt_leaves_nothing(ranges: bool, forge_archive, tmp_path: Path) -> None:
    data = forge_archive("shop").read_bytes()
    waiting, ended = threading.Event(), threading.Event()

    def answer(asked: Asked) -> None:
        first, last = (int(word) for word in asked.headers["Range"][6:].split("-"))
        body = data[first : last + 1] if ranges else data
        asked.send_response(206 if ranges else 200)
        asked.send_header("ETag", '"1"')
        asked.send_header("Content-Range", f"bytes {first}-{first + len(body) - 1}/{len(data)}")
        asked.send_header("Content-Length", str(len(body)))
        asked.end_headers()
        if ranges and len(web.asked) == 1:
            asked.wfile.write(body)
            return
        asked.wfile.write(body[:1000])
        asked.wfile.flush()
        waiting.set()
        ended.wait(120)

    place = tmp_path / "temporary"
    place.mkdir()
    with serve(answer) as (host, web):
        command = [sys.executable, "-m", "imagepeel", "layers", f"http://{host}/shop.tar"]
        environment = {**os.environ, "TMPDIR": str(place)}
        run = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)
        assert waiting.wait(60)
        time.sleep(0.2)
        run.send_signal(signal.SIGINT)
        # The server says nothing until then: what ends is ended by the interrupt.
        out, err = run.communicate(timeout=60)
        ended.set()
    assert run.returncode == 130 and "Traceback" not in err, (out, err)
    assert os.listdir(place) == []
