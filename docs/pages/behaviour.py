"""List the wanted differences from kubeadm in what commands do; those in what is written are data of the tests."""

# ruff: noqa: E501 - the page's own lines

from __future__ import annotations

BEHAVIOUR = (
    (
        "Unknown keys, duplicate keys and documents of foreign kinds are refused.",
        "`kubeadm init` warns and goes on.",
        "A mistyped key is a setting that silently does not hold. `--allow-unknown-fields` warns as kubeadm does.",
    ),
    (
        "Files of v1beta3 are refused with the line that translates them.",
        "`kubeadm init` reads v1beta3 with a warning until 1.36.",
        "There is one format to check and to explain; see [old files](old-files.md).",
    ),
    (
        "`config migrate` reads v1alpha1 to v1beta3, keeps comments, component configs and the order of flags, fills in no "
        "defaults, and changes or leaves out values that no release of today takes.",
        "It reads v1beta3, writes every default, sorts flags, and leaves out comments and component configs.",
        "The file stays its author's, and comes up.",
    ),
    (
        "A document that is empty, or holds comments alone, is left out; what `<<` brings into a mapping may be given "
        "another value there.",
        "Both are refused, by `kubeadm config validate` and by `kubeadm init`.",
        "An empty document says nothing; a file may begin with its license.",
    ),
    (
        "Overlapping pod and service subnets are refused.",
        "Accepted.",
        "Such a cluster comes up and then loses traffic.",
    ),
    (
        "Flags that a component of this version does not have, and values that its flags, feature gates, admission "
        "plugins and kube-proxy's mode do not take, are refused.",
        "Accepted; the component does not start.",
        "The refusal names the release that removed the flag and what to use now. The tables are made from the "
        "binaries of 1.35.4 and 1.36.3.",
    ),
    (
        "Values that a component or the API refuses later are refused at once: an unknown phase, taint effect, pathType "
        "or proxy mode, a volume without a name, a duration below zero, a CRI socket that is none, an address of "
        "another family than the first service subnet, a release that is not known, an image tag, CA pin, endpoint "
        "or flag name that cannot be one, a DNS label of more than 63 characters, a number with leading zeros in an "
        "address, line breaks where one line is meant, an etcd endpoint that is no http or https URL, a variable "
        "without a name or with two sources, a file for discovery that is not there, `all` beside other ignored "
        "checks, MNT_EXPIRE.",
        "`kubeadm config validate` accepts them.",
        "No host has been touched yet, and the place in the file is known.",
    ),
    (
        "`patches.directory` is on the machine that kubeadm-py runs on, relative to the config file.",
        "On the node.",
        "One directory serves all hosts. On the machine itself both mean the same.",
    ),
    (
        "A patch that leaves a key which there is not, no container, or a Deployment or a kubelet's configuration of "
        "another kind, is refused; so is a JSON patch with an operation without its value, or a copy of nothing.",
        "An unknown key is dropped, the rest accepted; a wrong type in a static pod is refused by both.",
        "A mistyped key is a setting that silently does not hold, and without a container nothing starts.",
    ),
    (
        "A joining host gets the CA at caCertPath, by default ca.crt in certificatesDir, and in the cluster's own "
        "certificatesDir.",
        "At caCertPath alone, by default /etc/kubernetes/pki/ca.crt.",
        "The kubelet's configuration names the one in certificatesDir, and a kubelet that misses it does not start.",
    ),
    (
        "The feature gate RootlessControlPlane is refused.",
        "Alpha, off by default, deprecated.",
        "It needs users and groups on every control plane, and goes away.",
    ),
    (
        "The probes of scheduler and controller manager follow a `secure-port` in extraArgs.",
        "They stay at ports 10259 and 10257.",
        "The kubelet would end a component that listens elsewhere again and again.",
    ),
    (
        "`init` on a host that it has set up looks what is missing or different, and does that.",
        "Refused by preflight checks for absence.",
        "A rerun after an interruption goes on where it stopped; a rerun of a good host changes nothing.",
    ),
    (
        "A certificate or kubeconfig that lies there and does not fit (authority, subject, names, usages, key, or "
        "a day from its end) is made anew by `init`.",
        "An error, or kept.",
        "Where the authority's key is there too, the mend is known. Authorities are never replaced.",
    ),
    (
        "Tokens of the config are created by the first `init` only.",
        "`kubeadm init` runs once.",
        "A rerun must not bring deleted or ended tokens back.",
    ),
    (
        "The hosts are prepared: modules, sysctls, swap, runtime, kubelet, images.",
        "Left to the operator.",
        "With `artifacts.source: preinstalled` runtime, kubelet and tools are left to the operator here, too.",
    ),
    (
        "A host that the operator prepares has crictl, and kubectl of about the cluster's version.",
        "kubeadm has both built in.",
        "Waits on a host and the objects of the cluster are kubectl's work. etcdctl is found in etcd's own image.",
    ),
    (
        "A proxy of the host's variables whose URL holds a password is not written into pods; preflight warns.",
        "Written into the static pods and the DaemonSet kube-proxy.",
        "Who may read pods would read it. Where a component needs it: extraEnvs.",
    ),
    (
        "API objects are written by one server-side apply.",
        "Created or updated one by one.",
        "It is one round trip, and it leaves fields that others own alone.",
    ),
    (
        "A new cluster's ServiceAccounts of controllers (RBAC's first roles name them) are made while kube-controller-manager starts.",
        "kube-controller-manager makes those of the controllers that it runs.",
        "It asks the API 20 times a second at most, and no controller begins before it has made them all: five seconds.",
    ),
    (
        "Controller managers and schedulers of the other founders start once all hosts have joined.",
        "Each with its own control plane.",
        "They stand by until the first one's fail, and on small machines would take the processor from what makes nodes Ready.",
    ),
    (
        "`token create` with a negative `--ttl` is refused; one for signing only has no groups.",
        "A negative ttl makes a token that never ends; for signing only it refuses its own default group.",
        "A mistyped sign must not make a key without an end.",
    ),
    (
        "`token create --config` takes the tokens of a file of kubeadm's documents; with a Cluster document it says "
        "which cluster is meant, and flags say which token.",
        "The file's tokens; another TOKEN beside it has no effect.",
        "The file of a whole cluster names the tokens of its first `init`, which are there already.",
    ),
    (
        "`token create --certificate-key` is refused without `--print-join-command`, or where it is no key.",
        "It has no effect; whatever stands there is printed.",
        "The line would be refused only where it is typed, on another host.",
    ),
    (
        "`token create --print-join-command` prints two lines: ours, then kubeadm's.",
        "Prints its own.",
        "Either tool joins; ours keeps the token out of the process list.",
    ),
    (
        "`certs renew` restarts what uses the renewed certificates, one control plane after the other.",
        "Tells the operator to restart four components.",
        "What is not restarted goes on with the old ones, until the day they end.",
    ),
    (
        "`certs renew` of a certificate that an external CA signs, or that is missing, fails.",
        "A line of text, and exit code 0.",
        "Who renews by a timer must hear of it. `all` renews what it can and warns.",
    ),
    (
        "`certs renew` renews nothing where a static pod reads the certificate and no container runtime answers.",
        "It writes the files.",
        "The static pod could not be restarted, and nobody would know which certificate it runs with.",
    ),
    (
        "`certs check-expiration` also lists what the ports serve; `-o json` has `host`, `served` and"
        " `restartNeeded` beside kubeadm's keys, one object a host.",
        "Files only.",
        "A process that was not restarted serves what its file held before.",
    ),
    (
        "`version` tells kubeadm-py's own version; `-o json` has it in `clientVersion.version`, and the Kubernetes "
        "releases in `kubernetesVersions`.",
        "Its version is that of Kubernetes, in `clientVersion.gitVersion`.",
        "One kubeadm-py serves several releases of Kubernetes.",
    ),
    (
        "With external etcd, `certs generate-csr` makes no requests for etcd's certificates.",
        "Makes them.",
        "Nothing would read them.",
    ),
    (
        "With a Cluster document `join` makes a token for this join and deletes it after.",
        "A token of 24 hours is created by hand.",
        "No credential outlives its use.",
    ),
    (
        "`reset` removes what the host's inventory lists, and puts changed files back.",
        "`kubeadm reset` leaves CNI, packet filter rules and kubeconfigs to the operator.",
        "The host is as it was. `--keep-artifacts` leaves runtime, binaries and images.",
    ),
    (
        "`reset` removes the pods that a kubelet made; others stay, and the runtime with them.",
        "`kubeadm reset` removes every pod of the runtime.",
        "They are somebody else's.",
    ),
    (
        "`reset` refuses where etcd's other members would lose their quorum; "
        "`--skip-phases remove-etcd-member` goes on.",
        "It warns, goes on, and their cluster stands still.",
        "Their cluster is worth more than this host's reset.",
    ),
    (
        "`reset phase remove-etcd-member` removes etcd's manifest, too.",
        "It leaves it to cleanup-node.",
        "An etcd that was born with state `new` would be a second, empty cluster.",
    ),
    (
        "`reset` deletes the Node where a control plane is left to do it.",
        "The Node stays.",
        "Nothing of the host is left.",
    ),
)
"""Wanted differences in what commands do; those in what is written are data of the golden tests."""
