"""Write container images straight into an OCI layout, byte for byte the same from the same input."""

import gzip
import hashlib
import io
import json
import tarfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, cast

_CONFIG = "application/vnd.oci.image.config.v1+json"
_INDEX = "application/vnd.oci.image.index.v1+json"
_LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
_MANIFEST = "application/vnd.oci.image.manifest.v1+json"

_FAST = 3
"""Gzip level: layers cross a loopback network, so time to pack and unpack counts more than size."""


@dataclass(frozen=True)
class Entry:
    """One file, folder or symbolic link of a layer; folders above it come by themselves.

    Content is bytes or a file to read them from. `capabilities` is the value of security.capability.
    """

    path: str
    content: bytes | Path | None = None
    link: str | None = None
    mode: int = 0o755
    owner: int = 0
    capabilities: bytes | None = None


@dataclass(frozen=True)
class Layer:
    """A layer that lies in the layout: the digest of its blob, of its tar, and the blob's size."""

    digest: str
    diff_id: str
    size: int


@dataclass(frozen=True)
class Settings:
    """What a container of the image runs, and as whom."""

    entrypoint: Sequence[str] = ()
    command: Sequence[str] = ()
    environment: Mapping[str, str] = field(
        default_factory=lambda: {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}
    )
    user: str = ""
    directory: str = "/"


class Layout:
    """An OCI layout under construction; `close` writes its index."""

    def __init__(self, folder: Path, architecture: str) -> None:
        self.folder = folder
        self.architecture = architecture
        self._images: dict[str, dict[str, Any]] = {}
        (folder / "blobs" / "sha256").mkdir(parents=True, exist_ok=True)

    def layer(self, entries: Iterable[Entry]) -> Layer:
        """Add a layer made of the entries, in the order of their paths."""
        with (
            self._packing() as pack,
            _tar(pack.stream) as tar,
        ):
            _fill(tar, entries)
        return pack.layer

    def layer_from_tar(self, source: IO[bytes], leave_out: Sequence[str] = ()) -> Layer:
        """Add a layer with the content of a tar, without the paths that begin with one of `leave_out`."""
        skipped = tuple(leave_out)
        with (
            tarfile.open(fileobj=source, mode="r|") as original,
            self._packing() as pack,
            _tar(pack.stream) as tar,
        ):
            for member in original:
                member.name = member.name.removeprefix("./")
                # Device nodes are the container runtime's business, and folders without them unpack anywhere.
                if member.name.startswith(skipped) or member.isdev():
                    continue
                member.mtime, member.uname, member.gname, member.pax_headers = 0, "", "", {}
                tar.addfile(member, original.extractfile(member) if member.isfile() else None)
        return pack.layer

    def image(self, reference: str, layers: Sequence[Layer], settings: Settings) -> None:
        """Add an image under its full reference."""
        config = {
            "architecture": self.architecture,
            "os": "linux",
            "created": "1970-01-01T00:00:00Z",
            "config": _config(settings),
            "rootfs": {"type": "layers", "diff_ids": [layer.diff_id for layer in layers]},
        }
        manifest = {
            "schemaVersion": 2,
            "mediaType": _MANIFEST,
            "config": self._document(config, _CONFIG),
            "layers": [{"mediaType": _LAYER, "digest": layer.digest, "size": layer.size} for layer in layers],
        }
        self._images[reference] = {
            **self._document(manifest, _MANIFEST),
            "platform": {"architecture": self.architecture, "os": "linux"},
            "annotations": {
                "io.containerd.image.name": reference,
                "org.opencontainers.image.ref.name": reference.rpartition(":")[2],
            },
        }

    def close(self) -> None:
        """Write the index, which is what makes the blobs a layout."""
        manifests = [self._images[reference] for reference in sorted(self._images)]
        index = {"schemaVersion": 2, "mediaType": _INDEX, "manifests": manifests}
        (self.folder / "index.json").write_bytes(_json(index))
        (self.folder / "oci-layout").write_bytes(_json({"imageLayoutVersion": "1.0.0"}))

    def _document(self, value: object, media_type: str) -> dict[str, Any]:
        content = _json(value)
        digest = hashlib.sha256(content).hexdigest()
        self._blob(digest).write_bytes(content)
        return {"mediaType": media_type, "digest": f"sha256:{digest}", "size": len(content)}

    def _blob(self, digest: str) -> Path:
        return self.folder / "blobs" / "sha256" / digest

    @contextmanager
    def _packing(self) -> "Iterator[_Packing]":
        unfinished = self._blob(".unfinished")
        with unfinished.open("wb") as file:
            pack = _Packing(file)
            yield pack
            pack.finish()
        unfinished.rename(self._blob(pack.layer.digest.removeprefix("sha256:")))


