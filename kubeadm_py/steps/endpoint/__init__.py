"""Plan how hosts find the API: line, balancer and vip, and who uses the endpoint."""
