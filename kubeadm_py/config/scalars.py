"""Check single values: each type accepts what kubeadm accepts and says in words what it wants.

A validator raises ValueError with the message for the user. An empty string stands for "not given", as in
kubeadm, and passes.
"""

from __future__ import annotations

import ipaddress
import posixpath
import re
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field

from kubeadm_py.config import defaults
from kubeadm_py.config.durations import parse_duration
from kubeadm_py.config.problems import show
from kubeadm_py.config.removed_values import DOCKERSHIM, DOCKERSHIM_SOCKET
from kubeadm_py.model import ports
from kubeadm_py.model.near import did_you_mean
from kubeadm_py.model.networking import join_host_port
from kubeadm_py.model.secret import Secret

_LABEL = r"[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?"
_DNS_LABEL = re.compile(rf"{_LABEL}\Z")
_DNS_SUBDOMAIN = re.compile(rf"{_LABEL}(?:\.{_LABEL})*\Z")
_LONGEST_DNS_NAME = 253
_DNS_RULE = "lower-case letters, digits, '-' and '.', each part starting and ending with a letter or digit"
_TOKEN = re.compile(r"[a-z0-9]{6}\.[a-z0-9]{16}\Z")
CERTIFICATE_KEY_BYTES = 32
_CERTIFICATE_KEY = re.compile(rf"[0-9a-fA-F]{{{2 * CERTIFICATE_KEY_BYTES}}}\Z")
_TOKEN_GROUP = re.compile(r"system:bootstrappers:[a-z0-9:-]{0,255}[a-z0-9]\Z")
_CA_HASH = re.compile(r"sha256:[0-9a-fA-F]{64}\Z")
_LABEL_NAME = re.compile(r"[A-Za-z0-9](?:[-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?\Z")
_ENDPOINT = re.compile(r"(?:\[(?P<bracketed>[^\]]*)\]|(?P<host>[^:\[\]]+))(?::(?P<port>[0-9]{1,5}))?\Z")
_QUANTITY = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[KMGTPE]i|[numkMGTPE]|[eE][+-]?[0-9]+)?\Z")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_LONGEST_LABEL_VALUE = 63
HIGHEST_PORT = 65535


def given(check: Callable[[str], str]) -> AfterValidator:
    """Make a validator of a check that only a non-empty string has to pass."""
    return AfterValidator(lambda value: check(value) if value else value)


def one_of(accepted: Iterable[str], gone: Mapping[str, str] | None = None) -> AfterValidator:
    """Make a validator that accepts these words only, or an empty string; `gone` says why others went."""
    return given(_words_check(accepted, gone))


def word_of(accepted: Iterable[str]) -> AfterValidator:
    """Make a validator that accepts these words only; an empty string is none of them."""
    return AfterValidator(_words_check(accepted))


def _words_check(accepted: Iterable[str], gone: Mapping[str, str] | None = None) -> Callable[[str], str]:
    words = tuple(accepted)
    old = gone or {}

    def check(value: str) -> str:
        if value in old:
            raise ValueError(f"{show(value)}: {old[value]}")
        if value not in words:
            raise ValueError(f"{show(value)}: one of {', '.join(words)}{did_you_mean(value, words)}")
        return value

    return check


def dns_subdomain(value: str) -> str:
    """Return `value` if it is a DNS-1123 subdomain."""
    if len(value) > _LONGEST_DNS_NAME or not _DNS_SUBDOMAIN.match(value):
        raise ValueError(f"{show(value)} is not a DNS name: {_DNS_RULE}")
    return value


def dns_label(value: str) -> str:
    """Return `value` if it is a DNS-1123 label."""
    if not _DNS_LABEL.match(value):
        raise ValueError(
            f"{show(value)} is not a DNS label: up to 63 lower-case letters, digits and '-', starting "
            "and ending with a letter or digit"
        )
    return value


