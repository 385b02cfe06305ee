"""List the API objects of a cluster and of its add-ons; cluster_objects applies them."""
