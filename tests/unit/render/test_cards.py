"""Every public value has a card in notebooks and terminals, and a repr that fits on a screen."""

from __future__ import annotations

import inspect
import io
import tarfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import msgspec
import pytest
from rich.console import Console

import imagepeel
from imagepeel import forge, results
from imagepeel._display import Shown
from imagepeel.findings.catalogue import find_rule
from imagepeel.present.cards import card
from imagepeel.present.document import Claim, Items, Section, Table, plain
from imagepeel.present.findings import wtf_document
from imagepeel.present.process import process_document
from imagepeel.present.waste import waste_document
from imagepeel.results.findings import rule_result, wtf_result
from imagepeel.results.head import image_head
from imagepeel.results.layers import layers_result
from imagepeel.results.process import process_result
from imagepeel.results.waste import waste_result

EVIL = "x<script>alert(1)</script>\x1b[2J\u202e"


@pytest.fixture(scope="module")
def values(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Any]]:
    """Values of a large image with hostile names, each as an API gives it."""
    entries = [forge.file(f"data/{EVIL}{n}", "x" * 100) for n in range(4000)]
    spec = forge.image(
        forge.layer(forge.directory("data"), *entries, created_by=f"RUN make {EVIL}"),
        forge.layer(*(forge.file(f"data/{EVIL}{n}", "y") for n in range(4000)), created_by="RUN again"),
        entrypoint=["/bin/" + EVIL * 500],
        env=[f"A={EVIL * 2000}"],
        user=EVIL,
        names="many:1",
    )
    path = forge.write(spec, tmp_path_factory.mktemp("cards") / "many.tar")
    lower = forge.write(forge.image(spec.layers[0], names="few:1"), tmp_path_factory.mktemp("cards") / "few.tar")
    with imagepeel.open(Path(path)) as archive, imagepeel.open(Path(lower)) as below:
        image = archive.image()
        head = image_head(image)
        prediction = image.process()
        findings = image.findings()
        waste = image.waste()
        yield [
            archive, image, *image.layers, image.layers[0].table, image.rootfs, image.rootfs / "data",
            (image.rootfs / "data" / f"{EVIL}7").stat(), image.config, image.config.config, prediction,
            prediction.verdict, *prediction.steps[:2], prediction.user, findings, *findings[:3], findings[0].evidence,
            findings[0].evidence.locations[0], waste, waste.items[0], waste.layers[0], image.explain(),
            imagepeel.Limits(), imagepeel.Receipt(command="tar -tf x", shows=EVIL),
            imagepeel.Anomaly(code="odd", message=EVIL), image.trace(f"data/{EVIL}7"), image.diff(below.image()),
            image.dockerfile(), image.views(), image.du(), layers_result(image), process_result(image, prediction),
            wtf_result(head, findings), waste_result(head, waste, 0), rule_result(find_rule(findings[0].rule)),
            spec, *spec.layers[:1], spec.layers[0].entries[1], forge.assemble(spec),
        ]  # fmt: skip


def test_a_repr_fits_on_a_screen(values: list[Any]) -> None:
    for value in values:
        assert len(repr(value)) < 2000, type(value)


def test_every_value_has_a_card_and_it_is_inert(values: list[Any]) -> None:
    for value in values:
        assert isinstance(value, Shown), type(value)
        shown = value._repr_mimebundle_()
        assert list(shown) == ["text/plain", "text/html"]
        assert len(shown["text/html"]) < 300_000, type(value)
        assert "<script" not in shown["text/html"] and "\x1b" not in shown["text/html"]
        assert "\u202e" not in shown["text/html"]


def test_rich_prints_every_value_without_its_escapes(values: list[Any]) -> None:
    for value in values:
        console = Console(width=80, record=True, force_terminal=False, file=open("/dev/null", "w"))  # noqa: SIM115
        console.print(value)
        shown = console.export_text()
        assert shown.strip() and "\x1b" not in shown and "\u202e" not in shown


