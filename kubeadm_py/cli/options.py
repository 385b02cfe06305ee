"""Name the flags once; verbs share them. kubeadm's flags keep kubeadm's names and meaning."""

from __future__ import annotations

from functools import partial
from typing import Annotated

import typer
from typer.models import OptionInfo

OURS = "Ours"
KUBEADM = "kubeadm's"
OF_PHASES = "Of single phases"
"""Flags that kubeadm's phases take and its whole workflow does not."""


def _option(
    *names: str,
    panel: str,
    help: str,
    metavar: str | None = None,
    show_default: bool = True,
    min: int | None = None,
    max: int | None = None,
) -> OptionInfo:
    """Define a flag; without names it is called as its parameter is."""
    option: OptionInfo = typer.Option(
        *names,
        rich_help_panel=panel,
        help=help,
        metavar=metavar,
        show_default=show_default,
        min=min,
        max=max,
    )
    return option


our_option = partial(_option, panel=OURS)
kubeadm_option = partial(_option, panel=KUBEADM)
phase_option = partial(_option, panel=OF_PHASES)

Config = Annotated[
    str,
    kubeadm_option(
        "--config",
        help="Config file: kubeadm's documents and our Cluster; - is standard input.",
        metavar="FILE",
    ),
]
Hosts = Annotated[
    list[str] | None,
    our_option(
        "--host",
        help="Host of the file by name, or USER@ADDRESS[:PORT] without one. Repeatable.",
        metavar="HOST",
    ),
]
Format = Annotated[str, our_option("--format", help="text, or json: one event a line.", metavar="text|json")]
NoColor = Annotated[bool, our_option("--no-color", help="No colours.")]
Yes = Annotated[bool, our_option("--yes", "-y", help="Do not ask.")]
AllowUnknown = Annotated[
    bool,
    our_option(
        "--allow-unknown-fields",
        help="Warn about unknown keys in the config instead of refusing.",
    ),
]
Verbosity = Annotated[
    int,
    kubeadm_option(
        "-v", "--v", help="More detail: 1 tells each action, 5 traces a fault of kubeadm-py.", metavar="N"
    ),
]
IgnorePreflight = Annotated[
    list[str] | None,
    kubeadm_option(
        "--ignore-preflight-errors",
        help="Checks whose errors are only warnings, or all. Comma-separated.",
        metavar="NAMES",
    ),
]
SkipPhases = Annotated[
    list[str] | None,
    kubeadm_option(
        "--skip-phases",
        help="Phases to leave out, comma-separated; `phase -h` behind the command lists them.",
        metavar="NAMES",
    ),
]
DryRun = Annotated[bool, kubeadm_option("--dry-run", help="Say what would be done and do nothing.")]
NodeName = Annotated[
    str, kubeadm_option("--node-name", help="The node's name; by default the host's name.", metavar="NAME")
]
Kubeconfig = Annotated[
    str,
    kubeadm_option(
        "--kubeconfig",
        help="Kubeconfig on the control plane to ask the API with (/etc/kubernetes/admin.conf).",
        metavar="FILE",
    ),
]
Output = Annotated[
    str,
    kubeadm_option(
        "--output",
        "-o",
        help="text, json, yaml, kyaml, or go-template=, jsonpath= or jsonpath-as-json= with a template;"
        " go-template-file= and jsonpath-file= with a file of one.",
        metavar="FORMAT",
    ),
]
AllowMissing = Annotated[
    bool,
    kubeadm_option(
        "--allow-missing-template-keys/--no-allow-missing-template-keys",
        help="A key of a template that an object lacks is no error; =false: it is.",
    ),
]
FeatureGates = Annotated[
    str, kubeadm_option("--feature-gates", help="key=true|false, comma-separated.", metavar="GATES")
]
ImageRepository = Annotated[
    str,
    kubeadm_option("--image-repository", help="Registry of the control plane's images.", metavar="REGISTRY"),
]
KubernetesVersion = Annotated[
    str, kubeadm_option("--kubernetes-version", help="Kubernetes version.", metavar="VERSION")
]
PhaseKubeconfig = Annotated[
    str,
    phase_option(
        "--kubeconfig",
        help="Kubeconfig on the host to talk to the cluster with.",
        metavar="FILE",
    ),
]
Patches = Annotated[
    str,
    kubeadm_option(
        "--patches", help="Folder of patches: TARGET[SUFFIX][+TYPE].yaml or .json.", metavar="DIR"
    ),
]
CriSocket = Annotated[
    str, kubeadm_option("--cri-socket", help="Path of the container runtime's socket.", metavar="PATH")
]

AdvertiseAddress = Annotated[
    str,
    kubeadm_option(
        "--apiserver-advertise-address",
        help="Address that the API server says it listens on.",
        metavar="ADDRESS",
    ),
]
BindPort = Annotated[
    int,
    kubeadm_option(
        "--apiserver-bind-port",
        help="Port of the API server (6443).",
        metavar="PORT",
        show_default=False,
    ),
]
CertDir = Annotated[
    str,
    kubeadm_option(
        "--cert-dir",
        help="Where certificates lie (/etc/kubernetes/pki, or the config's certificatesDir).",
        metavar="DIR",
    ),
]
CertificateKey = Annotated[
    str,
    kubeadm_option(
        "--certificate-key",
        help="Key of the Secret kubeadm-certs; --certificate-key-file keeps it out of the process list.",
        metavar="KEY",
    ),
]
CertificateKeyFile = Annotated[
    str,
    our_option(
        "--certificate-key-file",
        help="File with the key of the Secret kubeadm-certs; - is standard input.",
        metavar="FILE",
    ),
]
KeepArtifacts = Annotated[
    bool,
    our_option(
        "--keep-artifacts", help="Leave runtime, binaries and images on the host, as kubeadm reset does."
    ),
]


def split(values: list[str] | None) -> list[str]:
    """Split repeatable, comma-separated values into their parts."""
    return [part.strip() for value in values or [] for part in value.split(",") if part.strip()]
