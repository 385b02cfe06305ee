"""Bring up Kubernetes clusters on your own machines over SSH, in kubeadm's language."""

__version__ = "0.1.0"
