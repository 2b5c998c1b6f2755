"""`ctr images import`, `nerdctl load` and `kind load image-archive`: all of them import into containerd.

Source: containerd cmd/ctr, nerdctl pkg/imgutil/load, kind pkg/cluster/nodeutils; ctr 1.6.20 was run.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from imagepeel.archive.compression import Compression
from imagepeel.loading import importer
from imagepeel.loading.answer import FILE
from imagepeel.loading.importer import ImportRules
from imagepeel.loading.tool import LoadFamily, LoadTool

if TYPE_CHECKING:
    from imagepeel.loading.answer import LoadAnswer
    from imagepeel.loading.delivery import Delivery

_PACKED = (Compression.GZIP, Compression.ZSTD)


class Import(LoadTool, frozen=True, kw_only=True):
    """A client that imports into containerd."""

    rules: ImportRules

    def judge(self, delivery: Delivery) -> LoadAnswer:
        return importer.judge(delivery, self.rules, self.view)

    def judge_file(self, delivery: Delivery) -> LoadAnswer | None:
        return importer.judge_file(delivery, self.rules)

    def judge_image(self, delivery: Delivery) -> LoadAnswer | None:
        return importer.judge_image(delivery, self.rules, self.view)


_CTR = Import(
    name="containerd", version=(1, 6), command=f"ctr images import {FILE}", view="runtime", measured="ctr 1.6.20",
    read="containerd, core/images/archive/importer.go",
    rules=ImportRules(unwraps=(), prefix="ctr: ", familiar=False, tag_only="prefix", unnamed="nothing"),
)  # fmt: skip
_CTR2 = Import(
    name="containerd", version=(2,), command=f"ctr images import {FILE}", view="runtime",
    read="containerd 44a836c9, core/images/archive/importer.go",
    rules=ImportRules(unwraps=_PACKED, prefix="ctr: ", familiar=False, tag_only="prefix", unnamed="nothing"),
)  # fmt: skip
_NERDCTL = Import(
    name="nerdctl", version=(2,), command=f"nerdctl load -i {FILE}", view="runtime",
    read="nerdctl 2550e0ca, pkg/imgutil/load/load.go",
    rules=ImportRules(unwraps=_PACKED, prefix="", familiar=False, tag_only="prefix", unnamed="digest"),
)  # fmt: skip
_KIND = Import(
    name="kind", version=(0, 30), command=f"kind load image-archive {FILE}", view="runtime",
    read="kind pkg/cluster/nodeutils/util.go: ctr images import --all-platforms --digests -",
    rules=ImportRules(
        unwraps=_PACKED, prefix="ctr: ", familiar=False, tag_only="prefix", unnamed="digest", filters=False,
        all_platforms=True,
    ),
)  # fmt: skip

FAMILIES = (
    LoadFamily(name="containerd", versions=(_CTR, _CTR2)),
    LoadFamily(name="nerdctl", versions=(_NERDCTL,)),
    LoadFamily(name="kind", versions=(_KIND,)),
)
