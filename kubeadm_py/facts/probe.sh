# Describe this host in one line: a marker, then JSON. Only looks; changes nothing, not even by loading a
# kernel module or starting a service. What programs said of their versions is noted for the next look, in
# memory and only where a run of ours has its folder there already.
#
# The line holds [part, base64] pairs. Pairs of one part belong together in their order; a part is text
# in sections, each headed by `==> NAME <==` as head(1) does it. NAME is a path (the section is that
# file's content) or starts with `!` (the section is what a command printed). facts/parse.py reads it.
#
# No secret is printed: private keys are named by their SHA-256 only, certificates come without whatever
# else their file holds, kubeconfigs pass by a list of allowed keys, and lines of other files that hold a
# credential are withheld.
#
# Runs inside other scripts, so everything happens in one subshell, which reads nothing from stdin.
# facts/collect.py sets what to ask about, one item a line each: PROBE_PATHS, PROBE_BINARIES, PROBE_SYSCTLS,
# PROBE_OPTIONS, PROBE_MODULES, PROBE_UNITS, PROBE_COMMANDS, PROBE_ETCD (endpoints of an etcd that others
# run), PROBE_NAMES (names that must resolve there), PROBE_OWNERS (USER:GROUP),
# PROBE_SECRETS (paths of which nothing is shown); also PROBE_INVENTORY (the file of what we made),
# PROBE_INCOMING (the directory of what is being sent), PROBE_VERSIONS (that of noted versions),
# PROBE_ETCD_CA, PROBE_ETCD_CERT and PROBE_ETCD_KEY (paths: how a client gets in there), PROBE_CRI_SOCKET
# (a path), PROBE_HASH_BINARIES (1: hash binaries too, about a second for 300 MB) and PROBE_PARTS (words;
# empty: all parts).
kubeadm_py_probe() (
set +eu
PATH=${PATH:+$PATH:}/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
LC_ALL=C
QUOTING_STYLE=literal
export PATH LC_ALL QUOTING_STYLE
unset CDPATH ENV
IFS=' ' read -r begin _ 2>/dev/null </proc/uptime
read -r kernel 2>/dev/null </proc/sys/kernel/osrelease
read -r host 2>/dev/null </proc/sys/kernel/hostname
socket=${PROBE_CRI_SOCKET:-/run/containerd/containerd.sock}
tab=$(printf '\t')
nl='
'
IFS=$nl

section() { printf '\n==> %s <==\n' "$1"; }

has() { command -v "$1" >/dev/null 2>&1; }

# Chunks stay below PIPE_BUF, so lines of parts that are written at the same time never mix.
emit() {
  part=$1
  shift
  for chunk in $("$@" 2>/dev/null | base64 -w 2048 2>/dev/null); do
    printf ',["%s","%s"]\n' "$part" "$chunk"
  done
}

# What the kernel and the system say: raw files that hold no secret.
system() {
  set -- /proc/meminfo /proc/swaps /proc/self/status /proc/modules /proc/filesystems /proc/cgroups \
    /proc/locks /proc/net/ip_tables_names /proc/net/ip6_tables_names \
    /proc/sys/kernel/hostname /proc/sys/kernel/osrelease \
    /sys/fs/cgroup/cgroup.controllers /sys/fs/selinux/enforce /sys/class/dmi/id/product_uuid \
    /sys/module/apparmor/parameters/enabled /etc/machine-id /etc/os-release /run/systemd/container \
    /run/cloud-init/result.json "$PROBE_INVENTORY"
  for name in $PROBE_SYSCTLS; do
    set -- "$@" "/proc/sys/$name"
  done
  for path in /sys/class/net/*; do
    case $path in
      */veth* | */cali* | */lxc*) ;;
      *) set -- "$@" "$path/uevent" "$path/operstate" "$path/mtu" ;;
    esac
  done
  head -v -c 1048576 "$@"

  section '!exists'
  printf '%s\n' /sys/module/*
  for path in /run/systemd/system /.dockerenv /proc/net/ip_vs /proc/sys/net/bridge/bridge-nf-call-iptables \
    /proc/sys/net/netfilter/nf_conntrack_max /proc/net/if_inet6 /sys/fs/cgroup/*/cgroup.freeze \
    /run/cloud-init /run/cloud-init/result.json /run/cloud-init/disabled /etc/cloud/cloud-init.disabled \
    /run/systemd/timesync/synchronized /usr/share/selinux/packages/container.pp* \
    /var/lib/selinux/*/active/modules/*/container "/lib/modules/$kernel/modules.dep"; do
    [ ! -e "$path" ] || printf '%s\n' "$path"
  done
  section '!sockets'
  for path in /run/containerd/containerd.sock /var/run/crio/crio.sock /var/run/cri-dockerd.sock "$socket"; do
    [ ! -S "$path" ] || printf '%s\n' "$path"
  done
  section '!executables'
  for name in losetup mount cp ss ip flock tar modprobe sysctl systemctl kubelet kubectl containerd ctr \
    containerd-shim-runc-v2 crictl etcdctl etcdutl runc docker rkt crio cri-dockerd iptables nft ipset conntrack socat \
    ethtool tc apt-get dnf yum zypper pacman apk chronyc haproxy keepalived $PROBE_COMMANDS; do
    command -v "$name"
  done
  section '!architecture'
  uname -m
  section '!container'
  systemd-detect-virt --container
  section '!environment'
  for name in http_proxy https_proxy no_proxy all_proxy HTTP_PROXY HTTPS_PROXY NO_PROXY ALL_PROXY; do
    eval "value=\${$name-}"
    case $value in
      '') ;;
      *@*) printf '%s=%s\n' "$name" "${value%%://*}://withheld@${value##*@}" ;;
      *) printf '%s=%s\n' "$name" "$value" ;;
    esac
  done
  section '!directories'
  for path in / /var/lib/etcd /etc/cni/net.d /opt/cni/bin /var/lib/cni /etc/kubernetes \
    /etc/kubernetes/manifests /etc/kubernetes/pki /var/lib/kubelet /var/lib/kubelet/pods \
    /var/lib/kubelet/pki /var/lib/containerd /var/lib/kubeadm-py /var/lib/calico /var/lib/cilium \
    /var/lib/rancher /var/lib/k0s /etc/rancher \
    /etc/ca-certificates /etc/pki/ca-trust /etc/pki/tls/certs /usr/local/share/ca-certificates \
    /usr/share/ca-certificates /etc/ssl/certs $PROBE_PATHS; do
    [ ! -d "$path" ] || count "$path"
  done
  section '!disks'
  set -- / /var/lib /var/lib/kubelet /var/lib/containerd /var/lib/etcd /usr /opt /run /tmp
  for path in $PROBE_PATHS; do
    [ ! -d "$path" ] || set -- "$@" "$path"
  done
  stat -f -c '%S %b %a %c %d %n' "$@"
  if [ -d "$PROBE_INCOMING" ]; then
    section '!incoming'
    stat -c '%s %n' "$PROBE_INCOMING"/*
  fi
  section '!unknown-owners'
  for owner in ${PROBE_OWNERS-}; do
    { getent passwd "${owner%%:*}" && getent group "${owner##*:}"; } >/dev/null 2>&1 || printf '%s\n' "$owner"
  done
  section '!package-locks'
  stat -c '%d %i %n' /var/lib/dpkg/lock-frontend /var/lib/dpkg/lock /var/lib/apt/lists/lock \
    /var/lib/rpm/.rpm.lock /usr/lib/sysimage/rpm/.rpm.lock
}

count() {
  directory=$1
  set -- "$directory"/* "$directory"/.[!.]* "$directory"/..?*
  entries=0
  for entry; do
    if [ -e "$entry" ] || [ -L "$entry" ]; then entries=$((entries + 1)); fi
  done
  printf '%s %s\n' "$entries" "$directory"
}

network() {
  section '!addresses'
  ip -o addr show scope global
  section '!routes'
  ip -o route show default
  [ ! -e /proc/net/if_inet6 ] || ip -o -6 route show default
  section '!listeners'
  listeners=$(ss -Hlntup)
  printf '%s\n' "$listeners"
  pids=
  set -f
  IFS=",$nl"
  for word in $listeners; do
    case $word in
      # Processes choose their own names, so a name can hold `,pid=../some/path`: only numbers count.
      pid=*[!0-9]*) ;;
      pid=?*)
        case " $pids " in
          *" ${word#pid=} "*) ;;
          *) pids="$pids ${word#pid=}" ;;
        esac
        ;;
    esac
  done
  IFS=' '
  set --
  for pid in $pids; do
    set -- "$@" "/proc/$pid/cgroup"
  done
  IFS=$nl
  [ $# = 0 ] || head -v -c 4096 "$@"
  set --
  IFS=' '
  for pid in $pids; do
    set -- "$@" "/proc/$pid/exe"
  done
  IFS=$nl
  section '!programs'
  # A program's path can hold line breaks, and behind one whatever its owner likes: a section of ours, say.
  for line in $([ $# = 0 ] || stat -c '%N' "$@"); do
    case $line in
      /proc/* | \'/proc/*) printf '%s\n' "$line" ;;
    esac
  done
  section '!iptables'
  backend=$(iptables --version)
  printf '%s\n' "$backend"
  # Asking legacy iptables about a table makes that table: ask only where there is one already.
  case $backend in
    *nf_tables*)
      if [ -s /proc/net/ip_tables_names ] && has iptables-legacy-save; then
        section '!iptables-other'
        iptables-legacy-save | cut -c 1-2 | sort | uniq -c
      fi
      ;;
    *legacy*)
      if [ -d /sys/module/nf_tables ] && has iptables-nft-save; then
        section '!iptables-other'
        iptables-nft-save | cut -c 1-2 | sort | uniq -c
      fi
      ;;
  esac
}

# Lines of the kernel's config that are also in our list, with nothing but sort and uniq.
kernel() {
  for path in "/boot/config-$kernel" "/lib/modules/$kernel/config" /proc/config.gz; do
    [ ! -r "$path" ] || break
  done
  if [ -r "$path" ]; then
    section '!kernel-config'
    {
      for option in $PROBE_OPTIONS; do
        printf 'CONFIG_%s=y\nCONFIG_%s=m\n' "$option" "$option"
      done
      case $path in
        *.gz) gzip -dc "$path" ;;
        *) cat "$path" ;;
      esac | sort -u
    } | sort | uniq -d
  fi
  if [ -e "/lib/modules/$kernel/modules.dep" ]; then
    section '!modules-missing'
    # -n: load nothing, only complain about what could not be loaded.
    modprobe -n -a $PROBE_MODULES 2>&1 >/dev/null
  fi
}

units() {
  section '!units'
  systemctl show -p Id -p LoadState -p ActiveState -p SubState -p UnitFileState \
    $PROBE_UNITS '*.swap' 'systemd-zram-setup@*.service'
}

clock() {
  # timedatectl would start a service; the files and tools of the time services tell the same.
  if has chronyc && { [ -S /run/chrony/chronyd.sock ] || [ -S /var/run/chrony/chronyd.sock ]; }; then
    section '!chrony'
    timeout 1 chronyc -n -c tracking
  fi
}

resolve() {
  section '!hostname-resolves'
  timeout 2 getent ahosts "$host"
  set -f
  for name in ${PROBE_NAMES-}; do
    section "!resolves $name"
    timeout 4 getent ahosts "$name"
  done
}

images() {
  if [ -S "$socket" ] && has ctr; then
    section '!images'
    timeout 15 ctr -a "$socket" -n k8s.io images ls && section '!images-listed'
  fi
}

# Who else uses containerd: only a reset needs to know, so it is asked by name only.
containers() {
  section '!others-containers'
  # What runs there is known of a containerd that is dead, too.
  for task in /run/containerd/io.containerd.runtime.v2.task/*/*; do
    case $task in
      */k8s.io/* | */'*') ;;
      *) printf '%s\n' "${task#/run/containerd/io.containerd.runtime.v2.task/}" ;;
    esac
  done
  [ -S "$socket" ] && has ctr || return
  for namespace in $(timeout 5 ctr -a "$socket" namespaces ls -q); do
    [ "$namespace" = k8s.io ] || ctr_containers "$namespace" ls -q | sed "s|^|$namespace/|"
  done
  listed=$(ctr_containers k8s.io ls -q)
  kubelets=$(ctr_containers k8s.io ls -q 'labels."io.kubernetes.pod.uid"')
  for id in $listed; do
    case $nl$kubelets$nl in
      *"$nl$id$nl"*) ;;
      # One of a kubelet's that has ended meanwhile is in the first list only.
      *) ctr_containers k8s.io info "$id" >/dev/null && printf 'k8s.io/%s\n' "$id" ;;
    esac
  done
}

