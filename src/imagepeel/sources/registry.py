"""Images in a registry, by the distribution protocol (distribution-spec, and the token scheme of docker's registry)."""

from __future__ import annotations

import base64
import threading
from typing import Any
from urllib.parse import quote, urlencode

import msgspec

from imagepeel._lazy import late
from imagepeel.errors import DigestMismatch, FetchFailed, MissingBlob, NotFound, Unsupported
from imagepeel.limits import KiB, Limits, MiB
from imagepeel.oci.digest import Digest, algorithm_of, can_verify, digest_of
from imagepeel.serialization import from_json
from imagepeel.sources.credentials import Login, login_for
from imagepeel.sources.http import Answer, Http, is_loopback, origin, refused, split
from imagepeel.sources.image_name import ImageName
from imagepeel.sources.request import Request
from imagepeel.sources.words import shown

ACCEPT = ", ".join(
    f"application/vnd.{kind}+json"
    for kind in (
        "oci.image.index.v1",
        "docker.distribution.manifest.list.v2",
        "oci.image.manifest.v1",
        "docker.distribution.manifest.v2",
    )
)
_PAIR = late(r'([a-z_]{1,20})="([^"]{0,2000})"')
_SCHEMA1 = "application/vnd.docker.distribution.manifest.v1+"
_MOST_TOKEN = 64 * KiB


