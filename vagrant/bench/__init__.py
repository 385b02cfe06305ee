"""Time the product: what reaches no host, and init and join beside real kubeadm."""
