"""What notebooks and rich show of a value that people hold: one small document each.

Nothing here reads what was not read before: showing a layer must not inflate gigabytes.  Long lists are cut, with the
call that gives all of it.  Text of the image stays raw; the renderers escape it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any

import msgspec

from imagepeel.evidence import Anomaly, Evidence, Location, Receipt, layer_label, text
from imagepeel.history.builders import instruction
from imagepeel.masking import masked_value, masked_words
from imagepeel.present.document import (
    Bar,
    Bars,
    Column,
    Document,
    Item,
    Items,
    Row,
    Section,
    Span,
    Table,
    bad,
    code,
    dim,
    item,
    items,
    path,
    row,
    say,
    section,
    term,
    try_it,
    value,
)
from imagepeel.text import listed, number, plural, shortened, size

if TYPE_CHECKING:
    from imagepeel.archive.opened import OpenArchive
    from imagepeel.findings.finding import Finding
    from imagepeel.findings.report import Findings
    from imagepeel.findings.slim import Slim
    from imagepeel.findings.waste import Waste
    from imagepeel.formats.tar.table import EntryTable
    from imagepeel.image import LayeredImage
    from imagepeel.layers.layer import Layer
    from imagepeel.present.document import Story
    from imagepeel.process.spec.values import Prediction, Verdict
    from imagepeel.rootfs.path import RootfsPath
    from imagepeel.rootfs.tree.changes import LayerEntries
    from imagepeel.rootfs.view import Rootfs

ROWS = 20
"""Rows of one table of a card."""
CLIP = 200
"""Characters of one field of a value without a card of its own."""
LONG = 2000
"""Characters of one run of text in a list."""


def card(shown: object) -> Document:
    """Return the document of a value: what it is in one line, then its parts.  TypeError for one that has no card."""
    for kind in type(shown).__mro__:
        make = _CARDS.get(kind.__name__)
        if make is not None and kind.__module__.startswith("imagepeel."):
            return make(shown)
    if isinstance(shown, msgspec.Struct):
        page = _PAGES.get(type(shown).__name__)
        return _page(shown, *page) if page is not None else _fields(shown)
    raise TypeError(f"{type(shown).__name__} has no card")


# ---- pieces -----------------------------------------------------------------------------------------------


def _document(title: str, facts: Iterable[str | Span], *sections: Section | None) -> Document:
    shown = (fact if isinstance(fact, Span) else value(fact) for fact in facts)
    return Document(
        title=title,
        headline=(value(title), *(fact for fact in shown if fact.text)),
        sections=tuple(one for one in sections if one is not None and one.blocks),
    )


def _table(columns: Sequence[Column], rows: Sequence[Row], more: str, total: int) -> Table:
    return Table(columns=tuple(columns), rows=tuple(rows[:ROWS]), hidden=max(0, total - ROWS), all=more)


def _facts(*pairs: tuple[str, str | Span]) -> Table | None:
    rows = [row(dim(name), said) for name, said in pairs if (said.text if isinstance(said, Span) else said)]
    return Table(columns=(Column("", keep=True), Column("")), rows=tuple(rows)) if rows else None


def _section(*blocks: Any, title: str = "", folded: bool = False) -> Section:
    made = section(*(block for block in blocks if block is not None), title=title)
    return msgspec.structs.replace(made, folded=folded)


def _more(count: int, call: str) -> Item:
    return item(dim(f"{number(count)} more: "), code(call))


def _oddities(found: Sequence[Anomaly], call: str) -> Section | None:
    if not found:
        return None
    lines = [item(anomaly.message) for anomaly in found[:ROWS]]
    if len(found) > ROWS:
        lines.append(_more(len(found) - ROWS, call))
    return _section(items(*lines), title=plural(len(found), "oddity"), folded=True)


def _not_examined(said: str) -> Section | None:
    """The images of the archive that the value is not about; None without any."""
    return _section(say(said)) if said else None


def _beside(layers: Sequence[LayerEntries]) -> Section | None:
    """The same of what is made of the layers of one image."""
    from imagepeel.image import Layer as LayerOfImage  # start time: whoever has one has it loaded

    return _not_examined(next((one.not_examined for one in layers if isinstance(one, LayerOfImage)), ""))


# ---- archive, image, layer --------------------------------------------------------------------------------


def _archive(archive: OpenArchive) -> Document:
    rows = [
        row(
            f"#{record.number}",
            path(record.tags[0]) if record.tags else "",
            str(record.platform or ""),
            record.kind if not record.runnable else plural(len(record.layers), "layer"),
            "" if record.complete else bad("missing: " + listed(record.missing, 3)),
        )
        for record in archive.records[:ROWS]
    ]
    columns = (
        Column("", right=True, keep=True), Column("name"), Column("platform", keep=True),
        Column("", keep=True), Column(""),
    )  # fmt: skip
    return _document(
        archive.name,
        (archive.kind.name, plural(len(archive.records), "record")),
        _section(say(f"{archive.detection.sentence}."), _table(columns, rows, "archive.records", len(archive.records))),
        _oddities(archive.anomalies, "archive.anomalies"),
    )


def _image(image: LayeredImage) -> Document:
    config = image.config.config
    command = " ".join((*(config.entrypoint or ()), *(config.cmd or ())))
    facts = _facts(
        ("id", Span(image.id or "", "digest")),
        ("digest", Span(image.digest or "", "digest")),
        ("command", code(command)),
        ("user", config.user or "root (none set)"),
        ("directory", path(config.working_dir or "/")),
    )
    rows = [
        row(term(layer.label), code(_made(layer)), size(layer.blob_size), "" if layer.readable else bad(layer.state))
        for layer in image.layers[:ROWS]
    ]
    columns = (Column("", keep=True), Column("made by"), Column("stored", right=True, keep=True), Column("", keep=True))
    return _document(
        image.name or image.id or "an image without a name",
        (image.platform, plural(len(image.layers), "layer")),
        _section(facts),
        _not_examined(image.not_examined),
        _section(_table(columns, rows, "image.layers", len(image.layers)), _stored_bars(image)) if rows else None,
        _section(
            say("Its story in six chapters: ", code("image.explain()"), "; where its bytes are: ", code("image.du()"))
        ),
    )


def _stored_bars(image: LayeredImage) -> Bars | None:
    """Draw what the layers store; what of their content is visible, `image.du()` knows, which reads them."""
    bars = [
        Bar(label=layer.label, words=f"{size(layer.blob_size)} stored", stored=layer.blob_size)
        for layer in image.layers[:ROWS]
    ]
    return Bars(bars=tuple(bars), hidden=max(0, len(image.layers) - ROWS)) if len(bars) > 1 else None


def _made(layer: Layer) -> str:
    return shortened(instruction(layer.created_by) or layer.record.member, 120)


def _layer(layer: Layer) -> Document:
    facts = _facts(
        ("made by", code(_made(layer))),
        ("member", path(layer.record.member)),
        ("digest", Span(layer.record.digest or layer.record.name_digest or "", "digest")),
        ("DiffID", Span(layer.record.diff_id or "", "digest")),
        ("media type", layer.media_type),
    )
    head = (layer.state, size(layer.blob_size) + " stored")
    if not layer.scanned:
        unread = say(dim("Its entries were not read yet: "), code("len(layer.table)"), dim(" reads them."))
        return _document(f"layer {layer.label}", head, _section(facts), _beside((layer,)), _section(unread))
    return _document(
        f"layer {layer.label}",
        (*head, size(layer.content_size) + " of content"),
        _section(facts),
        _beside((layer,)),
        _entries(layer.table, "layer.entries"),
        _oddities(layer.anomalies, "layer.anomalies"),
    )


def _entries(table: EntryTable, call: str) -> Section:
    rows = [
        row(entry.kind, f"{entry.mode:04o}", f"{entry.uid}:{entry.gid}", size(entry.size), path(text(entry.raw_name)))
        for entry in table[:ROWS]
    ]
    columns = (
        Column("kind", keep=True), Column("mode", keep=True), Column("owner", keep=True),
        Column("size", right=True, keep=True), Column("name"),
    )  # fmt: skip
    return _section(_table(columns, rows, call, len(table)), title=plural(len(table), "entry"), folded=True)


def _entry_table(table: EntryTable) -> Document:
    made = _entries(table, "list(table)")
    return _document("entries of a layer", (plural(len(table), "entry"),), msgspec.structs.replace(made, folded=False))


# ---- filesystem -------------------------------------------------------------------------------------------


def _rootfs(rootfs: Rootfs) -> Document:
    refused = None
    if rootfs.refusal is not None:
        refusal = rootfs.refusal
        refused = _section(say(f"Refused: {refusal.reason} ({layer_label(refusal.layer)})", level="bad"))
    return _document(
        f"rootfs, {rootfs.label}",
        (plural(len(rootfs.layers), "layer"),),
        refused,
        None if rootfs.complete else _section(say(f"This is as far as can be told: {rootfs.knowledge.why()}.")),
        _beside(rootfs.layers),
        _section(_listing(rootfs.scandir("/"), "rootfs.scandir('/')")),
    )


def _path(shown: RootfsPath) -> Document:
    from imagepeel.rootfs.view import Rootfs as View  # start time: whoever has a path has it loaded

    rootfs, name = shown.rootfs, str(shown)
    view = rootfs if isinstance(rootfs, View) else None
    beside = _beside(view.layers) if view is not None else None
    node = rootfs.resolve(name, follow=False).node
    if node is None:
        known = view is None or view.complete
        return _document(name, (bad("does not exist" if known else "is not in the layers that are here"),), beside)
    facts = _facts(
        ("links to", path(text(node.target)) if node.is_symlink else ""), ("comes from", str(rootfs.location(name)))
    )
    below = _section(_listing(rootfs.scandir(name), "list(path.iterdir())")) if node.is_dir else None
    shown_size = size(node.size) if node.is_file else ""
    return _document(
        name, (node.kind, f"{node.mode:04o}", f"{node.uid}:{node.gid}", shown_size),
        _section(facts), beside, below,
    )  # fmt: skip


def _listing(found: Sequence[tuple[bytes, Any]], call: str) -> Table:
    rows = [
        row(
            node.kind,
            f"{node.mode:04o}",
            f"{node.uid}:{node.gid}",
            size(node.size) if node.is_file else "",
            layer_label(node.layer) if node.layer is not None else "",
            path(text(name) + (f" -> {text(node.target)}" if node.is_symlink else "")),
        )
        for name, node in found[:ROWS]
    ]
    columns = (
        Column("kind", keep=True), Column("mode", keep=True), Column("owner", keep=True),
        Column("size", right=True, keep=True), Column("layer", keep=True), Column("name"),
    )  # fmt: skip
    return _table(columns, rows, call, len(found))


# ---- process ----------------------------------------------------------------------------------------------


def _verdict(verdict: Verdict) -> Document:
    from imagepeel.present.process import verdict_sections  # start time: a card of an image needs no prediction

    return _document("verdict", (), *verdict_sections(verdict), _not_examined(verdict.not_examined))


def _prediction(found: Prediction) -> Document:
    """Return what `process` shows; all below request and verdict may wait."""
    from imagepeel.present.process import prediction_sections  # start time

    told = (_cut(one, "imagepeel process") for one in prediction_sections(found))
    return _document("prediction", (), *told, _not_examined(found.not_examined))


def _cut(shown: Section, more: str) -> Section:
    """Return a section of a command's document as part of a card: a titled one is folded, long lists are cut."""
    blocks = (
        msgspec.structs.replace(block, items=_few_items(block.items, more)) if isinstance(block, Items)
        else _table(block.columns, block.rows, more, len(block.rows) + block.hidden) if isinstance(block, Table)
        else Bars(bars=block.bars[:ROWS], hidden=max(0, len(block.bars) - ROWS)) if isinstance(block, Bars)
        else block
        for block in shown.blocks
    )  # fmt: skip
    return msgspec.structs.replace(shown, blocks=tuple(blocks), folded=bool(shown.title))