ctr_containers() {
  namespace_asked=$1
  shift
  timeout 5 ctr -a "$socket" -n "$namespace_asked" containers "$@"
}

# The runtime's answer holds its whole config, registry passwords included: a few keys pass.
runtime() {
  if [ -S "$socket" ] && has crictl; then
    section '!runtime'
    answer=$(timeout 12 crictl --timeout 10s -r "unix://$socket" info) && echo answered
    set -f
    for line in $answer; do
      case $line in
        *'"type":'* | *'"status":'* | *'"reason":'* | *'"message":'* | *'"sandboxImage":'* | *'"sandbox":'*)
          printf '%s\n' "$line"
          ;;
      esac
    done
  fi
}

version() {
  has "$1" || return
  section "!version $1"
  said "$1" "$(command -v "$1")" "$@"
}

plugins() {
  [ -x /opt/cni/bin/loopback ] || return
  section '!version cni-plugins'
  said cni-plugins /opt/cni/bin/loopback sh -c 'exec /opt/cni/bin/loopback 2>&1'
}

# said NAME PROGRAM COMMAND...: print what the command says of the program's version. To start a big one takes a
# tenth of a second, so its words are good for as long as it is the same file; a small one may be a script that
# starts another one.
said() {
  note=$PROBE_VERSIONS/$1
  identity=$(stat -L -c '%s %d %i %z %n' "$2")
  size=${identity%% *}
  shift 2
  noted=$(cat "$note")
  case $noted in
    "$identity$nl"?*)
      printf '%s\n' "${noted#*"$nl"}"
      return
      ;;
  esac
  # They are gone before garbage could matter, and looking for it takes a third of their time.
  words=$(GOGC=off timeout 5 "$@")
  printf '%s\n' "$words"
  if [ -n "$words" ] && [ "${size:-0}" -gt 1000000 ] && [ -w "${PROBE_VERSIONS%/*}" ]; then
    umask 077
    mkdir -p "$PROBE_VERSIONS"
    # Beside this look another one may be under way.
    new=$(mktemp "$note.XXXXXX") && printf '%s\n' "$identity" "$words" >"$new" && mv -f "$new" "$note"
  fi
}

