"""Take hosts out of a cluster that goes on without them."""
