"""List values that components refuse now: feature gates, admission plugins, providers, sockets, modes."""

from __future__ import annotations

AUTHORIZATION_MODES = ("AlwaysAllow", "AlwaysDeny", "ABAC", "Webhook", "RBAC", "Node")
CLOUD_PROVIDERS = ("", "external")

REMOVED_ADMISSION_PLUGINS = {
    "DenyEscalatingExec": "removed; Pod Security decides on pods",
    "DenyExecOnPrivileged": "removed; Pod Security decides on pods",
    "Initializers": "removed in 1.14; use admission webhooks",
    "InitialResources": "removed",
    "PersistentVolumeLabel": "removed; cloud controller managers label volumes",
    "PodPreset": "removed in 1.20; use an admission webhook",
    "PodSecurityPolicy": "removed in 1.25; Pod Security is on by default",
    "SecurityContextDeny": "removed in 1.30; Pod Security decides on pods",
}
"""Admission plugins that are gone, with what does their work now."""

DOCKERSHIM_SOCKET = "dockershim.sock"
DOCKERSHIM = (
    "dockershim was removed in Kubernetes 1.24: use containerd (unix:///run/containerd/containerd.sock), "
    "CRI-O (unix:///var/run/crio/crio.sock) or Docker with cri-dockerd (unix:///var/run/cri-dockerd.sock)"
)
REMOVED_PROXY_MODES = {
    "userspace": "removed in Kubernetes 1.26; iptables is the default, nftables the newest",
}

REMOVED_KUBEADM_GATES = {
    "Auditing": "audit-policy-file in apiServer.extraArgs does it",
    "ControlPlaneKubeletLocalMode": "always so since 1.35",
    "CoreDNS": "CoreDNS is the only one",
    "DynamicKubeletConfig": "KubeletConfiguration is what every kubelet gets",
    "EtcdLearnerMode": "always so since 1.32",
    "HighAvailability": "control planes join with --control-plane",
    "IPv6DualStack": "two subnets of both families are enough",
    "SelfHosting": "there are no self-hosted control planes any more",
    "StoreCertsInSecrets": "there are no self-hosted control planes any more",
    "SupportIPVSProxyMode": "KubeProxyConfiguration.mode says it",
    "UnversionedKubeletConfigMap": "always so since 1.25",
    "UpgradeAddonsBeforeControlPlane": "add-ons are upgraded last",
    "WaitForAllControlPlaneComponents": "always so since 1.34",
}
"""Gates that kubeadm had, with what holds now."""

