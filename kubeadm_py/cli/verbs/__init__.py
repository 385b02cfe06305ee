"""Do what the commands say, one module a command; imported when it runs."""
