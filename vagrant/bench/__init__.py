"""Time the product beside real kubeadm on the same prepared nodes, in one run."""
