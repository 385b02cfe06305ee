"""Prepare a host for Kubernetes: kernel settings, swap, container runtime, kubelet, images."""
