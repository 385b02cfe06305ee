"""Read what a probe says about the container runtime, and about an etcd that others run."""

from __future__ import annotations

import contextlib
import json
import re
from dataclasses import dataclass

from kubeadm_py.facts.answer import Answer
from kubeadm_py.model import paths
from kubeadm_py.model.facts import EtcdAnswer, ImageFact
from kubeadm_py.model.versions import Version

_PINNED = "io.cri-containerd.pinned=pinned"
_DIGEST = re.compile(r"\bsha256:[0-9a-f]{64}\b")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_SANDBOX = re.compile(
    r"""^\s*"?(?:sandbox_image|sandboxImage|sandbox)"?\s*[=:]\s*["']([^"']+)["']""", re.MULTILINE
)
_ETCD = "!etcd "
_REASON = re.compile(r'desc = \\"(.*?)\\"')
_LONGEST_REASON = 300
_CONDITION = re.compile(r'"(message|reason|status|type)":\s*("(?:[^"\\]|\\.)*"|true|false)')


@dataclass(frozen=True, slots=True)
class Runtime:
    """Hold the runtime's own account of itself."""

    ready: bool | None = None
    message: str = ""
    sandbox_image: str = ""


def read_runtime(answer: Answer) -> Runtime:
    """Return whether the runtime is ready; None where it was not asked."""
    config = answer.text(paths.CONTAINERD_CONFIG)
    configured = _SANDBOX.search(config)
    sandbox = configured[1] if configured else ""
    if "!runtime" not in answer.sections:
        return Runtime(sandbox_image=sandbox)
    text = answer.text("!runtime")
    if not text.startswith("answered"):
        return Runtime(False, "it does not answer on its socket within 10 s", sandbox)
    asked = _SANDBOX.search(text)
    ready, message = _condition(text)
    return Runtime(ready, message, asked[1] if asked else sandbox)


def _condition(text: str) -> tuple[bool | None, str]:
    """Find RuntimeReady; a condition's keys come sorted, `type` last."""
    seen: dict[str, str] = {}
    for key, value in _CONDITION.findall(text):
        seen[key] = value.strip('"')
        if key == "type":
            if seen["type"] == "RuntimeReady":
                reasons = [seen.get("reason", ""), seen.get("message", "")]
                return seen.get("status") == "true", ": ".join(part for part in reasons if part)
            seen = {}
    return None, ""


def read_images(answer: Answer) -> tuple[ImageFact, ...]:
    """Return containerd's images by name; the entries by digest that go with them are left out."""
    images: list[ImageFact] = []
    for line in answer.lines("!images")[1:]:
        reference = line.split(None, 1)[0]
        digest = _DIGEST.search(line[len(reference) :])
        if digest and not reference.startswith("sha256:"):
            images.append(ImageFact(reference, digest[0], _PINNED in line))
    return tuple(images)


def read_incoming(answer: Answer) -> dict[str, int]:
    """Return what an earlier run has sent in part, by the digest of the whole."""
    found = {}
    for line in answer.lines("!incoming"):
        size, _, path = line.partition(" ")
        name = path.rpartition("/")[2]
        if size.isdecimal() and _SHA256.fullmatch(name):
            found[name] = int(size)
    return found


def read_external_etcd(answer: Answer) -> dict[str, EtcdAnswer]:
    """Return what each endpoint answered to `etcdctl endpoint status -w json`, in the order of asking."""
    found = {}
    for section in answer.sections:
        if section.startswith(_ETCD):
            found[section.removeprefix(_ETCD)] = _etcd_answer(answer.lines(section))
    return found


def _etcd_answer(lines: list[str]) -> EtcdAnswer:
    for line in lines:
        with contextlib.suppress(ValueError, KeyError, TypeError, IndexError, AttributeError):
            return EtcdAnswer(str(Version.parse(json.loads(line)[0]["Status"]["version"])))
    # The reason is in the client's log; its last line only says that time ran out.
    reasons = [reason for line in lines for reason in _REASON.findall(line)]
    last = lines[-1] if lines else "no answer within 8 s"
    return EtcdAnswer(error=(reasons[-1] if reasons else last)[:_LONGEST_REASON])


def read_others(answer: Answer) -> tuple[str, ...]:
    """Return the containers that no kubelet made, as NAMESPACE/ID."""
    return tuple(dict.fromkeys(answer.lines("!others-containers")))
