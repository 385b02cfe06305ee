"""List the keys of each old version of kubeadm's format, to find what no release of kubeadm ever knew.

From kubeadm's documentation of these releases. A mapping is key -> keys below it; for a list they are those
of its items. None: a plain value. ANYTHING: whatever it holds is not kubeadm's.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Keys = Mapping[str, Any]

ANYTHING: Keys = {"*": None}


def _keys(names: str = "", **below: Keys) -> Keys:
    return {**dict.fromkeys(names.split()), **below}


_NETWORKING = _keys("dnsDomain serviceSubnet podSubnet")
_ENDPOINT = _keys("advertiseAddress bindPort")
_TAINT = _keys("key value effect timeAdded")
_TOKEN = _keys("token description ttl expires usages groups")
_WRITABLE = _keys("name hostPath mountPath writable pathType")
_READ_ONLY = _keys("name hostPath mountPath readOnly pathType")
_EXTERNAL = _keys("endpoints caFile certFile keyFile")
_AUDIT = _keys("path logDir logMaxAge")
_NODE = _keys("name criSocket", taints=_TAINT, kubeletExtraArgs=ANYTHING)
_COMPONENT_ARGS = {
    f"{component}ExtraArgs": ANYTHING for component in ("apiServer", "controllerManager", "scheduler")
}
_COMPONENT_VOLUMES = {
    f"{component}ExtraVolumes": _WRITABLE for component in ("apiServer", "controllerManager", "scheduler")
}
_SHARED = (
    "kubernetesVersion certificatesDir imageRepository unifiedControlPlaneImage clusterName apiServerCertSANs"
)
_OLD_JOIN = (
    "caCertPath clusterName discoveryFile discoveryToken discoveryTokenAPIServers discoveryTokenCACertHashes "
    "discoveryTokenUnsafeSkipCAVerification discoveryTimeout tlsBootstrapToken token"
)
_LOCAL_ETCD = _keys("dataDir image serverCertSANs peerCertSANs", extraArgs=ANYTHING)

V1ALPHA1 = {
    "MasterConfiguration": {
        **_keys(
            _SHARED + " cloudProvider nodeName criSocket authorizationMode authorizationModes token tokenTTL "
            "tokenUsages tokenGroups selfHosted noTaintMaster privilegedPods imagePullPolicy",
            api=_keys("advertiseAddress controlPlaneEndpoint bindPort"),
            etcd=_keys(
                "endpoints caFile certFile keyFile dataDir image serverCertSANs peerCertSANs",
                extraArgs=ANYTHING,
            ),
            networking=_NETWORKING,
            kubeProxy=_keys(config=ANYTHING),
            kubeletConfiguration=_keys(baseConfig=ANYTHING),
            auditPolicy=_AUDIT,
            featureGates=ANYTHING,
        ),
        **_COMPONENT_ARGS,
        **_COMPONENT_VOLUMES,
    },
    "NodeConfiguration": _keys(_OLD_JOIN + " nodeName criSocket", featureGates=ANYTHING),
}
V1ALPHA2 = {
    "MasterConfiguration": {
        **_keys(
            _SHARED,
            api=_keys("advertiseAddress controlPlaneEndpoint bindPort"),
            bootstrapTokens=_TOKEN,
            nodeRegistration=_NODE,
            etcd=_keys(local=_LOCAL_ETCD, external=_EXTERNAL),
            networking=_NETWORKING,
            kubeProxy=_keys(config=ANYTHING),
            kubeletConfiguration=_keys(baseConfig=ANYTHING),
            auditPolicy=_AUDIT,
            featureGates=ANYTHING,
        ),
        **_COMPONENT_ARGS,
        **_COMPONENT_VOLUMES,
    },
    "NodeConfiguration": _keys(_OLD_JOIN, nodeRegistration=_NODE, featureGates=ANYTHING),
}
_STATUS = _keys(apiEndpoints=ANYTHING)
V1ALPHA3 = {
    "InitConfiguration": _keys(bootstrapTokens=_TOKEN, nodeRegistration=_NODE, apiEndpoint=_ENDPOINT),
    "ClusterConfiguration": {
        **_keys(
            _SHARED + " controlPlaneEndpoint",
            etcd=_keys(local=_LOCAL_ETCD, external=_EXTERNAL),
            networking=_NETWORKING,
            auditPolicy=_AUDIT,
            featureGates=ANYTHING,
        ),
        **_COMPONENT_ARGS,
        **_COMPONENT_VOLUMES,
    },
    "ClusterStatus": _STATUS,
    "JoinConfiguration": _keys(
        _OLD_JOIN + " controlPlane",
        nodeRegistration=_NODE,
        apiEndpoint=_ENDPOINT,
        featureGates=ANYTHING,
    ),
}
_COMPONENT = _keys(extraArgs=ANYTHING, extraVolumes=_READ_ONLY)
_API_SERVER = _keys("certSANs timeoutForControlPlane", extraArgs=ANYTHING, extraVolumes=_READ_ONLY)
_TAGGED_ETCD = _keys("imageRepository imageTag dataDir serverCertSANs peerCertSANs", extraArgs=ANYTHING)
_DISCOVERY = _keys(
    "tlsBootstrapToken timeout",
    bootstrapToken=_keys("token apiServerEndpoint caCertHashes unsafeSkipCAVerification"),
    file=_keys("kubeConfigPath"),
)
_CLUSTER = "kubernetesVersion controlPlaneEndpoint certificatesDir imageRepository clusterName"
V1BETA1 = {
    "InitConfiguration": _keys(bootstrapTokens=_TOKEN, nodeRegistration=_NODE, localAPIEndpoint=_ENDPOINT),
    "ClusterConfiguration": _keys(
        _CLUSTER + " useHyperKubeImage",
        etcd=_keys(local=_TAGGED_ETCD, external=_EXTERNAL),
        networking=_NETWORKING,
        apiServer=_API_SERVER,
        controllerManager=_COMPONENT,
        scheduler=_COMPONENT,
        dns=_keys("type imageRepository imageTag"),
        featureGates=ANYTHING,
    ),
    "ClusterStatus": _STATUS,
    "JoinConfiguration": _keys(
        "caCertPath",
        nodeRegistration=_NODE,
        discovery=_DISCOVERY,
        controlPlane=_keys(localAPIEndpoint=_ENDPOINT),
    ),
}
_NODE_V1BETA2 = {**_NODE, "ignorePreflightErrors": None}
V1BETA2 = {
    "InitConfiguration": {
        **V1BETA1["InitConfiguration"],
        "nodeRegistration": _NODE_V1BETA2,
        "certificateKey": None,
    },
    "ClusterConfiguration": V1BETA1["ClusterConfiguration"],
    "ClusterStatus": _STATUS,
    "JoinConfiguration": {
        **V1BETA1["JoinConfiguration"],
        "nodeRegistration": _NODE_V1BETA2,
        "controlPlane": _keys("certificateKey", localAPIEndpoint=_ENDPOINT),
    },
}
_NODE_V1BETA3 = {**_NODE_V1BETA2, "imagePullPolicy": None}
_NEW_IN_V1BETA3 = {"nodeRegistration": _NODE_V1BETA3, "skipPhases": None, "patches": _keys("directory")}
V1BETA3 = {
    "InitConfiguration": {**V1BETA2["InitConfiguration"], **_NEW_IN_V1BETA3},
    "ClusterConfiguration": {
        **{
            key: below for key, below in V1BETA2["ClusterConfiguration"].items() if key != "useHyperKubeImage"
        },
        "dns": _keys("imageRepository imageTag"),
    },
    "JoinConfiguration": {**V1BETA2["JoinConfiguration"], **_NEW_IN_V1BETA3},
}

LISTS = frozenset(
    (
        "apiServerCertSANs",
        "apiServerExtraVolumes",
        "authorizationModes",
        "bootstrapTokens",
        "caCertHashes",
        "certSANs",
        "controllerManagerExtraVolumes",
        "discoveryTokenAPIServers",
        "discoveryTokenCACertHashes",
        "endpoints",
        "extraVolumes",
        "groups",
        "ignorePreflightErrors",
        "peerCertSANs",
        "schedulerExtraVolumes",
        "serverCertSANs",
        "skipPhases",
        "taints",
        "tokenGroups",
        "tokenUsages",
        "usages",
    )
)
"""Keys whose value is a list, wherever they stand."""
BOOLEANS = frozenset(
    (
        "discoveryTokenUnsafeSkipCAVerification",
        "noTaintMaster",
        "privilegedPods",
        "readOnly",
        "selfHosted",
        "unsafeSkipCAVerification",
        "useHyperKubeImage",
        "writable",
    )
)
"""Keys whose value is true or false, wherever they stand."""

KEYS: Mapping[str, Mapping[str, Keys]] = {
    "v1alpha1": V1ALPHA1,
    "v1alpha2": V1ALPHA2,
    "v1alpha3": V1ALPHA3,
    "v1beta1": V1BETA1,
    "v1beta2": V1BETA2,
    "v1beta3": V1BETA3,
}