def node_name(value: str) -> str:
    """Return the node name as kubeadm takes it: trimmed and in lower case."""
    name = value.strip().lower()
    if len(name) > _LONGEST_DNS_NAME or not _DNS_SUBDOMAIN.match(name):
        raise ValueError(f"{show(value)} is not a node name: {_DNS_RULE}")
    return name


def ip_address(value: str) -> str:
    """Return an IP address in its shortest form."""
    try:
        return str(ipaddress.ip_address(value.replace("%", "?")))  # no zone: it means something here only
    except ValueError:
        raise ValueError(f"{show(value)} is not an IP address") from None


def host_address(value: str) -> str:
    """Return an address at which others can reach a host."""
    address = ipaddress.ip_address(ip_address(value))
    for kind in ("an unspecified", "a loopback", "a multicast"):
        if getattr(address, f"is_{kind.partition(' ')[2]}"):
            raise ValueError(
                f"{value} is {kind} address; name the one at which the other hosts reach this one"
            )
    return str(address)


def host_addresses(value: str) -> str:
    """Return `v4`, `v6` or one of each, comma-separated, without blanks."""
    addresses = [host_address(part.strip()) for part in value.split(",")]
    families = [ipaddress.ip_address(address).version for address in addresses]
    if len(set(families)) != len(families):
        raise ValueError(f"{show(value)}: one address, or one IPv4 and one IPv6 address, comma-separated")
    return ",".join(addresses)


def advertise_address(value: str) -> str:
    """Return the address, empty for 0.0.0.0 and ::, which mean the default route's address."""
    if ipaddress.ip_address(ip_address(value)).is_unspecified:
        return ""
    return host_address(value)


def split_endpoint(value: str) -> tuple[str, int | None]:
    """Split `host[:port]`, an IPv6 address with or without brackets; raise ValueError if malformed."""
    match = _ENDPOINT.match(value)
    if match is None:
        if value.count(":") < 2 or "[" in value:
            raise ValueError(f"{show(value)} is not host[:port]")
        return ip_address(value), None
    host = ip_address(match["bracketed"]) if match["bracketed"] is not None else match["host"]
    port = int(match["port"]) if match["port"] else None
    if port is not None and not 0 < port <= HIGHEST_PORT:
        raise ValueError(f"{show(value)}: a port is a number from 1 to {HIGHEST_PORT}")
    return host, port


def endpoint(value: str) -> str:
    """Return `host[:port]` where host is an IP address or a DNS name."""
    if "://" in value:
        raise ValueError(f"{show(value)} is a URL; write host:port only")
    if value.startswith("[") and value.endswith("]"):
        raise ValueError(f"{show(value)}: brackets need a port behind them; without one write {value[1:-1]}")
    host, port = split_endpoint(value)
    host = ip_address(host) if ":" in host or re.fullmatch(r"[0-9.]+", host) else dns_subdomain(host)
    if port is None:
        return host
    return join_host_port(host, port)


def endpoint_with_port(value: str) -> str:
    """Return `host:port`; the port must be there."""
    written = endpoint(value.lower())
    if split_endpoint(value)[1] is None:
        suggestion = join_host_port(written, ports.API_SERVER)
        raise ValueError(f"{show(value)} lacks a port; write host:port, by default {suggestion}")
    return written


def etcd_cert_san(value: str) -> str:
    """Return an IP address, DNS name or wildcard DNS name."""
    if value != value.lower():
        raise ValueError(f"{show(value)}: write it in lower case; kubeadm lowers apiServer.certSANs only")
    return cert_san(value)


def cert_san(value: str) -> str:
    """Return an IP address, DNS name or wildcard DNS name in lower case."""
    value = value.lower()
    try:
        return ip_address(value)
    except ValueError:
        pass
    try:
        dns_subdomain(value.removeprefix("*."))
    except ValueError:
        message = f"{show(value)} is not an IP address, a DNS name or a wildcard name (*.example.org)"
        raise ValueError(message) from None
    return value


