"""A registry in a thread, by the OCI distribution specification: tokens, redirects, faults on demand."""

from __future__ import annotations

import base64
import hashlib
import json
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

TOKEN = "let-me-in"


@dataclass
class Held:
    """What the registry holds, what it was asked, and how it misbehaves."""

    name: str = ""
    """HOST:PORT."""
    login: str = ""
    """USER:PASSWORD that it wants to see."""
    tokens: bool = False
    """Whether one signs in for a token; else by password alone."""
    moved: bool = False
    """Whether blobs lie elsewhere, behind a redirect."""
    manifests: dict[str, tuple[str, bytes]] = field(default_factory=dict)
    """REPOSITORY/TAG or REPOSITORY/DIGEST -> media type, content."""
    blobs: dict[str, bytes] = field(default_factory=dict)
    """REPOSITORY/DIGEST -> content."""
    asked: list[tuple[str, str]] = field(default_factory=list)
    ranges: list[str] = field(default_factory=list)
    elsewhere: list[str | None] = field(default_factory=list)
    """What came as Authorization where a redirect led."""
    cut: dict[str, list[int]] = field(default_factory=dict)
    """Digest -> after how many bytes the next answers are cut."""
    busy: list[int] = field(default_factory=list)
    """Statuses of the next answers."""

    def hold(self, repository: str, tag: str, media_type: str, content: bytes) -> str:
        digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
        for name in (tag, digest):
            self.manifests[f"{repository}/{name}"] = media_type, content
        return digest

    def hold_blob(self, repository: str, content: bytes) -> dict[str, object]:
        digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
        self.blobs[f"{repository}/{digest}"] = content
        return {"digest": digest, "size": len(content), "mediaType": "x"}

    def image(self, repository: str, tag: str, *architectures: str) -> str:
        """Hold an image whose layer is `repository tag`; of several architectures an index."""
        listed = []
        for architecture in architectures:
            layer = f"{repository} {tag} ".encode() * 1000
            config = json.dumps({"architecture": architecture, "os": "linux"}).encode()
            document = {
                "schemaVersion": 2,
                "mediaType": "application/vnd.oci.image.manifest.v1+json",
                "config": self.hold_blob(repository, config),
                "layers": [self.hold_blob(repository, layer)],
            }
            content = json.dumps(document).encode()
            digest = self.hold(repository, tag, document["mediaType"], content)
            platform = {"architecture": architecture, "os": "linux"}
            listed.append({"digest": digest, "size": len(content), "platform": platform})
        if len(architectures) == 1:
            return digest
        kind = "application/vnd.oci.image.index.v1+json"
        listed.append({"digest": "sha256:" + "0" * 64, "platform": {"os": "unknown"}})
        index = {"schemaVersion": 2, "mediaType": kind, "manifests": listed}
        return self.hold(repository, tag, kind, json.dumps(index).encode())


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    held: Held

    def log_message(self, *words: object) -> None:
        pass

    def _answer(self, status: int, content: bytes = b"", **headers: str) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def _let_in(self) -> bool:
        held, shown = self.held, self.headers.get("Authorization")
        basic = "Basic " + base64.b64encode(held.login.encode()).decode()
        if not held.login or shown == (f"Bearer {TOKEN}" if held.tokens else basic):
            return True
        realm = f'Bearer realm="http://{held.name}/token",service="me"' if held.tokens else 'Basic realm="me"'
        self._answer(401, WWW_Authenticate=realm)
        return False

    def _token(self, query: str) -> None:
        basic = "Basic " + base64.b64encode(self.held.login.encode()).decode()
        if self.headers.get("Authorization") != basic or not parse_qs(query).get("scope"):
            self._answer(401)
        else:
            self._answer(200, json.dumps({"token": TOKEN}).encode())

    def do_GET(self) -> None:
        held, parts = self.held, urlsplit(self.path)
        held.asked.append((self.command, parts.path))
        if parts.path == "/token":
            return self._token(parts.query)
        if parts.path.startswith("/elsewhere/"):
            held.elsewhere.append(self.headers.get("Authorization"))
            return self._blob(parts.path.removeprefix("/elsewhere/"))
        if not self._let_in():
            return None
        if held.busy:
            return self._answer(held.busy.pop(0))
        repository, _, what = parts.path.removeprefix("/v2/").rpartition("/")
        repository, _, kind = repository.rpartition("/")
        key = f"{repository}/{what}"
        if kind == "manifests" and key in held.manifests:
            media_type, content = held.manifests[key]
            return self._answer(200, content, Content_Type=media_type)
        if kind == "blobs" and key in held.blobs:
            if held.moved and self.command == "GET":
                return self._answer(307, Location=f"/elsewhere/{key}")
            return self._blob(key)
        return self._answer(404)

    do_HEAD = do_GET

    def _blob(self, key: str) -> None:
        content = self.held.blobs[key]
        asked = self.headers.get("Range", "")
        self.held.ranges.append(asked)
        start = int(asked.removeprefix("bytes=").rstrip("-")) if asked else 0
        cuts = self.held.cut.get(key.rpartition("/")[2])
        if not cuts:
            return self._answer(206 if asked else 200, content[start:])
        self.send_response(206 if asked else 200)
        self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        self.wfile.write(content[start : start + cuts.pop(0)])
        self.close_connection = True
        return None

    def do_POST(self) -> None:
        self.held.asked.append(("POST", self.path))
        if self._let_in():
            self._answer(202, Location=self.path + "an-upload?state=1")

    def do_PUT(self) -> None:
        held, parts = self.held, urlsplit(self.path)
        content = self.rfile.read(int(self.headers["Content-Length"]))
        held.asked.append(("PUT", parts.path))
        if not self._let_in():
            return None
        if held.busy:
            return self._answer(held.busy.pop(0))
        rest, _, what = parts.path.removeprefix("/v2/").rpartition("/")
        if rest.endswith("/manifests"):
            held.hold(rest.removesuffix("/manifests"), what, self.headers["Content-Type"], content)
            return self._answer(201)
        (digest,) = parse_qs(parts.query)["digest"]
        if digest != f"sha256:{hashlib.sha256(content).hexdigest()}":
            return self._answer(400)
        held.blobs[f"{rest.removesuffix('/blobs/uploads')}/{digest}"] = content
        return self._answer(201)


def serve() -> tuple[Held, ThreadingHTTPServer]:
    """Start one on a free port of this machine."""
    held = Held()
    handler = type("Handler", (_Handler,), {"held": held})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    held.name = f"127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return held, server