class _Hashing(io.RawIOBase):
    """A write-only file that passes everything on and remembers its digest and size."""

    def __init__(self, target: IO[bytes]) -> None:
        self._target = target
        self._hash = hashlib.sha256()
        self.size = 0

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self._hash.update(data)
        self.size += len(data)
        self._target.write(data)
        return len(data)

    @property
    def digest(self) -> str:
        return f"sha256:{self._hash.hexdigest()}"


class _Packing:
    """A layer on its way to disk: tar into digest, into gzip, into digest, into the file."""

    def __init__(self, file: IO[bytes]) -> None:
        self._packed = _Hashing(file)
        # Neither a time nor a file name: both would end up in the blob.
        self._gzip = gzip.GzipFile("", "wb", _FAST, fileobj=cast("IO[bytes]", self._packed), mtime=0)
        self._tar = _Hashing(cast("IO[bytes]", self._gzip))
        self.stream = cast("IO[bytes]", self._tar)

    def finish(self) -> None:
        self._gzip.close()

    @property
    def layer(self) -> Layer:
        return Layer(digest=self._packed.digest, diff_id=self._tar.digest, size=self._packed.size)


def _tar(stream: IO[bytes]) -> tarfile.TarFile:
    return tarfile.open(fileobj=stream, mode="w|", format=tarfile.PAX_FORMAT)


def _fill(tar: tarfile.TarFile, entries: Iterable[Entry]) -> None:
    made: set[str] = set()
    for entry in sorted(entries, key=lambda entry: entry.path.strip("/")):
        path = entry.path.strip("/")
        for parent in reversed(Path(path).parents[:-1]):
            if str(parent) not in made:
                made.add(str(parent))
                _add(tar, Entry(str(parent)))
        made.add(path)
        _add(tar, entry)


def _add(tar: tarfile.TarFile, entry: Entry) -> None:
    member = tarfile.TarInfo(entry.path.strip("/"))
    member.mode, member.uid, member.gid, member.mtime = entry.mode, entry.owner, entry.owner, 0
    if entry.capabilities is not None:
        member.pax_headers = {"SCHILY.xattr.security.capability": entry.capabilities.decode("ascii")}
    if entry.link is not None:
        member.type, member.linkname = tarfile.SYMTYPE, entry.link
        tar.addfile(member)
    elif entry.content is None:
        member.type = tarfile.DIRTYPE
        tar.addfile(member)
    elif isinstance(entry.content, bytes):
        member.size = len(entry.content)
        tar.addfile(member, io.BytesIO(entry.content))
    else:
        member.size = entry.content.stat().st_size
        with entry.content.open("rb") as content:
            tar.addfile(member, content)


def _config(settings: Settings) -> dict[str, Any]:
    config = {
        "Entrypoint": list(settings.entrypoint),
        "Cmd": list(settings.command),
        "Env": [f"{name}={value}" for name, value in settings.environment.items()],
        "User": settings.user,
        "WorkingDir": settings.directory,
    }
    return {key: value for key, value in config.items() if value}


def _json(value: object) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()
