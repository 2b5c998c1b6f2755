"""Records what umoci, containerd, runc and crun make of the cases of `imagepeel judge`; needs root.

    python tests/judge/record.py

rewrites the answers in src/imagepeel/judge/cases/*.json; rules, sources and recipes stay as they are.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from imagepeel.judge import layers, starts

CASES = Path(layers.__file__).parent / "cases"

CONTAINERD = """
set -e
layout=$1 out=$2
name=judge/$(basename "$(dirname "$out")" | tr -dc a-z0-9)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
tar -cf "$work/a.tar" -C "$layout" .
{ctr} images import --all-platforms --base-name "$name" "$work/a.tar" > /dev/null
ref=$({ctr} images ls -q | grep "^$name" | head -n 1)
mkdir "$work/mount"
{ctr} images mount --snapshotter overlayfs "$ref" "$work/mount" > /dev/null
cp -a "$work/mount" "$out"
{ctr} images unmount "$work/mount" > /dev/null
rmdir "$work/mount"
"""

# crun's cgroup manager needs a pure v2 tree, which a private mount namespace provides.
CRUN = ["unshare", "-m", "sh", "-c", 'mount -t cgroup2 none /sys/fs/cgroup; exec crun "$@"', "sh"]


def version(*words: str) -> str:
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    numbers = (re.match(r"v?(\d+\.\d+(\.\d+)?)", word) for word in done.stdout.replace(",", " ").split())
    return next(found[1] for found in numbers if found)


@contextmanager
def containerd() -> Iterator[str]:
    """Start a containerd of its own; yields the words of ctr that reach it."""
    with tempfile.TemporaryDirectory(prefix="judge-") as top:
        config, socket = Path(top, "config.toml"), f"{top}/c.sock"
        config.write_text(f'version = 2\nroot = "{top}/root"\nstate = "{top}/state"\n[grpc]\n  address = "{socket}"\n')
        daemon = subprocess.Popen(
            ["containerd", "-c", str(config)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        try:
            ctr = f"ctr -a {socket}"
            while subprocess.run([*ctr.split(), "version"], capture_output=True).returncode:
                time.sleep(0.2)
            yield ctr
        finally:
            daemon.terminate()
            daemon.wait()


def write(name: str, cases: list[dict[str, Any]]) -> None:
    text = ",\n".join(json.dumps(case, indent=1, ensure_ascii=True) for case in cases)
    (CASES / name).write_text(f"[{text}]\n")


def record_layers() -> None:
    known = json.loads((CASES / "layers.json").read_text())
    with containerd() as ctr, tempfile.TemporaryDirectory() as scripts:
        script = Path(scripts, "containerd.sh")
        script.write_text(CONTAINERD.replace("{ctr}", ctr))
        tools = {
            f"containerd {version('containerd', '--version')}": ["sh", str(script), "{layout}", "{dir}"],
            f"umoci {version('umoci', '--version')}": ["umoci", "unpack", "--image", "{layout}:{tag}", "{dir}"],
        }
        for case, raw in zip(layers.layer_cases(), known, strict=True):
            raw["answers"] = {}
            for tool, command in tools.items():
                ran, tree = layers.unpacked(case, command)
                raw["answers"][tool] = tree
                if tree is None:
                    print(case.name, tool, "refuses:", ran.last_words)
    write("layers.json", known)


def record_starts() -> None:
    known = json.loads((CASES / "starts.json").read_text())
    tools = {
        f"{name} {version(name, '--version')}": [*words, "run", "--bundle", "{bundle}", "{id}"]
        for name, words in (("runc", ["runc"]), ("crun", CRUN))
    }
    for case, raw in zip(starts.start_cases(), known, strict=True):
        raw["answers"] = {}
        for tool, command in tools.items():
            raw["answers"][tool] = starts.started(case, command)[1]
    write("starts.json", known)


if __name__ == "__main__":
    os.umask(0o022)
    record_layers()
    record_starts()
