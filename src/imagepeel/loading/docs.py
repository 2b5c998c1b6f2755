"""The page `docs/reference/loading.md`, made of the registry.

`python -m imagepeel.loading.docs > docs/reference/loading.md` writes it anew.
"""

from __future__ import annotations

import sys

from imagepeel.loading.answer import Cause
from imagepeel.loading.registry import TOOLS

_INTRO = """# Loading

This page is made from the registry: `python -m imagepeel.loading.docs > docs/reference/loading.md`.

Before anything starts, somebody loads the file. `imagepeel loadable image.tar` says for each tool below: it takes the
image, under which names and with which ID, or it refuses it with this text. `process` names `load` as the judge where
the store of the engine refuses the image itself, and `check` fails on it.

Each answer says how it is known. *measured*: this version was watched ending so with an archive that is described in
the same way, and its words differed at most in names, paths, digests and numbers. *older*: an older version was.
*read*: the source says so. The table says what was run and read of each.

| tool | command | run | read | filesystem of its containers |
|---|---|---|---|---|
"""
_IDS = """
## Which ID an image has

One image has three digests. Docker's own store, podman and buildah show that of the *config*. containerd, ctr, nerdctl
and Docker's containerd store show what the name points at: the *manifest*, or the *index* where `index.json` lists one.
For an image of `manifest.json` containerd writes a manifest, whose digest is told here too.

## Why a tool refuses

What is refused for a cause of the image is refused however it gets to the store, and a prediction FAILS. All the rest
is about this file: another archive, name, option or transport brings the image in.

| cause | of | what it means |
|---|---|---|
"""
_REST = """
## How members are found

`manifest.json` names members of the archive, and tools look for them in three ways. Docker's own store unpacks the
archive and follows links within it. podman, skopeo and buildah read the tar itself: `./x` is `x`, `/x` is another name,
one symbolic link is followed, and a hard link is a file without content. containerd wants the very name; a symbolic
link counts at its own name only, and a hard link not at all.

An archive may have an OCI layout and a `manifest.json`. Docker's own store reads the latter only, containerd the layout
only: it reads the manifest of each image that is for the same platform or states none, and ends with the first that is
not there. podman reads the layout, and where that is refused (also because it lists two images) `manifest.json`.

## Documents of another type

All of these tools read JSON with Go. A value of another type than the program wants ends the load with
`json: cannot unmarshal ...`, and the types differ: Docker takes one string for `Cmd`, containerd and podman do not.
`json.Decoder` stops behind the first value of a text, `json.Unmarshal` refuses what follows. Of an archive whose
documents no tool can read, `loadable` shows what each says, and ends with the error that every command has for it.

## Layers that lie elsewhere

A manifest can have `urls` for a layer. containerd and Docker load what the file has, and fetch nothing. podman, skopeo
and buildah fetch the layer from the first address that answers, also where the file has it; addresses other than of
http and https are left out. Whether somebody answers is not known here, so the answer is unknown.

## Artifacts

Of a file that has artifacts and no image, the artifacts are judged. skopeo copies them. containerd stores them, reads
the config as one of an image, and ends where the counts of layers differ. podman and buildah want a config of an image.

## A path twice in one layer

Stores that keep tar-split data of a layer refuse one whose cleaned names repeat: Docker's own store, podman, CRI-O and
buildah. `a`, `./a` and `a/` are one name, `/a` is another; `./` and `/` are two. Global headers count as entries.
containerd has no such check and lets the last entry win. The extractors of these stores, run alone, also let the last
entry win: results that come from an extractor say nothing about loading.

## Entries below a link of the same layer

A layer that brings a link, and then a file some levels below it without entries for the directories, is refused by
podman and Docker 20.10 on overlay (`mkdir ...: file exists`), when the link leads nowhere within the layer. containerd
takes it, and so do stores that apply each layer onto the last. Of Docker 28 two things are known: its extractor
refuses, and the package of Debian (28.5.2) took the image. A prediction for it DEPENDS.
"""


def page() -> str:
    """Return the whole page."""
    tools = []
    for tool in TOOLS:
        view = f"`{tool.view}`" if tool.view else "none: it copies"
        tools.append(
            f"| {tool.full_label} | `{tool.command}` | {tool.measured or 'nothing'} | {tool.read} | {view} |\n"
        )
    causes = [f"| `{cause}` | {'the image' if cause.of_image else 'the file'} | {cause.words} |\n" for cause in Cause]
    return _INTRO + "".join(tools) + _IDS + "".join(causes) + _REST


if __name__ == "__main__":
    sys.stdout.write(page())