def _few_items(found: Sequence[Item], more: str) -> tuple[Item, ...]:
    few = [
        msgspec.structs.replace(one, text=tuple(map(_clipped, one.text)), items=_few_items(one.items, more))
        for one in found[:ROWS]
    ]
    if len(found) > ROWS:
        few.append(_more(len(found) - ROWS, more))
    return tuple(few)


def _clipped(span: Span) -> Span:
    return msgspec.structs.replace(span, text=shortened(span.text, LONG)) if len(span.text) > LONG else span


# ---- findings ---------------------------------------------------------------------------------------------


def _finding(found: Finding) -> Document:
    """Return what `wtf --receipts` shows of it, and the page of its rule."""
    from imagepeel.findings.catalogue import find_rule  # start time: the rules are many
    from imagepeel.present.findings import finding_section, rule_sections  # start time
    from imagepeel.results.findings import finding_result, rule_result  # start time

    rule = find_rule(found.rule)
    about = [block for part in rule_sections(rule_result(rule)) for block in part.blocks]
    return _document(
        "finding",
        (),
        _cut(finding_section(finding_result(found), receipts=True), "finding.details"),
        _section(*about, title=f"the rule {rule.id}", folded=True),
    )


def _findings(found: Findings) -> Document:
    """Return what `wtf` shows of the worst."""
    from imagepeel.present.findings import findings_sections  # start time
    from imagepeel.results.findings import finding_result, severity_counts  # start time

    title = plural(len(found), "finding") if found else "no findings"
    results = [finding_result(one) for one in found[:ROWS]]
    hidden = len(found) - len(results)
    return _document(
        title,
        ("worst first",) if found else (),
        *(_cut(one, "imagepeel wtf") for one in findings_sections(results, severity_counts(found))),
        _section(items(_more(hidden, "image.findings().to_dicts()"))) if hidden else None,
    )


