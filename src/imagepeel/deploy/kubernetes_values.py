"""What several rules about pods share: the pods of a file, places in them, and names as the API takes them."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator, Mapping

import msgspec

from imagepeel.deploy.marked import Node
from imagepeel.deploy.place import Place, malformed
from imagepeel.errors import Unsupported

_TEMPLATES: dict[str, tuple[str, ...]] = {
    "Pod": (),
    "PodTemplate": ("template",),
    "Deployment": ("spec", "template"),
    "ReplicaSet": ("spec", "template"),
    "ReplicationController": ("spec", "template"),
    "StatefulSet": ("spec", "template"),
    "DaemonSet": ("spec", "template"),
    "Job": ("spec", "template"),
    "CronJob": ("spec", "jobTemplate", "spec", "template"),
}
"""Kind -> where its pod stands."""

_ALPHANUMERIC = frozenset("abcdefghijklmnopqrstuvwxyz0123456789")


class PodText(msgspec.Struct, frozen=True, kw_only=True):
    """One pod of a file: `document` is the whole object, `template` the part with the pod's metadata and spec."""

    kind: str
    name: str
    namespace: str
    document: Node
    template: Node
    spec: Node
    volume_claims: tuple[str, ...] = ()

    @property
    def pod_name(self) -> str:
        """The name of the pod as people read it: a controller adds to its own."""
        return f"{self.name}-<id>" if _TEMPLATES[self.kind] else self.name


class Given(msgspec.Struct, frozen=True, kw_only=True):
    """The ConfigMaps and Secrets that stand in the file itself: (kind, name) -> key -> text; None where it is bytes."""

    data: Mapping[tuple[str, str], Mapping[str, str | None]]

    def keys_of(self, kind: str, name: str) -> Mapping[str, str | None] | None:
        """The data of one of them, None where the file does not have it."""
        return self.data.get((kind, name))


def objects(documents: list[Node]) -> Iterator[Node]:
    """Yield the objects of a file, those of a List one by one."""
    for document in documents:
        if document.string("kind") == "List":
            yield from document.each("items")
        else:
            yield document


def pods(documents: list[Node], file: str) -> list[PodText]:
    """Return the pods that the objects of a file make.  Unsupported where none does."""
    found, seen = [], []
    for one in objects(documents):
        kind = one.string("kind")
        if not kind:
            raise malformed(one.place, "kind is not set", "an object of Kubernetes says apiVersion and kind")
        seen.append(kind)
        if kind not in _TEMPLATES:
            continue
        template = one.get(*_TEMPLATES[kind])
        spec = template.get("spec") if template is not None else None
        if template is None or spec is None:
            raise malformed(one.place, f"this {kind} has no spec of a pod")
        meta = one.get("metadata")
        claims = () if kind != "StatefulSet" else tuple(
            claim.get("metadata").string("name") if claim.get("metadata") is not None else ""  # type: ignore[union-attr]
            for claim in (one.get("spec") or one).each("volumeClaimTemplates")
        )  # fmt: skip
        found.append(
            PodText(
                kind=kind,
                name=meta.string("name") if meta is not None else "",
                namespace=(meta.string("namespace") if meta is not None else "") or "default",
                document=one,
                template=template,
                spec=spec,
                volume_claims=claims,
            )
        )
    if not found:
        kinds = ", ".join(dict.fromkeys(seen)) or "nothing"
        raise Unsupported(
            f"{file} makes no pod: it has {kinds}", hint="give a file with one of " + ", ".join(_TEMPLATES)
        )
    return found


def given_data(documents: list[Node]) -> Given:
    """Return the ConfigMaps and Secrets of a file."""
    found: dict[tuple[str, str], dict[str, str | None]] = {}
    for one in objects(documents):
        kind = one.string("kind")
        meta = one.get("metadata")
        if kind not in ("ConfigMap", "Secret") or meta is None:
            continue
        values: dict[str, str | None] = {}
        for key, value in _map(one, "data").items():
            values[key] = _decoded(value) if kind == "Secret" else value.as_text()
        for key, value in _map(one, "stringData").items():
            values[key] = value.as_text()
        values |= dict.fromkeys(_map(one, "binaryData"))
        found[kind, meta.string("name")] = values
    return Given(data=found)


def _map(node: Node, name: str) -> dict[str, Node]:
    found = node.get(name)
    return {} if found is None else found.mapping()


def _decoded(value: Node) -> str | None:
    try:
        return base64.b64decode("".join(value.as_text().split()), validate=True).decode()
    except UnicodeDecodeError:
        return None
    except binascii.Error:
        raise malformed(value.place, "the value of a Secret's data is no base64") from None


def field_path(place: Place) -> str:
    """A place as Kubernetes words it: `spec.containers[0].image`."""
    path = ""
    for part in place.pointer.split("/")[1:]:
        part = part.replace("~1", "/").replace("~0", "~")
        path += f"[{part}]" if part.isdigit() else f".{part}"
    return path.lstrip(".")


def is_label(name: str) -> bool:
    """Whether a name is a DNS label (RFC 1123), as names of containers and volumes are."""
    return len(name) <= 63 and _is_part(name)


def is_subdomain(name: str) -> bool:
    """Whether a name is a DNS subdomain (RFC 1123), as names of objects are."""
    return len(name) <= 253 and all(_is_part(part) for part in name.split("."))


def _is_part(name: str) -> bool:
    return bool(name) and _ALPHANUMERIC.issuperset(name.replace("-", "")) and name.strip("-") == name