def no_control_characters(value: str) -> str:
    """Return `value` if it is one line of printable text."""
    if _CONTROL.search(value):
        raise ValueError(f"{show(value)} holds a line break or another control character")
    return value


def absolute_path(value: str) -> str:
    """Return an absolute path on a host, without `..` and doubled or trailing slashes."""
    no_control_characters(value)
    if not value.startswith("/"):
        raise ValueError(f"{show(value)} is not an absolute path")
    return "/" + posixpath.normpath(value).lstrip("/")


def file_mode(value: str) -> str:
    """Return a file's mode in octal digits, as chmod takes it: permissions alone."""
    if not re.fullmatch(r"0?[0-7]{3}", value):
        raise ValueError(f"{show(value)} is not the mode of a file: three octal digits, for example 0644")
    return value


def file_owner(value: str) -> str:
    """Return `USER:GROUP` by name."""
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_.-]*:[A-Za-z_][A-Za-z0-9_.-]*", value):
        raise ValueError(f"{show(value)} is not USER:GROUP by name, for example root:root")
    return value


def flag_name(value: str) -> str:
    """Return a component flag's name, written without dashes in front."""
    if value.startswith("-"):
        raise ValueError(f"{show(value)}: write the flag without the dashes: {value.lstrip('-')[:60]}")
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", value):
        raise ValueError(f"{show(value)} is not the name of a flag")
    return value


def certificate_key(value: Any) -> Secret | None:
    """Return the key of the kubeadm-certs Secret, 32 bytes in hex; no message ever holds what was found."""
    found = value.text() if isinstance(value, Secret) else value
    if found in (None, ""):
        return None
    wanted = f"{2 * CERTIFICATE_KEY_BYTES} hexadecimal digits (kubeadm-py certs certificate-key makes one)"
    if not isinstance(found, str):
        raise ValueError(f"not a certificate key, which is text: quote it; {wanted}")  # noqa: TRY004 - pydantic's way
    if not _CERTIFICATE_KEY.match(found):
        raise ValueError(f"not a certificate key: {wanted}")
    return Secret(found)


def token(value: Any) -> Secret:
    """Return a bootstrap token; no message ever holds what was found."""
    found = value.text() if isinstance(value, Secret) else value
    if not isinstance(found, str):
        raise ValueError("not a bootstrap token, which is text: quote it")  # noqa: TRY004 - pydantic's way
    if not _TOKEN.match(found):
        raise ValueError(
            "not a bootstrap token: six and sixteen lower-case letters or digits with a dot between them "
            "(kubeadm-py token generate makes one)"
        )
    return Secret(found)


def token_group(value: str) -> str:
    """Return a group that a bootstrap token may bring."""
    if not _TOKEN_GROUP.match(value):
        raise ValueError(f"{show(value)} does not match system:bootstrappers:[a-z0-9:-]{{0,255}}[a-z0-9]")
    return value


def ca_cert_hash(value: str) -> str:
    """Return a CA's pin in lower case."""
    if not _CA_HASH.match(value):
        raise ValueError(
            f"{show(value)} is not sha256: and 64 hex digits (kubeadm-py prints it with the join line)"
        )
    return value.lower()


def cri_socket(value: str) -> str:
    """Return a runtime's endpoint; a bare path gets `unix://`, as in kubeadm."""
    scheme, separator, path = value.partition("://")
    if not separator:
        scheme, path = "unix", value
    if scheme != "unix":
        raise ValueError(f"{show(value)}: only unix:// sockets are accepted")
    if path.endswith(DOCKERSHIM_SOCKET):
        raise ValueError(f"{show(value)}: {DOCKERSHIM}")
    return f"unix://{absolute_path(path)}"


def label_key(value: str) -> str:
    """Return the key of a label or taint: `[prefix/]name`."""
    prefix, slash, name = value.rpartition("/")
    prefix_fits = not slash or (len(prefix) <= _LONGEST_DNS_NAME and bool(_DNS_SUBDOMAIN.match(prefix)))
    if not prefix_fits or not _LABEL_NAME.match(name):
        raise ValueError(f"{show(value)} is not a label key like disk or example.org/disk")
    return value