def _waste(found: Waste) -> Document:
    """Return what `waste` shows."""
    from imagepeel.present.waste import waste_sections  # start time
    from imagepeel.results.waste import waste_account  # start time

    shown = waste_sections(waste_account(found, ROWS), more="waste.items")
    return _document("waste", (), *shown, _not_examined(found.not_examined))


def _slim(found: Slim) -> Document:
    """Return what `slim` shows."""
    from imagepeel.present.slim import slim_sections  # start time

    return _document("slim", (), *slim_sections(found, most=ROWS), _not_examined(found.not_examined))


# ---- small values -----------------------------------------------------------------------------------------


def _story(story: Story) -> Document:
    return story.document()


def _receipt(receipt: Receipt) -> Document:
    return _document("receipt", (receipt.shows,), _section(items(try_it(receipt))))


def _location(place: Location) -> Document:
    return _document("place", (str(place),))


def _evidence(evidence: Evidence) -> Document:
    lines = [item(str(place)) for place in evidence.locations[:ROWS] if str(place)]
    lines += [try_it(receipt) for receipt in evidence.receipts[:ROWS]]
    return _document(
        "evidence",
        (plural(len(evidence.locations), "place"), plural(len(evidence.receipts), "receipt")),
        _section(items(*lines)) if lines else None,
    )


