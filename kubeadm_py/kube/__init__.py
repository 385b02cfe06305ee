"""Speak to etcd and the API through a host's own tools."""