class Registry:
    """One repository of one registry, with the login of the user where it asks for one."""

    def __init__(self, name: ImageName, request: Request) -> None:
        self.name: ImageName = name
        self.limits: Limits = request.limits
        self._http = Http(request)
        self._lock = threading.Lock()
        self._base: str = ""
        self._authorization: str = ""
        self.scope: str = f"repository:{name.repository}:pull"
        """What a token is asked for."""
        self.gone: set[Digest] = set()
        """Blobs of which it said that it does not have them."""

    def close(self) -> None:
        self._http.close()

    def manifest(self, last: str) -> tuple[bytes, str, Digest]:
        """Return the bytes of a manifest or index that a tag or digest names, their media type and digest.

        DigestMismatch when they do not have the digest that was asked for, or that the registry states of them;
        NotFound when there is none; FetchFailed; LimitExceeded past `Limits.json_bytes`.
        """
        what = f"manifest {last} of {self.name.repository}"
        answer = self.ask(f"manifests/{last}", what, {"Accept": ACCEPT})
        stated = answer.headers.get("Docker-Content-Digest", "")
        media_type = (answer.headers.get("Content-Type") or "").partition(";")[0].strip()
        data = answer.read(self.limits.json_bytes)
        if media_type.startswith(_SCHEMA1):
            raise Unsupported(
                f"{self.name} is an image of schema 1, which engines no longer take", hint="build it again"
            )
        wanted = last if ":" in last else stated
        usable = Digest(wanted) if wanted and can_verify(Digest(wanted)) else None
        found = digest_of(data, algorithm_of(usable)) if usable else digest_of(data)
        if usable and found != usable:
            raise DigestMismatch(
                f"{self.name.host} sends another {what}: its digest is {found}", hint="do not trust the registry"
            )
        return data, media_type, found

    def digest_now(self) -> str:
        """Return the digest that the registry states of what was named, "" where it states none: no manifest comes.

        The errors of `manifest`; nothing is asked twice.
        """
        last = self.name.last
        what = f"manifest {last} of {self.name.repository}"
        answer = self.ask(f"manifests/{last}", what, {"Accept": ACCEPT}, method="HEAD", again=False)
        answer.drop()
        return answer.headers.get("Docker-Content-Digest", "").strip()

    def listed(self, digest: Digest) -> bytes:
        """Return the bytes of a manifest that an index lists; the errors of `manifest`, but MissingBlob for none."""
        try:
            return self.manifest(digest)[0]
        except NotFound as error:
            raise self._gone(digest, error) from error

    def blob(self, digest: Digest, start: int = 0, *, lone: bool = False) -> Answer:
        """Return the answer whose body are the bytes of a blob, from `start` on where the registry can do that.

        MissingBlob where it answers that there is none.
        """
        headers = {"Range": f"bytes={start}-"} if start else {}
        try:
            return self.ask(f"blobs/{digest}", f"blob {digest} of {self.name.repository}", headers, again=not lone)
        except NotFound as error:
            raise self._gone(digest, error) from error

    def part(self, digest: Digest, offset: int, end: int) -> Answer:
        """Return the answer with these bytes of a blob (206), or with all of it (200) where there are no parts.

        FetchFailed for other bytes than were asked for, MissingBlob where it answers that there is no such blob.
        """
        what = f"part of the blob {digest} of {self.name.repository}"
        try:
            answer = self.ask(f"blobs/{digest}", what, {"Range": f"bytes={offset}-{end - 1}"})
        except NotFound as error:
            raise self._gone(digest, error) from error
        given = answer.headers.get("Content-Range", "").partition("/")[0]
        if answer.status == 206 and given != f"bytes {offset}-{end - 1}":
            answer.close()
            raise FetchFailed(
                f"{self.name.host} sends other bytes than were asked for: {given[:60] or 'it does not say which'}"
            )
        return answer

    def ask(self, path: str, what: str, headers: dict[str, str], *, again: bool = True, method: str = "GET") -> Answer:
        """Return the successful answer to a GET below the repository; `what` names in an error what is asked for."""
        place = f"{self.name.repository}/{quote(path, safe='/:@')}"
        return self.get(place, what, headers, again=again, method=method)

    def get(self, place: str, what: str, headers: dict[str, str], *, again: bool = True, method: str = "GET") -> Answer:
        """The same for a place below `/v2/`, quoted already."""
        base = self._base or self._find()
        url = f"{base}/v2/{place}"
        for first in (True, False):
            sent = {**headers, "Authorization": self._authorization} if self._authorization else headers
            answer = self._http.send(method, url, sent, again=again)
            if answer.status != 401 or not first or not self._log_in(answer, url):
                break
        if answer.status not in (200, 206):
            raise refused(answer, what, login=self.name.host)
        return answer

    def _gone(self, digest: Digest, error: NotFound) -> MissingBlob:
        """Return the error for what a manifest names and the registry does not have: a state of the image."""
        self.gone.add(digest)
        return MissingBlob(error.what, error.where, "push the image again: its manifest names what is not there")

    def _find(self) -> str:
        """Return scheme and host.  TLS comes first; without it only this machine is asked, or who is allowed to be."""
        host = self.name.address
        bare = host.rpartition(":")[0] if host.rpartition(":")[2].isdigit() else host
        plain = (is_loopback(bare) or self._http.plain_http) and not self._http.speaks_tls(host)
        self._base = f"{'http' if plain else 'https'}://{host}"
        return self._base

    def _log_in(self, answer: Answer, url: str) -> bool:
        """Do what a 401 asks for; False when there is nothing to be done about it."""
        said = answer.headers.get("WWW-Authenticate", "")
        came_from = answer.url
        if origin(came_from) != origin(url):
            return False
        answer.drop()
        with self._lock:
            scheme, _, rest = said.strip().partition(" ")
            if scheme.lower() == "basic":
                login = login_for(self.name.host, self.name.repository)
                if login is None or not login.user:
                    return False
                self._authorization = _basic(login)
                return True
            if scheme.lower() != "bearer":
                return False
            words = dict(_PAIR.findall(rest[:4096]))
            self._authorization = "Bearer " + self._token(words.get("realm", ""), words.get("service", ""))
            return True

    def _token(self, realm: str, service: str) -> str:
        """Return a token from where the registry says that there are some.

        The login of the user goes there only when it is the registry's own place, see `_own`.
        """
        if split(realm).scheme != "https" and self._base.startswith("https:") and not self._http.plain_http:
            raise FetchFailed(f"{self.name.host} has its tokens at {shown(realm)}, which is not encrypted")
        fields = {"service": service, "scope": self.scope} if service else {"scope": self.scope}
        host = split(realm).netloc
        login = login_for(self.name.host, self.name.repository) if _own(self.name.address, realm) else login_for(host)
        mark = "&" if "?" in realm else "?"
        if login is not None and not login.user:
            form = {"grant_type": "refresh_token", "client_id": "imagepeel", "refresh_token": login.secret, **fields}
            kind = {"Content-Type": "application/x-www-form-urlencoded"}
            answer = self._http.send("POST", realm, kind, body=urlencode(form).encode())
        else:
            sent = {"Authorization": _basic(login)} if login is not None else {}
            answer = self._http.send("GET", realm + mark + urlencode(fields), sent)
        if answer.status != 200:
            raise refused(answer, f"token for {self.name.repository}", login=self.name.host)
        try:
            said = from_json(answer.read(MiB), dict[str, Any])
        except (msgspec.DecodeError, RecursionError):
            said = {}
        token = said.get("token") or said.get("access_token")
        if not isinstance(token, str) or not token.isascii() or not token.isprintable() or len(token) > _MOST_TOKEN:
            raise FetchFailed(
                f"{shown(realm)} gives no token", hint="it is what the registry names as its token server"
            )
        return token


def _own(registry: str, realm: str) -> bool:
    """Whether a token server belongs to a registry: on the same host, or below the domain that the registry is in.

    Anything else would let whoever is asked for an image send the user's login to whom he likes.  `docker.io` keeps its
    tokens on auth.docker.io, and gitlab.com those of registry.gitlab.com.
    """
    host = (split(f"https://{registry}").hostname or "").lower()
    there = (split(realm).hostname or "").lower()
    if host == there:
        return True
    above = host.partition(".")[2]
    named = not host.replace(".", "").isdigit() and ":" not in host and "." in above
    return named and (there == above or there.endswith("." + above))


def _basic(login: Login) -> str:
    return "Basic " + base64.b64encode(f"{login.user}:{login.secret}".encode()).decode("ascii")
