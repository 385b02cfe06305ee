"""Take hosts back to what they were before."""
