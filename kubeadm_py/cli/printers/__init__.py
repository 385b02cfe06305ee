"""Shape objects as kubectl and kubeadm print them with -o: KYAML, JSONPath and Go templates. Pure."""
