"""Ask real kubeadm what it makes of a config: in namespaces and a root directory of its own."""