def test_every_public_struct_shows_itself() -> None:
    for name, value in [(name, getattr(home, name)) for home in (imagepeel, results, forge) for name in home.__all__]:
        if inspect.isclass(value) and issubclass(value, msgspec.Struct):
            assert issubclass(value, Shown), name


def _texts(sections: Iterable[Section]) -> set[str]:
    """Return every sentence, entry of a list and cell of sections."""
    found: set[str] = set()
    for block in (block for shown in sections for block in shown.blocks):
        if isinstance(block, Claim):
            found.add(plain(block.text))
        elif isinstance(block, Table):
            found.update(plain(cell) for row in block.rows for cell in row.cells)
        elif isinstance(block, Items):
            pending = list(block.items)
            while pending:
                one = pending.pop()
                found.add(plain(one.text))
                pending += one.items
    return found


def test_a_card_is_a_part_of_what_the_command_shows(forge_archive: Callable[..., Path]) -> None:
    with imagepeel.open(forge_archive("broken-entrypoint")) as archive:
        image = archive.image()
        prediction, findings, waste = image.process(), image.findings(), image.waste()
        head = image_head(image)
        shown = {
            "prediction": process_document(process_result(image, prediction)),
            "wtf": wtf_document(wtf_result(head, findings)),
            "rule": wtf_document(rule_result(find_rule(findings[0].rule))),
            "receipts": wtf_document(wtf_result(head, findings), receipts=True),
            "waste": waste_document(waste_result(head, waste, 0)),
        }
    told = {name: _texts(document.sections) for name, document in shown.items()}
    assert prediction.verdict.why in _texts(card(prediction).sections)
    assert _texts(card(prediction).sections) <= told["prediction"]
    assert _texts(card(prediction.verdict).sections) <= told["prediction"]
    assert findings[0].message in _texts(card(findings).sections)
    assert _texts(card(findings).sections) == told["wtf"]
    assert findings[0].message in _texts(card(findings[0]).sections)
    assert _texts(card(findings[0]).sections) <= told["receipts"] | told["rule"]
    assert _texts(card(waste).sections) == told["waste"]


def test_layers_are_drawn_against_their_bytes(tmp_path: Path) -> None:
    """The widths are those of sizes that are counted with Python's tarfile."""
    with imagepeel.open(forge.write(forge.build("shop"), tmp_path / "shop.tar")) as archive:
        image = archive.image()
        of_image = image._repr_mimebundle_()["text/html"]
        drawn = ElementTree.fromstring(_drawing(image.du()._repr_mimebundle_()["text/html"]))
        tops = [image.layers[n].content.pread(0, image.layers[n].content_size) for n in (3, 5)]
    assert of_image.count("<svg") == 8 + 1 and "visible" not in _drawing(of_image)
    rows = drawn.findall(".//tr")
    assert [row.findtext("td") for row in rows] == [f"L{n}" for n in range(1, 9)]
    assert rows[4].findtext("td/svg/title") == "0 B visible, 0 B unreachable, 2.56 kB of headers; 2.56 kB stored"
    whole = max(map(len, tops))
    for row, content, name in ((rows[3], tops[0], "unseen"), (rows[5], tops[1], "seen")):
        with tarfile.open(fileobj=io.BytesIO(content)) as layer:
            files = sum(entry.size for entry in layer if entry.isreg())
        part = row.find(f".//*[@class='{name}']")
        assert part is not None
        width = part.get("width") or part.get("x2") or ""
        assert float(width.rstrip("%")) == pytest.approx(100 * files / whole, abs=0.1)
    # Stripes, not a colour alone.
    assert drawn.find(".//line[@class='unseen']").get("stroke-dasharray")


def _drawing(page: str) -> str:
    start = page.index('<table class="bars">')
    return page[start : page.index("</table>", start)] + "</table>"