def _page(result: msgspec.Struct, module: str, function: str, given: dict[str, Any]) -> Document:
    """Return what the command shows of its result, long lists cut."""
    document: Document = getattr(import_module(f"imagepeel.present.{module}"), function)(result, **given)
    sections = tuple(_cut(one, "the fields of the value") for one in document.sections)
    return msgspec.structs.replace(document, sections=sections)


def _fields(shown: msgspec.Struct) -> Document:
    """Return a table of the fields of a value that has no card of its own; long ones are counted or cut."""
    names = [name for name in shown.__struct_fields__ if name != "not_examined"]
    rows = [row(term(name), _short(getattr(shown, name))) for name in names]
    columns = (Column("", keep=True), Column(""))
    return _document(
        type(shown).__name__,
        (),
        _section(_table(columns, rows, "the fields of the value", len(rows))) if rows else None,
        _not_examined(getattr(shown, "not_examined", "")),
    )


def _short(shown: Any) -> str:
    if isinstance(shown, str):
        return shortened(shown, CLIP)
    if isinstance(shown, bytes):
        return plural(len(shown), "byte") if len(shown) > CLIP // 4 else repr(shown)
    if isinstance(shown, tuple | list | dict | frozenset) and len(shown) > 3:
        return plural(len(shown), "value")
    if isinstance(shown, tuple | list | frozenset):
        return ", ".join(masked_words(list(_few(shown))))
    if isinstance(shown, dict):
        return ", ".join(
            f"{key}={masked_value(key, value)}" for key, value in zip(_few(shown), _few(shown.values()), strict=True)
        )
    return _short(repr(shown))


