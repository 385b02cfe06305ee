"""Make and inspect keys, certificates and kubeconfigs: no I/O."""
