"""Name the flags once; verbs share them. kubeadm's flags keep kubeadm's names and meaning."""

from __future__ import annotations

from typing import Annotated

import typer

OURS = "Ours"
KUBEADM = "kubeadm's"
OF_PHASES = "Of single phases"
"""Flags that kubeadm's phases take and its whole workflow does not."""


def _option(
    *names: str, help: str, panel: str = KUBEADM, metavar: str | None = None
) -> typer.models.OptionInfo:
    option: typer.models.OptionInfo = typer.Option(*names, help=help, rich_help_panel=panel, metavar=metavar)
    return option


Config = Annotated[
    str,
    _option(
        "--config",
        help="Config file: kubeadm's documents and our Cluster; - is standard input.",
        metavar="FILE",
    ),
]
Hosts = Annotated[
    list[str] | None,
    _option(
        "--host",
        help="Host of the file by name, or USER@ADDRESS[:PORT] without one. Repeatable.",
        panel=OURS,
        metavar="HOST",
    ),
]
Format = Annotated[
    str, _option("--format", help="text, or json: one event a line.", panel=OURS, metavar="text|json")
]
NoColor = Annotated[bool, _option("--no-color", help="No colours.", panel=OURS)]
Yes = Annotated[bool, _option("--yes", "-y", help="Do not ask.", panel=OURS)]
AllowUnknown = Annotated[
    bool,
    _option(
        "--allow-unknown-fields",
        help="Warn about unknown keys in the config instead of refusing.",
        panel=OURS,
    ),
]
Verbosity = Annotated[
    int,
    _option(
        "-v", "--v", help="More detail: 1 tells each action, 5 traces a fault of kubeadm-py.", metavar="N"
    ),
]
IgnorePreflight = Annotated[
    list[str] | None,
    _option(
        "--ignore-preflight-errors",
        help="Checks whose errors are only warnings, or all. Comma-separated.",
        metavar="NAMES",
    ),
]
SkipPhases = Annotated[
    list[str] | None,
    _option(
        "--skip-phases",
        help="Phases to leave out, comma-separated; `phase -h` behind the command lists them.",
        metavar="NAMES",
    ),
]
DryRun = Annotated[bool, _option("--dry-run", help="Say what would be done and do nothing.")]
NodeName = Annotated[
    str, _option("--node-name", help="The node's name; by default the host's name.", metavar="NAME")
]
Kubeconfig = Annotated[
    str,
    _option(
        "--kubeconfig",
        help="Kubeconfig on the control plane to ask the API with (/etc/kubernetes/admin.conf).",
        metavar="FILE",
    ),
]
Output = Annotated[
    str,
    _option(
        "--output",
        "-o",
        help="text, json, yaml, kyaml, or go-template=, jsonpath= or jsonpath-as-json= with a template;"
        " go-template-file= and jsonpath-file= with a file of one.",
        metavar="FORMAT",
    ),
]
AllowMissing = Annotated[
    bool,
    _option(
        "--allow-missing-template-keys/--no-allow-missing-template-keys",
        help="A key of a template that an object lacks is no error; =false: it is.",
    ),
]
FeatureGates = Annotated[
    str, _option("--feature-gates", help="key=true|false, comma-separated.", metavar="GATES")
]
ImageRepository = Annotated[
    str,
    _option("--image-repository", help="Registry of the control plane's images.", metavar="REGISTRY"),
]
KubernetesVersion = Annotated[
    str, _option("--kubernetes-version", help="Kubernetes version.", metavar="VERSION")
]
PhaseKubeconfig = Annotated[
    str,
    _option(
        "--kubeconfig",
        help="Kubeconfig on the host to talk to the cluster with.",
        panel=OF_PHASES,
        metavar="FILE",
    ),
]
Patches = Annotated[
    str, _option("--patches", help="Folder of patches: TARGET[SUFFIX][+TYPE].yaml or .json.", metavar="DIR")
]
CriSocket = Annotated[
    str, _option("--cri-socket", help="Path of the container runtime's socket.", metavar="PATH")
]

AdvertiseAddress = Annotated[
    str,
    _option(
        "--apiserver-advertise-address",
        help="Address that the API server says it listens on.",
        metavar="ADDRESS",
    ),
]
BindPort = Annotated[
    int,
    typer.Option(
        "--apiserver-bind-port",
        help="Port of the API server (6443).",
        rich_help_panel=KUBEADM,
        metavar="PORT",
        show_default=False,
    ),
]
CertificateKey = Annotated[
    str,
    _option(
        "--certificate-key",
        help="Key of the Secret kubeadm-certs; --certificate-key-file keeps it out of the process list.",
        metavar="KEY",
    ),
]
CertificateKeyFile = Annotated[
    str,
    _option(
        "--certificate-key-file",
        help="File with the key of the Secret kubeadm-certs; - is standard input.",
        panel=OURS,
        metavar="FILE",
    ),
]


def split(values: list[str] | None) -> list[str]:
    """Split repeatable, comma-separated values into their parts."""
    return [part.strip() for value in values or [] for part in value.split(",") if part.strip()]
