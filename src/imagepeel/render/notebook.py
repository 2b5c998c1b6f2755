"""Cards for notebooks: plain text and HTML for each object that people hold.

Pure HTML with `<details>`, no script; where a viewer strips the style, tables and headings still read.  Long lists
are cut, with the call that shows all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

from imagepeel.evidence import text
from imagepeel.render.escape import html
from imagepeel.text import number, plural, size

if TYPE_CHECKING:
    from imagepeel.archive.opened import OpenArchive
    from imagepeel.findings.report import Findings
    from imagepeel.image import LayeredImage
    from imagepeel.layers.layer import Layer
    from imagepeel.present.document import Story
    from imagepeel.process.spec.values import Prediction
    from imagepeel.rootfs.path import RootfsPath
    from imagepeel.rootfs.view import Rootfs

ROWS = 20
"""Rows of one table in a card."""

_STYLE = (
    "<style>.imagepeel{font-size:.95em;line-height:1.45}.imagepeel h4{margin:.2em 0}"
    ".imagepeel table{border-collapse:collapse;margin:.3em 0}"
    ".imagepeel th,.imagepeel td{text-align:left;padding:.1em .9em .1em 0;vertical-align:top;border:0;background:none}"
    ".imagepeel th{font-weight:normal;opacity:.65}.imagepeel .r{text-align:right;font-variant-numeric:tabular-nums}"
    ".imagepeel code,.imagepeel pre{font-family:monospace;white-space:pre-wrap;overflow-wrap:anywhere}"
    ".imagepeel .soft{opacity:.65}.imagepeel summary{cursor:pointer}</style>"
)


def bundle(obj: Any) -> dict[str, str]:
    """Return `text/plain` and `text/html` of an object; TypeError for one that has no card."""
    name = type(obj).__name__
    card = _CARDS.get(name)
    if card is None:
        raise TypeError(f"{name} has no notebook card")
    return {"text/plain": repr(obj), "text/html": f'<div class="imagepeel">{_STYLE}{card(obj)}</div>'}


# ---- pieces -----------------------------------------------------------------------------------------------


def _head(title: str, *facts: str) -> str:
    shown = " &nbsp; ".join(html(fact) for fact in facts if fact)
    return f"<h4>{html(title)}</h4>" + (f'<p class="soft">{shown}</p>' if shown else "")


def _table(titles: Sequence[str], rows: Iterable[Sequence[str]], right: Sequence[int] = ()) -> str:
    def cell(tag: str, index: int, what: str) -> str:
        side = ' class="r"' if index in right else ""
        return f"<{tag}{side}>{html(what)}</{tag}>"

    head = "".join(cell("th", i, title) for i, title in enumerate(titles))
    body = "".join("<tr>" + "".join(cell("td", i, item) for i, item in enumerate(row)) + "</tr>" for row in rows)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _more(left: int, call: str) -> str:
    return f'<p class="soft">{number(left)} more: <code>{html(call)}</code></p>' if left > 0 else ""


def _fold(title: str, inner: str) -> str:
    return f"<details><summary>{html(title)}</summary>{inner}</details>"


# ---- cards ------------------------------------------------------------------------------------------------


def _archive(archive: OpenArchive) -> str:
    records = archive.records
    rows = [
        (
            f"#{record.number}",
            record.tags[0] if record.tags else "",
            str(record.platform or ""),
            record.kind,
            str(len(record.layers)),
            "complete" if record.complete else "missing: " + ", ".join(record.missing[:3]),
        )
        for record in records[:ROWS]
    ]
    return (
        _head(archive.name, archive.kind.name, plural(len(records), "record"))
        + f"<p>{html(archive.detection.sentence)}.</p>"
        + _table(("", "name", "platform", "kind", "layers", ""), rows, (4,))
        + _more(len(records) - ROWS, "archive.records")
        + _anomalies(archive.anomalies, "archive.anomalies")
    )


def _image(image: LayeredImage) -> str:
    config = image.config.config
    rows = [_layer_row(layer) for layer in image.layers[:ROWS]]
    command = [*(config.entrypoint or ()), *(config.cmd or ())]
    facts = [
        ("id", image.id or ""),
        ("digest", image.digest or ""),
        ("command", " ".join(command)),
        ("user", config.user or "root (none set)"),
        ("directory", config.working_dir or "/"),
    ]
    return (
        _head(image.name or image.id or "an image without a name", image.platform, plural(len(image.layers), "layer"))
        + _table(("", ""), [fact for fact in facts if fact[1]])
        + _table(("", "made by", "stored", "state"), rows, (2,))
        + _more(len(image.layers) - ROWS, "image.layers")
        + _fold("the story", "<p>Its six chapters: <code>image.explain()</code></p>")
    )


def _layer_row(layer: Layer) -> tuple[str, str, str, str]:
    from imagepeel.history.builders import instruction

    made = instruction(layer.history.created_by) if layer.history is not None else layer.record.member
    # Nothing here may start a scan: showing an object must not read gigabytes.
    return (layer.label, made[:120], size(layer.blob_size), layer.state)


def _layer(layer: Layer) -> str:
    facts = [
        ("member", layer.record.member),
        ("digest", layer.record.digest or layer.record.name_digest or ""),
        ("DiffID", layer.record.diff_id or ""),
        ("media type", layer.media_type),
        ("stored", size(layer.blob_size)),
    ]
    out = _head(f"layer {layer.label}", layer.state) + _table(("", ""), [fact for fact in facts if fact[1]])
    if layer._scan is None:
        return out + '<p class="soft">Not read yet: <code>len(layer)</code> reads it.</p>'
    table = layer.table
    rows = [
        (entry.kind, f"{entry.mode:04o}", f"{entry.uid}:{entry.gid}", size(entry.size), text(entry.raw_name))
        for entry in table[:ROWS]
    ]
    listing = _table(("kind", "mode", "owner", "size", "name"), rows, (3,)) + _more(len(table) - ROWS, "layer.entries")
    return out + _fold(plural(len(table), "entry"), listing) + _anomalies(layer.anomalies, "layer.anomalies")


def _rootfs(rootfs: Rootfs) -> str:
    out = _head(f"rootfs, {rootfs.label}", plural(len(rootfs.layers), "layer"))
    if rootfs.refusal is not None:
        out += f"<p><strong>Refused:</strong> {html(rootfs.refusal.reason)} (L{rootfs.refusal.layer + 1})</p>"
    return out + _listing(rootfs.scandir("/"), "rootfs.scandir('/')")


def _path(path: RootfsPath) -> str:
    rootfs, name = path._rootfs, str(path)
    found = rootfs.resolve(name, follow=False)
    if found.node is None:
        return _head(name, "does not exist")
    node = found.node
    place = rootfs.location(name)
    out = _head(name, node.kind, f"{node.mode:04o}", f"{node.uid}:{node.gid}", size(node.size))
    if node.is_symlink:
        out += f"<p>links to <code>{html(node.target)}</code></p>"
    out += f'<p class="soft">{html(str(place))}</p>'
    if node.is_dir:
        out += _listing(rootfs.scandir(name), "list(path.iterdir())")
    return out


def _listing(items: Sequence[tuple[bytes, Any]], call: str) -> str:
    rows = [
        (
            node.kind,
            f"{node.mode:04o}",
            f"{node.uid}:{node.gid}",
            size(node.size) if node.is_file else "",
            text(name) + (f" -> {text(node.target)}" if node.is_symlink else ""),
            f"L{node.layer + 1}" if node.layer is not None else "",
        )
        for name, node in items[:ROWS]
    ]
    return _table(("kind", "mode", "owner", "size", "name", "layer"), rows, (3,)) + _more(len(items) - ROWS, call)


def _prediction(found: Prediction) -> str:
    verdict = found.verdict
    out = _head(f"{verdict.kind} on {found.engine}", found.architecture)
    if verdict.kind == "FAILS":
        out += f"<pre>{html(verdict.text or verdict.message)}</pre>"
        out += f"<p>{html(verdict.why)}</p><p>Fix: {html(verdict.fix)}</p>"
    elif verdict.kind != "RUNS":
        out += f"<p>{html('; '.join(verdict.depends) or verdict.reason)}</p>"
    if found.argv:
        out += f"<pre>{html(found.execve)}</pre>"
    user = found.user
    name = f" ({user.name})" if user.name else ""
    out += f"<p>as {user.uid}:{user.gid}{html(name)}, in <code>{html(found.cwd)}</code></p>"
    steps = [(step.rule, step.title, step.outcome, "; ".join(step.detail)) for step in found.steps[:ROWS]]
    out += _fold("steps", _table(("", "step", "", ""), steps) + _more(len(found.steps) - ROWS, "prediction.steps"))
    env = [(variable.name, variable.value, variable.origin) for variable in found.env[:ROWS]]
    return out + _fold(
        plural(len(found.env), "variable"),
        _table(("name", "value", "from"), env) + _more(len(found.env) - ROWS, "prediction.environment"),
    )


def _story(story: Story) -> str:
    from imagepeel.render.html import document_body

    return document_body(story.document())


def _anomalies(found: Sequence[Any], call: str) -> str:
    if not found:
        return ""
    items = "".join(f"<li>{html(anomaly.message)}</li>" for anomaly in found[:ROWS])
    return _fold(plural(len(found), "oddity"), f"<ul>{items}</ul>{_more(len(found) - ROWS, call)}")


def _findings(found: Findings) -> str:
    rows = [(each["severity"], each["rule"], each["message"], each["fix"]) for each in found.to_dicts()[:ROWS]]
    if not rows:
        return _head("no findings")
    proofs = [receipt.command for each in found[:ROWS] for receipt in each.evidence.receipts[:1]]
    items = "".join(f"<li><code>{html(command)}</code></li>" for command in dict.fromkeys(proofs))
    return (
        _head(plural(len(found), "finding"), "worst first")
        + _table(("severity", "rule", "what", "fix"), rows)
        + _more(len(found) - ROWS, "image.findings().to_dicts()")
        + (_fold("proofs", f"<ol>{items}</ol>") if items else "")
    )


_CARDS: dict[str, Callable[[Any], str]] = {
    "Archive": _archive,
    "Image": _image,
    "Layer": _layer,
    "Rootfs": _rootfs,
    "RootfsPath": _path,
    "Prediction": _prediction,
    "Story": _story,
    "Findings": _findings,
}