# Those that answer at once share one process.
tools() {
  version containerd --version
  version ctr --version
  version runc --version
  version crio --version
  version crictl --version
  version etcdctl version
  version etcdutl version
  plugins
}

# With the certificate that the API server will use; it is read here and goes nowhere.
etcd() {
  has etcdctl || return
  unset ETCDCTL_API ETCDCTL_CACERT ETCDCTL_CERT ETCDCTL_ENDPOINTS ETCDCTL_KEY
  set -f
  for endpoint in ${PROBE_ETCD-}; do
    section "!etcd $endpoint"
    set -- --endpoints="$endpoint" --dial-timeout=3s --command-timeout=3s
    [ -z "$PROBE_ETCD_CA" ] || set -- "$@" --cacert="$PROBE_ETCD_CA"
    [ -z "$PROBE_ETCD_CERT" ] || set -- "$@" --cert="$PROBE_ETCD_CERT"
    [ -z "$PROBE_ETCD_KEY" ] || set -- "$@" --key="$PROBE_ETCD_KEY"
    timeout 8 etcdctl "$@" endpoint status -w json 2>&1
  done
}

# Every string of the inventory that looks like a path, whatever its layout.
inventoried() {
  [ -r "$PROBE_INVENTORY" ] || return
  set -f
  IFS='"'
  for word in $(cat "$PROBE_INVENTORY"); do
    case $word in
      *"$nl"* | *\\*) ;;
      /?*) printf '%s\n' "$word" ;;
    esac
  done
}

