"""The marker file of an OCI layout, `oci-layout` (image-spec image-layout.md)."""

from __future__ import annotations

from typing import Any

from imagepeel.evidence import Anomaly, Location
from imagepeel.oci.json_document import Fields

MARKER = "oci-layout"
"""Its name in a layout."""
VERSION = "1.0.0"


def layout_version_of(value: Any, where: Location, anomalies: list[Anomaly]) -> str:
    """Return `imageLayoutVersion`; one that is missing or unknown is recorded."""
    fields = Fields(value, where, anomalies)
    version = fields.text("imageLayoutVersion")
    if version != VERSION:
        fields.note("layout-version", f"imageLayoutVersion is {version!r}, engines know only {VERSION}", fatal=True)
    return version
