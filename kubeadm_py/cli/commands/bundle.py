"""Define `bundle create|verify|push` and their flags."""

from __future__ import annotations

from typing import Annotated

import typer

from kubeadm_py.cli import options
from kubeadm_py.cli.frame import Display, guarded

Path = Annotated[
    str,
    typer.Argument(
        help="The bundle: a folder or a tar; by default the one that the config names.",
        metavar="[BUNDLE]",
        show_default=False,
    ),
]
Architectures = Annotated[
    list[str] | None,
    options.our_option(
        "--arch",
        help="Architecture of hosts, as amd64 or arm64 (amd64). Repeatable.",
        metavar="ARCH",
    ),
]


def create(
    config: options.Config = "",
    output: Annotated[
        str,
        options.our_option(
            "--output",
            help="Where it goes: a folder, or a tar where the name ends in .tar (bundle).",
            metavar="DIR|FILE",
        ),
    ] = "",
    from_: Annotated[
        str,
        options.our_option(
            "--from",
            help="A bundle to take everything from; by default the official sites and the registries.",
            metavar="BUNDLE",
        ),
    ] = "",
    arch: Architectures = None,
    sign_key: Annotated[
        str,
        options.our_option(
            "--sign-key",
            help="Sign it with this Ed25519 private key in PEM.",
            metavar="FILE",
        ),
    ] = "",
    allow_unknown_fields: options.AllowUnknown = False,
) -> None:
    """Collect all that this very cluster needs, with a bill of materials (SPDX)."""

    def body() -> None:
        from kubeadm_py.cli.verbs import bundle

        bundle.create(
            config,
            output=output,
            source=from_,
            architectures=arch or [],
            sign_key=sign_key,
            allow_unknown_fields=allow_unknown_fields,
        )

    guarded(Display(), body)


def verify(
    path: Path = "",
    config: options.Config = "",
    arch: Architectures = None,
    public_key: Annotated[
        str,
        options.our_option(
            "--public-key",
            help="The Ed25519 key that it must be signed with (spec.artifacts.publicKey).",
            metavar="FILE",
        ),
    ] = "",
    allow_unknown_fields: options.AllowUnknown = False,
) -> None:
    """Check every byte of a bundle, its signature, and whether it has what a config needs."""

    def body() -> None:
        from kubeadm_py.cli.verbs import bundle

        bundle.verify(
            path,
            config=config,
            architectures=arch or [],
            public_key=public_key,
            allow_unknown_fields=allow_unknown_fields,
        )

    guarded(Display(), body)


def push(
    path: Path = "",
    config: options.Config = "",
    registry: Annotated[
        str,
        options.our_option(
            "--registry",
            help="Where the images go; credentials, CA and plainHTTP are those of spec.registries.",
            metavar="HOST[:PORT][/PATH]",
        ),
    ] = "",
    allow_unknown_fields: options.AllowUnknown = False,
) -> None:
    """Push the images of a bundle to a registry, and print how hosts are told to pull from there."""

    def body() -> None:
        from kubeadm_py.cli.verbs import bundle

        bundle.push(path, config=config, registry=registry, allow_unknown_fields=allow_unknown_fields)

    guarded(Display(), body)