files() {
  set -- /etc/kubernetes /etc/kubernetes/* /etc/kubernetes/*/* /etc/kubernetes/*/*/* \
    /etc/kubernetes/*/*/*/* /var/lib/etcd /var/lib/etcd/member /var/lib/kubelet \
    /var/lib/kubelet/config.yaml /var/lib/kubelet/instance-config.yaml \
    /var/lib/kubelet/kubeadm-flags.env /var/lib/kubelet/config.json /var/lib/kubelet/pki \
    /var/lib/kubelet/pki/* /etc/containerd/config.toml /etc/containerd/conf.d/*.toml \
    /etc/containerd/certs.d/*/hosts.toml /etc/containerd/certs.d/*/*.crt /etc/default/kubelet \
    /etc/sysconfig/kubelet /etc/sysctl.conf /etc/sysctl.d/*.conf /etc/modules-load.d/*.conf \
    /etc/crictl.yaml /etc/cni/net.d /etc/cni/net.d/* /etc/hosts /etc/fstab /etc/environment \
    /etc/resolv.conf /run/systemd/resolve/resolv.conf /run/NetworkManager/no-stub-resolv.conf \
    /etc/ufw/ufw.conf /etc/selinux/config /etc/default/zramswap /etc/systemd/zram-generator.conf \
    /usr/lib/systemd/zram-generator.conf /var/lib/kubeadm-py "$PROBE_INVENTORY" \
    /run/flannel/subnet.env /opt/cni/bin /opt/cni/bin/* $PROBE_BINARIES
  for unit in kubelet containerd; do
    for directory in /usr/lib/systemd/system /etc/systemd/system; do
      set -- "$@" "$directory/$unit.service" "$directory/$unit.service.d/"*.conf
    done
  done
  inventory=$(inventoried)
  set -f
  for path in $PROBE_PATHS; do
    set +f
    set -- "$@" "$path" "$path"/* "$path"/*/*
    set -f
  done
  set -- "$@" $inventory
  # Paths come more than once; what the shell cannot name in one line is left out.
  present=$(
    for path; do
      case $path in
        *"$nl"*) ;;
        *) [ ! -e "$path" ] || printf '%s\n' "$path" ;;
      esac
    done | sort -u
  )
  section '!files'
  described=$(stat -L -c '%f %U:%G %s %Y %i %n' $present)
  printf '%s\n' "$described"

  hash=
  text=
  for line in $described; do
    rest=${line#* * }
    size=${rest%% *}
    path=${rest#* * * }
    case $line in
      8*) ;;
      *) continue ;;
    esac
    case $nl$PROBE_PATHS$nl in
      *"$nl$path$nl"*) hash="$hash$nl$path" asked=1 ;;
      *) asked= ;;
    esac
    [ -n "$asked" ] || case $path in
      /usr/* | /opt/cni/bin/*)
        case $path in
          *.service | *.conf) hash="$hash$nl$path" ;;
          *) [ "${PROBE_HASH_BINARIES-}" != 1 ] || hash="$hash$nl$path" ;;
        esac
        ;;
      *)
        if [ "$size" -le 4194304 ] || [ "${PROBE_HASH_BINARIES-}" = 1 ]; then hash="$hash$nl$path"; fi
        ;;
    esac
    show_as "$path"
    [ -z "$mode" ] || [ "$size" -gt 524288 ] || text="$text$nl$path"
  done
  section '!hashes'
  [ -z "$hash" ] || sha256sum $hash
  [ -z "$text" ] || filtered $text
}

# Set `mode`: how a file may be shown; empty for one that may not.
show_as() {
  case $nl${PROBE_SECRETS-}$nl in
    *"$nl$1$nl"*)
      mode=
      return
      ;;
  esac
  case $1 in
    *.key | *.bak | *~) mode= ;;
    *.crt | *.pub | *.pem) mode=pem ;;
    *resolv*.conf) mode=text ;;
    /etc/kubernetes/haproxy/haproxy.cfg | /etc/kubernetes/keepalived/keepalived.conf) mode=text ;;
    /etc/kubernetes/*.conf) mode=kubeconfig ;;
    /etc/kubernetes/manifests/*.yaml | /etc/kubernetes/manifests/*.yml | /etc/kubernetes/manifests/*.json) mode=text ;;
    /etc/kubernetes/*) mode= ;;
    /etc/environment) mode=proxy ;;
    /var/lib/kubelet/config.yaml | /var/lib/kubelet/instance-config.yaml | /var/lib/kubelet/kubeadm-flags.env) mode=text ;;
    /etc/cni/net.d/*.conf | /etc/cni/net.d/*.conflist | /etc/cni/net.d/*.json) mode=text ;;
    /etc/containerd/*.toml | /etc/sysctl.d/*kube* | /etc/modules-load.d/*) mode=text ;;
    *.service | *.service.d/*.conf | /etc/default/kubelet | /etc/sysconfig/kubelet) mode=text ;;
    /etc/crictl.yaml | /etc/hosts | /etc/fstab) mode=text ;;
    /var/lib/kubeadm-py/etcd-birth | /var/lib/kubeadm-py/applied/node-* | /var/lib/kubeadm-py/kept/*/list) mode=text ;;
    /etc/ufw/ufw.conf | /etc/selinux/config | *zram* | /run/flannel/subnet.env) mode=text ;;
    *) mode= ;;
  esac
}

