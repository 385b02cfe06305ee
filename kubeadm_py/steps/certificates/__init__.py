"""Plan certificates, keys and kubeconfigs: what is missing, what does not fit, who may read them."""