def label_value(value: str) -> str:
    """Return the value of a label or taint."""
    if not _LABEL_NAME.match(value):
        raise ValueError(
            f"{show(value)} is not a label value: up to {_LONGEST_LABEL_VALUE} letters, digits, '-', '_', '.'"
        )
    return value


def rfc3339(value: str) -> str:
    """Return a time like 2026-11-21T00:00:00Z."""
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None or "T" not in value:
        raise ValueError(f"{show(value)} is not a time like 2026-11-21T00:00:00Z")
    return value


def quantity(value: str) -> str:
    """Return an amount of a resource as Kubernetes writes it: 100m, 1, 128Mi."""
    if not _QUANTITY.match(value):
        raise ValueError(f"{show(value)} is not a quantity like 100m, 1 or 128Mi")
    return value


def url(value: str) -> str:
    """Return an http or https URL."""
    if not re.fullmatch(r"(?i:https?)://[^\s/]+(/\S*)?", value):
        found = "this" if "@" in value else show(value)  # what stands before an @ may be a password
        raise ValueError(f"{found} is not an http:// or https:// URL")
    return value


def _duration(value: Any) -> timedelta:
    if isinstance(value, timedelta):
        return value
    if isinstance(value, str):
        return parse_duration(value)
    raise ValueError('not a duration; write it in quotes with a unit, like "24h0m0s" or "0s"')


def _whole(value: Any) -> Any:
    """Return 6443 for 6443.0, as JSON has one kind of number only."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


DnsSubdomain = Annotated[str, given(dns_subdomain)]
DnsLabel = Annotated[str, given(dns_label)]
NodeName = Annotated[str, given(node_name)]
IPAddress = Annotated[str, given(ip_address)]
HostAddress = Annotated[str, given(host_address)]
HostAddresses = Annotated[str, given(host_addresses)]
AdvertiseAddress = Annotated[str, given(advertise_address)]
Endpoint = Annotated[str, given(endpoint)]
EndpointWithPort = Annotated[str, given(endpoint_with_port)]
CertSan = Annotated[str, AfterValidator(cert_san)]
EtcdCertSan = Annotated[str, AfterValidator(etcd_cert_san)]
AbsolutePath = Annotated[str, given(absolute_path)]
LocalPath = Annotated[str, given(no_control_characters)]
Line = Annotated[str, given(no_control_characters)]
FileMode = Annotated[str, given(file_mode)]
FileOwner = Annotated[str, given(file_owner)]
FlagName = Annotated[str, given(flag_name)]
Token = Annotated[Secret, BeforeValidator(token)]
OptionalToken = Annotated[Secret | None, BeforeValidator(lambda value: token(value) if value else None)]
CertificateKey = Annotated[Secret | None, BeforeValidator(certificate_key)]
TokenGroup = Annotated[str, AfterValidator(token_group)]
TokenUsage = Annotated[str, word_of(defaults.TOKEN_USAGES)]
CaCertHash = Annotated[str, AfterValidator(ca_cert_hash)]
CriSocket = Annotated[str, given(cri_socket)]
LabelKey = Annotated[str, AfterValidator(label_key)]
LabelValue = Annotated[str, given(label_value)]
Duration = Annotated[timedelta, BeforeValidator(_duration)]
Rfc3339 = Annotated[str, AfterValidator(rfc3339)]
Int = Annotated[int, BeforeValidator(_whole)]
Port = Annotated[int, Field(ge=1, le=HIGHEST_PORT)]
Replicas = Annotated[int, Field(ge=1, le=1000)]
BindPort = Annotated[int, BeforeValidator(_whole), Field(ge=0, le=HIGHEST_PORT)]
"""As in kubeadm 0 stands for "not given"."""
Url = Annotated[str, given(url)]
EtcdUrl = Annotated[str, AfterValidator(url)]
