"""Name each way in which discovery can fail, with what to do about it."""

from __future__ import annotations

from kubeadm_py.errors import PreflightError, UnreachableError, WaitTimeoutError

NEW_TOKEN = "For a new one type: kubeadm-py token create --print-join-command"  # noqa: S105 - a hint


class DiscoveryError(PreflightError):
    """Refuse to join: what answers is not, or not provably, the cluster that is meant."""


class EndpointUnreachableError(UnreachableError):
    """Report that nothing answered at the endpoint: worth another try until time is up."""


class DiscoveryTimeoutError(WaitTimeoutError):
    """Report that the API server answered, but did not become ready for a join in time."""


class NoTLSError(DiscoveryError):
    """Report an endpoint that does not speak TLS."""


class NotAnAPIServerError(DiscoveryError):
    """Report an endpoint that answers, but not as a Kubernetes API server does."""


class AnonymousRefusedError(DiscoveryError):
    """Report an API server that does not let anonymous clients read cluster-info."""


class UnknownTokenError(DiscoveryError):
    """Report that cluster-info carries no signature for the token's id."""


class WrongTokenError(DiscoveryError):
    """Report that the token's secret did not make the signature in cluster-info."""


class ClusterInfoError(DiscoveryError):
    """Report a cluster-info whose kubeconfig cannot be used."""


class PinMismatchError(DiscoveryError):
    """Report that no CA in cluster-info has one of the pinned public keys."""


class ClusterInfoChangedError(DiscoveryError):
    """Report that cluster-info read again over verified TLS is not the one read first."""


class UntrustedCertificateError(DiscoveryError):
    """Report a server certificate that the cluster's CA did not sign."""


class WrongEndpointError(DiscoveryError):
    """Report a server certificate that is not for the name or address of the endpoint."""


class CertificateTimeError(DiscoveryError):
    """Report a server certificate that is not valid at this time."""
