"""Plan a control plane's static pods, what one that joins has before them, and the waits for them."""
