"""Translate kubeadm files of older versions, v1alpha1 to v1beta3, into v1beta4."""
