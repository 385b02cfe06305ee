"""Say what a pod network leaves on hosts: its add-on lists it, reset removes it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class NetworkTraces:
    """Hold what one pod network makes on a host by itself, beside what the kubelet and kube-proxy make."""

    addon: str
    cni_config: str
    """Its file in /etc/cni/net.d."""
    cni_network: str = ""
    """How CNI plugins know it: rules and notes of its pods carry this name."""
    links: tuple[str, ...] = ()
    """Extended regular expressions, each over a whole name."""
    chains: tuple[str, ...] = ()
    """What the names of its iptables chains begin with."""
    comments: tuple[str, ...] = ()
    """What the comments of its rules in others' chains begin with."""
    nft_tables: tuple[str, ...] = ()
    ipsets: tuple[str, ...] = ()
    """What the names of its IP sets begin with."""
    paths: tuple[str, ...] = ()
    """Files and directories that are its alone."""
    asked_for: bool = False
    """Whether the cluster's config names it."""
    subnet_file: str = ""
    """In flannel's form: the pod network and this node's share. Plain routes to other shares are its."""