filtered() {
  numbered=$(
    {
      head -v -c 524288 "$@"
      section '!end'
    } | cat -n
  )
  set -f
  mode=
  allowed=
  hide_value=
  withheld='# a line with a credential, withheld'
  for line in $numbered; do
    # Numbered lines are never empty, so that splitting keeps the empty ones.
    line=${line#*"$tab"}
    case $line in
      '==> '*' <==')
        path=${line#'==> '}
        show_as "${path%' <=='}"
        allowed=
        hide_value=
        printf '%s\n' "$line"
        continue
        ;;
    esac
    case $mode in
      text)
        # An environment variable's value follows its name, on the same line or a later one.
        case $line in
          *name*:*[Pp][Aa][Ss][Ss]* | *name*:*[Ss][Ee][Cc][Rr][Ee][Tt]* | \
            *name*:*[Tt][Oo][Kk][Ee][Nn]* | *name*:*[Kk][Ee][Yy]* | \
            *name*:*[Cc][Rr][Ee][Dd]*)
            hide_value=1
            case ${line#*name*:} in
              *[:=]* | *,?*) line=$withheld ;;
            esac
            ;;
          *[Pp][Aa][Ss][Ss][Ww]* | *[Ii]dentity[Tt]oken* | *[Tt]oken=* | *[Ss]ecret=* | *://*:*@* | *auth\ =* | \
            *[Aa]uthorization\ =* | *[Aa]uthorization:\ ?* | *-\ value:* | *-\ \"value\"*) line=$withheld ;;
          *name:* | *name\":*) hide_value= ;;
          *value:* | *value\":*) [ -z "$hide_value" ] || line=$withheld ;;
        esac
        printf '%s\n' "$line"
        ;;
      pem)
        case $line in
          '-----BEGIN CERTIFICATE-----' | '-----BEGIN PUBLIC KEY-----') allowed=1 ;;
          '-----BEGIN '*) allowed= ;;
        esac
        [ -z "$allowed" ] || printf '%s\n' "$line"
        case $line in
          '-----END '*) allowed= ;;
          '') [ -n "$allowed" ] || printf '\n' ;;
        esac
        ;;
      kubeconfig)
        key=${line%%:*}
        key=${key#"${key%%[! ]*}"}
        key=${key#- }
        key=${key#"${key%%[! ]*}"}
        case $key in
          apiVersion | kind | clusters | cluster | server | name | contexts | context | user | users | \
            namespace | preferences | current-context | certificate-authority | certificate-authority-data | \
            client-certificate | client-certificate-data | client-key | tls-server-name | \
            insecure-skip-tls-verify)
            case $line in
              *{*[a-z]* | *://*@*) ;;
              *) printf '%s\n' "$line" ;;
            esac
            ;;
          '') printf '\n' ;;
        esac
        ;;
      proxy)
        case $line in
          *@*) ;;
          *_proxy=* | *_PROXY=*) printf '%s\n' "$line" ;;
          '') printf '\n' ;;
        esac
        ;;
      *) [ -n "$line" ] || printf '\n' ;;
    esac
  done
}

# All parts are asked at the same time, for each waits for a tool of its own.
ask() {
  case " ${PROBE_PARTS-} " in
    '  ' | *" $1 "*) emit "$@" & ;;
  esac
}

{
  printf '##kubeadm-py facts {"probe":1,"parts":[["",""]\n'
  ask version version kubelet --version
  ask version version kubectl version --client
  ask files files
  ask images images
  ask runtime runtime
  case " ${PROBE_PARTS-} " in *' containers '*) ask containers containers ;; esac
  ask units units
  ask resolve resolve
  [ -z "${PROBE_ETCD-}" ] || ask etcd etcd
  ask clock clock
  ask version tools
  ask network network
  ask kernel kernel
  ask system system
  wait
  IFS=' ' read -r end _ 2>/dev/null </proc/uptime
  printf '],"begin":"%s","end":"%s","clock":"%s"}' "$begin" "$end" "$(date +%s.%N)"
} 2>/dev/null | tr -d '\n'
printf '\n'
) </dev/null
kubeadm_py_probe