def _few(shown: Iterable[Any]) -> Iterator[str]:
    for one in shown:
        yield one if isinstance(one, str) else repr(one)[:CLIP]


_PAGES: dict[str, tuple[str, str, dict[str, Any]]] = {
    "AnatomyResult": ("anatomy", "anatomy_document", {"most": ROWS}),
    "BlameResult": ("blame", "blame_document", {}),
    "CheckOutcome": ("check", "check_document", {}),
    "CheckRun": ("check", "check_document", {}),
    "DiffResult": ("diff", "diff_document", {"every": False}),
    "DuResult": ("du", "du_document", {"most": ROWS, "exact": False}),
    "ImagesResult": ("images", "images_document", {}),
    "LayersResult": ("layers", "layers_document", {}),
    "LineageResult": ("lineage", "lineage_document", {}),
    "LoadableResult": ("loadable", "loadable_document", {}),
    "LogResult": ("log", "log_document", {}),
    "MatrixResult": ("process", "process_document", {}),
    "PackagesResult": ("packages", "packages_document", {}),
    "ProcessResult": ("process", "process_document", {}),
    "Quiz": ("quiz", "quiz_document", {}),
    "RebuiltDockerfile": ("dockerfile", "dockerfile_document", {}),
    "RuleListResult": ("findings", "wtf_document", {}),
    "RuleResult": ("findings", "wtf_document", {}),
    "SlimResult": ("slim", "slim_document", {"most": ROWS}),
    "StartResult": ("start", "start_document", {}),
    "SurveyResult": ("survey", "survey_document", {}),
    "TraceResult": ("trace", "trace_document", {}),
    "VersionResult": ("version", "version_document", {}),
    "ViewsResult": ("views", "views_document", {}),
    "WasteResult": ("waste", "waste_document", {}),
    "WhyResult": ("why", "why_document", {}),
    "WtfResult": ("findings", "wtf_document", {}),
}
"""The result of a command -> the function in `present/` that makes its document, and what else that is given."""

_CARDS: dict[str, Callable[[Any], Document]] = {
    "OpenArchive": _archive,
    "LayeredImage": _image,
    "Layer": _layer,
    "EntryTable": _entry_table,
    "Rootfs": _rootfs,
    "RootfsPath": _path,
    "Prediction": _prediction,
    "Verdict": _verdict,
    "Finding": _finding,
    "Findings": _findings,
    "Slim": _slim,
    "Waste": _waste,
    "Story": _story,
    "Receipt": _receipt,
    "Location": _location,
    "Evidence": _evidence,
}