_LAST_WITH: dict[str, str] = {
    "1.8": "AffinityInAnnotations",
    "1.9": "AllowExtTrafficLocalEndpoints",
    "1.10": "KubeletConfigFile PVCProtection",
    "1.11": "Accelerators",
    "1.12": "DynamicVolumeProvisioning",
    "1.14": "Initializers MountPropagation",
    "1.16": """CSIPersistentVolume CustomPodDNS ExperimentalCriticalPodAnnotation GCERegionalPersistentDisk
        HugePages KubeletPluginsWatcher PersistentLocalVolumes VolumeScheduling""",
    "1.17": "EnableAggregatedDiscoveryTimeout MountContainers RequestManagement",
    "1.18": """CustomResourceDefaulting CustomResourcePublishOpenAPI CustomResourceSubresources
        CustomResourceValidation CustomResourceWebhookConversion PodPriority ResourceQuotaScopeSelectors
        ScheduleDaemonSetPods TaintNodesByCondition""",
    "1.19": "DynamicAuditing PodShareProcessNamespace ResourceLimitsPriorityFunction",
    "1.20": """HyperVContainer ServiceLoadBalancerFinalizer SupportIPVSProxyMode TaintBasedEvictions
        WindowsGMSA WindowsRunAsUserName""",
    "1.21": """AttachVolumeLimit BlockVolume CSIBlockVolume CSIDriverRegistry CSIMigrationAWSComplete
        CSIMigrationAzureDiskComplete CSIMigrationAzureFileComplete CSIMigrationGCEComplete
        CSIMigrationOpenStackComplete EvenPodsSpread RotateKubeletClientCertificate TokenRequest
        TokenRequestProjection VolumePVCDataSource""",
    "1.22": """BalanceAttachedNodeVolumes CRIContainerLogRotation CSIMigrationvSphereComplete CSINodeInfo
        ExternalPolicyForExternalIP LegacyNodeRoleBehavior NodeDisruptionExclusion RootCAConfigMap RunAsGroup
        SCTPSupport ServiceAppProtocol ServiceNodeExclusion ServiceTopology Sysctls
        VolumeSnapshotDataSource""",
    "1.23": """BoundServiceAccountTokenVolume CronJobControllerV2 EnableEquivalenceClassCache
        NamespaceDefaultLabelName NodeLease ServiceAccountIssuerDiscovery StartupProbe SupportNodePidsLimit
        SupportPodPidsLimit""",
    "1.24": """CSIServiceAccountToken EndpointSlice EndpointSliceNodeName EndpointSliceProxying
        GenericEphemeralVolume HugePageStorageMediumSize IPv6DualStack ImmutableEphemeralVolumes
        IngressClassNamespacedParams RuntimeClass SetHostnameAsFQDN StorageObjectInUseProtection
        StreamingProxyRedirects TTLAfterFinished ValidateProxyRedirects VolumeSubpath
        VolumeSubpathEnvExpansion WarningHeaders WindowsEndpointSliceProxying""",
    "1.25": """AllowInsecureBackendProxy CSIMigrationOpenStack CSIVolumeFSGroupPolicy CSRDuration
        ConfigurableFSGroupPolicy DefaultPodTopologySpread DynamicKubeletConfig IndexedJob
        NonPreemptingPriority PodAffinityNamespaceSelector PodDisruptionBudget PodOverhead
        PreferNominatedNode SelectorIndex ServiceLBNodePortControl ServiceLoadBalancerClass SuspendJob""",
    "1.26": """CSIInlineVolume CSIMigration CSIMigrationAWS CSIMigrationAzureDisk
        ControllerManagerLeaderMigration EphemeralContainers ExpandCSIVolumes ExpandInUsePersistentVolumes
        ExpandPersistentVolumes IdentifyPodOS LocalStorageCapacityIsolation NetworkPolicyEndPort
        StatefulSetMinReadySeconds""",
    "1.27": """AdvancedAuditing CSIMigrationGCE CSIStorageCapacity DelegateFSGroupToCSIDriver DevicePlugins
        DisableAcceleratorUsageMetrics DryRun EndpointSliceTerminatingCondition MixedProtocolLBService
        NetworkPolicyStatus PodHasNetworkCondition PodSecurity ServiceIPStaticSubrange
        ServiceInternalTrafficPolicy UserNamespacesStatelessPodsSupport WindowsHostProcessContainers""",
    "1.28": """CSIMigrationvSphere CronJobTimeZone DaemonSetUpdateSurge DownwardAPIHugePages
        GRPCContainerProbe JobMutableNodeSchedulingDirectives JobTrackingWithFinalizers
        KubeletCredentialProviders LegacyServiceAccountTokenNoAutoGeneration MultiCIDRRangeAllocator
        OpenAPIV3 ProbeTerminationGracePeriod RetroactiveDefaultStorageClass SeccompDefault
        TopologyManager""",
}
REMOVED_FEATURE_GATES = {gate: release for release, gates in _LAST_WITH.items() for gate in gates.split()}
"""The last release that knows each feature gate: from the documentation's page of removed ones.

Each was put to kube-apiserver 1.36.3, which does not know it.
"""
_GONE = """
    APIListChunking APIPriorityAndFairness AdmissionWebhookMatchConditions AggregatedDiscoveryEndpoint
    AllowServiceLBStatusOnNonLB AppArmor AppArmorFields CPUManager CSIMigrationAzureFile
    CSIMigrationPortworx CSIMigrationRBD CSINodeExpandSecret CloudDualStackNodeIPs ComponentSLIs
    ConsistentHTTPGetHandlers CustomResourceValidationExpressions DRAControlPlaneController
    DefaultHostNetworkHostPortsInPodTemplates DevicePluginCDIDevices DisableCloudProviders
    DisableKubeletCloudCredentialProviders EfficientWatchResumption ElasticIndexedJob ExpandedDNSConfig
    ExperimentalHostUserNamespaceDefaulting HPAContainerMetrics IPTablesOwnershipCleanup
    InTreePluginAWSUnregister InTreePluginAzureDiskUnregister InTreePluginAzureFileUnregister
    InTreePluginGCEUnregister InTreePluginOpenStackUnregister InTreePluginPortworxUnregister
    InTreePluginRBDUnregister InTreePluginvSphereUnregister JobPodFailurePolicy JobReadyPods KMSv2
    KMSv2KDF KubeProxyDrainingTerminatingNodes KubeletPodResources KubeletPodResourcesGetAllocatable
    LegacyServiceAccountTokenCleanUp LegacyServiceAccountTokenTracking LoadBalancerIPMode MemoryManager
    MinDomainsInPodTopologySpread NewVolumeManagerReconstruction NodeOutOfServiceVolumeDetach
    PersistentVolumeLastPhaseTransitionTime PodDisruptionConditions PodHostIPs PodIndexLabel
    ProxyTerminatingEndpoints ReadWriteOncePod RemainingItemCount RemoveSelfLink SecurityContextDeny
    ServerSideApply ServerSideFieldValidation ServiceNodePortStaticSubrange ServiceTrafficDistribution
    SizeMemoryBackedVolumes SkipReadOnlyValidationGCE StableLoadBalancerNodeSet StatefulSetAutoDeletePVC
    StatefulSetStartOrdinal TopologyAwareHints ValidatingAdmissionPolicy VolumeCapacityPriority
    WatchBookmark ZeroLimitedNominalConcurrencyShares
"""
GONE_SINCE = (1, 36)
GONE_FEATURE_GATES = frozenset(_GONE.split())
"""Further gates of earlier releases that kube-apiserver 1.36.3 does not know, whenever they went."""
