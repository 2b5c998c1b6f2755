"""Run inside a private mount namespace: mounts overlayfs over layer folders and tells what is there, as JSON lines.

Reads one JSON list of stacks from standard input; a stack is a list of folders, topmost first, and a scratch folder.
"""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from typing import Any

KINDS = {
    stat.S_IFREG: "file",
    stat.S_IFDIR: "dir",
    stat.S_IFLNK: "symlink",
    stat.S_IFCHR: "char",
    stat.S_IFBLK: "block",
    stat.S_IFIFO: "fifo",
}


def facts(path: bytes, seen: dict[tuple[int, int], list[bytes]], name: bytes) -> dict[str, Any]:
    try:
        found = os.lstat(path)
    except OSError:
        return {"kind": "ghost"}
    kind = KINDS[stat.S_IFMT(found.st_mode)]
    content = ""
    if kind == "file" and found.st_size:
        with open(path, "rb") as file:
            content = file.read().decode()
    if kind != "dir":
        seen.setdefault((found.st_dev, found.st_ino), []).append(name)
    device = found.st_rdev
    return {
        "kind": kind,
        "mode": stat.S_IMODE(found.st_mode),
        "owner": [found.st_uid, found.st_gid],
        "target": os.readlink(path).hex() if kind == "symlink" else "",
        "device": [os.major(device), os.minor(device)] if kind in ("char", "block") else None,
        "content": content,
        "xattrs": {
            key: os.getxattr(path, key, follow_symlinks=False).hex()
            for key in os.listxattr(path, follow_symlinks=False)
        },
        "mtime": found.st_mtime_ns,
        "same": [found.st_dev, found.st_ino] if kind != "dir" else None,
    }


def walk(top: bytes) -> dict[str, Any]:
    out: dict[str, Any] = {}
    seen: dict[tuple[int, int], list[bytes]] = {}
    stack = [b""]
    while stack:
        prefix = stack.pop()
        for name in os.listdir(top + prefix):
            path = prefix + b"/" + name
            found = facts(top + path, seen, path)
            out[path.hex()] = found
            if found["kind"] == "dir":
                stack.append(path)
    for found in out.values():
        if found.get("same"):
            found["same"] = min(seen[tuple(found["same"])]).hex()
    return out


def main() -> None:
    for folders, scratch in json.load(sys.stdin):
        upper, work, merged = (os.path.join(scratch, name) for name in ("upper", "work", "merged"))
        for folder in (upper, work, merged):
            os.makedirs(folder)
        options = f"lowerdir={':'.join(folders)},upperdir={upper},workdir={work}"
        subprocess.run(["mount", "-t", "overlay", "overlay", "-o", options, merged], check=True)
        try:
            print(json.dumps(walk(os.fsencode(merged))), flush=True)
        finally:
            subprocess.run(["umount", merged], check=True)


if __name__ == "__main__":
    main()
