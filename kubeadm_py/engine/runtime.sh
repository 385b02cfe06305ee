# The frame of every stage script: one lock, one private directory, one marker line an action.
# compile.py puts the assignments of PATH, kpy_run, kpy_state, kpy_incoming, kpy_blobs, kpy_stop,
# kpy_lock_wait, kpy_run_token and kpy_token before it.
# Standard input (kept as 4) carries what the actions need, in their order; standard output (kept as 3)
# carries markers, which the executor reads. The stage is not under `set -e`: an action's exit code is
# looked at by kpy_end, and `||` would switch errexit off inside it.
umask 077
LC_ALL=C
export PATH LC_ALL
mkdir -p -m 0700 "$kpy_run" || exit 1
exec 3>&1 4<&0 </dev/null 8>>"$kpy_run/stage.lock"
if ! flock -w "$kpy_lock_wait" 8; then
  echo '##kubeadm-py busy' >&3
  exit 75
fi
# The host takes its lock back from a run that it has not heard of for a while, and another may have had it since.
if [ -n "$kpy_token" ] && [ "$(cat "$kpy_run_token" 2>/dev/null)" != "$kpy_token" ]; then
  echo '##kubeadm-py lost' >&3
  exit 75
fi
kpy_tmp=$(mktemp -d "$kpy_run/stage.XXXXXX") || exit 1
kpy_clean() {
  rm -f "$kpy_stop"
  rm -rf "$kpy_tmp"
}
trap kpy_clean EXIT
# A shell that a signal ends skips its EXIT trap, and the directory may hold a secret.
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 141' PIPE
trap 'exit 143' TERM

# kpy_mark WORDS: tell the executor. printf, for echo would read escapes in words that others wrote; where
# nobody listens any more, the connection was cut and nothing new begins.
kpy_mark() {
  printf '##kubeadm-py %s\n' "$*" >&3 || exit 141
}

# kpy_warn TEXT: tell the operator what stays so after this action.
kpy_warn() {
  kpy_mark "warning $*"
}

# The run may have ended while the lock was waited for: then what follows, the inventory first, is stale.
kpy_mark locked

kpy_begin() {
  if [ -e "$kpy_stop" ]; then
    kpy_mark "stopped $1"
    exit 130
  fi
  kpy_mark "begin $1"
}

# kpy_end INDEX CODE: report an action's end; a failed one ends the stage.
kpy_end() {
  [ ! -e "$kpy_tmp/input" ] || rm -f "$kpy_tmp/input"
  if [ "$2" -ne 0 ]; then
    kpy_mark "failed $1 $2"
    tail -n 60 "$kpy_tmp/out" | sed 's/^/##kubeadm-py output /' >&3
    # A stop leaves things as they are: the next run goes on with them.
    if [ -e "$kpy_tmp/armed" ] && [ "$2" -ne 130 ]; then kpy_roll_back; fi
    exit 1
  fi
  kpy_how=changed
  # Mostly a line or none at all: read without starting a process.
  while IFS= read -r kpy_line; do
    if [ "$kpy_line" = unchanged ]; then
      kpy_how=unchanged
      break
    fi
  done <"$kpy_tmp/out"
  kpy_mark "done $1 $kpy_how"
}

# kpy_settle DIGEST: note that the host is as its inventory, whose digest this is, says; where there is none (any
# more) there is nothing to note.
kpy_settle() {
  [ ! -e "$kpy_state/inventory.json" ] || printf '%s\n' "$1" >"$kpy_state/settled"
}

# kpy_input SIZE: copy the action's own bytes from the stream to standard output. Like head(1), dd takes no more
# than these; its blocks are larger, and so it takes half the time.
kpy_input() {
  dd bs=256k iflag=fullblock,count_bytes count="$1" status=none <&4
}

# kpy_save SIZE: keep them in a file, for a command that must not begin with half of them.
kpy_save() {
  kpy_input "$1" >"$kpy_tmp/input"
  if [ "$(wc -c <"$kpy_tmp/input")" -ne "$1" ]; then
    echo "what was sent arrived incomplete" >&2
    return 1
  fi
}

# kpy_expect DIGEST...: let nothing but these lie where sent files are gathered: another run wanted others.
kpy_expect() {
  mkdir -p -m 0700 "$kpy_incoming"
  mkdir -p "$kpy_blobs"
  for kpy_part in "$kpy_blobs"/*; do
    case " $* " in
      *" ${kpy_part##*/} "*) ;;
      *) rm -rf "$kpy_part" ;;
    esac
  done
}

kpy_size() {
  stat -c %s "$1" 2>/dev/null || echo 0
}

# kpy_take DIGEST SIZE HAVE: take a file's bytes from HAVE on, all that come.
kpy_take() {
  kpy_part=$kpy_blobs/$1
  if [ "$3" -eq 0 ]; then
    : >"$kpy_part"
  elif [ "$(kpy_size "$kpy_part")" -ne "$3" ]; then
    echo "what an earlier run has sent has changed since: run the same command again" >&2
    return 1
  fi
  kpy_input "$(($2 - $3))" >>"$kpy_part"
}

# kpy_fetch DIGEST SIZE HAVE: take them and see that they are all. Where the connection is cut, what came by then
# stays for the next run; what is whole only with that is believed by its digest alone.
kpy_fetch() {
  kpy_take "$@" || return 1
  if [ "$(kpy_size "$kpy_part")" -ne "$2" ]; then
    echo "what was sent arrived incomplete" >&2
    return 1
  fi
  if [ "$3" -gt 0 ] && ! echo "$1  $kpy_part" | sha256sum -c --status; then
    rm -f "$kpy_part"
    echo "what an earlier run has sent is damaged and was dropped: run the same command again" >&2
    return 1
  fi
}

# kpy_place DIGEST MODE OWNER PATH: put a file that was fetched where it belongs.
kpy_place() {
  chown "$3" "$kpy_blobs/$1"
  chmod "$2" "$kpy_blobs/$1"
  mv -fT -- "$kpy_blobs/$1" "$4"
}

# kpy_import DIGEST SIZE ...: hand containerd the blobs that have come, with the index that comes as input. One
# look tells the sizes of all.
# --local --no-unpack: containerd unpacks an image with its first container; the import itself takes a quarter
# of the time, and what never runs on this host is never unpacked.
kpy_import() {
  echo '{"imageLayoutVersion":"1.0.0"}' >"$kpy_tmp/oci-layout"
  mv "$kpy_tmp/input" "$kpy_tmp/index.json"
  kpy_names='' kpy_sizes=''
  while [ $# -gt 0 ]; do
    kpy_names="$kpy_names blobs/sha256/$1"
    kpy_sizes="$kpy_sizes $2"
    shift 2
  done
  if [ "$(cd "$kpy_incoming" && stat -c ' %s' $kpy_names 2>/dev/null | tr -d '\n')" != "$kpy_sizes" ]; then
    echo "what was sent arrived incomplete" >&2
    return 1
  fi
  # In records as large as a pipe holds: with tar's own, ctr would wake up six times as often.
  if ! tar -c -b 128 -f - -C "$kpy_tmp" oci-layout index.json -C "$kpy_incoming" $kpy_names \
    | ctr -n k8s.io images import --local --no-unpack -; then
    return 1
  fi
  (cd "$kpy_incoming" && rm -f $kpy_names)
}

# kpy_receive SIZE LAST: unpack an action's tar, whose last file is LAST: tar does not mind an archive that
# ends between two files.
kpy_receive() {
  kpy_input "$1" | tar -x -p -m -C / -f - || return 1
  if [ ! -e "$2" ]; then
    echo "what was sent arrived incomplete" >&2
    return 1
  fi
}

# kpy_unlink FILE...: remove those that are there.
kpy_unlink() {
  for kpy_file in "$@"; do
    if [ -e "$kpy_file" ] || [ -L "$kpy_file" ]; then rm -f -- "$kpy_file"; fi
  done
}

# kpy_mkdir DIR...: make missing directories, 0755, and remember which, so that reset can take them away.
kpy_mkdir() {
  for kpy_dir in "$@"; do
    kpy_at=$kpy_dir
    while [ ! -d "$kpy_at" ]; do
      case $kpy_at in
        "$kpy_state" | "$kpy_state"/*) ;;
        *)
          [ -d "$kpy_state" ] || mkdir -p -m 0700 "$kpy_state"
          printf '%s\n' "$kpy_at" >>"$kpy_state/made-directories"
          ;;
      esac
      kpy_at=${kpy_at%/*}
      [ -n "$kpy_at" ] || break
    done
    [ -d "$kpy_dir" ] || (umask 022 && mkdir -p "$kpy_dir")
  done
}

# kpy_keep PATH: keep what a file was before we first change it, so that reset can put it back. A copy that was
# cut off must not pass for the file, so it gets its name when it is whole.
kpy_keep() {
  kpy_kept=$kpy_state/prior$1
  if [ -e "$1" ] && [ ! -e "$kpy_kept" ] && [ ! -L "$kpy_kept" ]; then
    mkdir -p -m 0700 "$kpy_state/prior"
    mkdir -p "${kpy_kept%/*}"
    cp -aT "$1" "$kpy_kept.kubeadm-py-new"
    mv -fT "$kpy_kept.kubeadm-py-new" "$kpy_kept"
  fi
}

# kpy_restore PATH: put back what kpy_keep kept.
kpy_restore() {
  kpy_kept=$kpy_state/prior$1
  if [ -e "$kpy_kept" ] || [ -L "$kpy_kept" ]; then
    mkdir -p "${1%/*}"
    kpy_new=${1%/*}/.${1##*/}.kubeadm-py-new
    # The directory may be somebody else's: nothing of theirs is written through.
    rm -rf -- "$kpy_new"
    cp -aT --remove-destination "$kpy_kept" "$kpy_new"
    mv -fT "$kpy_new" "$1"
    kpy_relabel "$1"
  fi
}

# kpy_remove PATH...: remove files and whole directories, never what is mounted below them. A directory that is
# a mount point itself (a disk for /var/lib/kubelet, say) is emptied and stays.
kpy_remove() {
  for kpy_path in "$@"; do
    if ! rm -rf --one-file-system -- "$kpy_path"; then
      mountpoint -q "$kpy_path" && [ -z "$(ls -A -- "$kpy_path")" ] || return 1
    fi
  done
}

# kpy_restart_pod COMPONENT SECONDS: let a static pod's container end, by force after that time; the kubelet
# starts it anew.
# Its sandbox goes too: of a container that has ended, the kubelet waits longer with each restart.
kpy_restart_pod() {
  if ! systemctl is-active --quiet kubelet.service; then
    echo "the kubelet does not run: nobody would start $1 again" >&2
    return 1
  fi
  kpy_pods=$(crictl pods --namespace kube-system --label "component=$1" --label tier=control-plane -q)
  if [ -z "$kpy_pods" ]; then
    echo unchanged
    return 0
  fi
  for kpy_pod in $kpy_pods; do
    kpy_left=5
    # The kubelet may be starting a container in it, or taking the pod away itself.
    until kpy_end_pod "$kpy_pod" "$2" 2>"$kpy_tmp/refused" || [ -z "$(crictl pods --id "$kpy_pod" -q)" ]; do
      kpy_left=$((kpy_left - 1))
      if [ "$kpy_left" -eq 0 ]; then
        cat "$kpy_tmp/refused" >&2
        return 1
      fi
      sleep 1
    done
  done
}

# kpy_end_pod POD SECONDS: end its containers, by force after that time, and the pod itself.
kpy_end_pod() {
  kpy_ids=$(crictl ps --pod "$1" -q) || return 1
  [ -z "$kpy_ids" ] || crictl --timeout "$(($2 + 30))s" stop --timeout "$2" $kpy_ids || return 1
  crictl --timeout 60s stopp "$1" && crictl --timeout 60s rmp -f "$1"
}

kpy_relabel() {
  if command -v selinuxenabled >/dev/null 2>&1 && selinuxenabled; then
    restorecon -F "$@"
  fi
}

# kpy_listens PORT_IN_HEX: say whether anything listens there (state 0A); far cheaper than asking it.
kpy_listens() {
  grep -q "^ *[0-9]*: [0-9A-F]*:$1 [0-9A-F]*:0000 0A" /proc/net/tcp /proc/net/tcp6 2>/dev/null
}

# kpy_apply SECONDS COMMAND...: run it again for so long as the API is not able to answer; what it refuses is final.
kpy_apply() {
  deadline=$(($(date +%s) + $1))
  shift
  until "$@" 2>"$kpy_tmp/refused"; do
    if [ "$(date +%s)" -ge "$deadline" ] || [ -e "$kpy_stop" ] || ! grep -qiE \
      -e 'refused|timed? ?out|deadline exceeded|unavailable|reset by peer|unexpected EOF' \
      -e 'etcdserver|TLS handshake|too many requests|internal error' "$kpy_tmp/refused"; then
      cat "$kpy_tmp/refused" >&2
      return 1
    fi
    sleep 0.5
  done
  cat "$kpy_tmp/refused" >&2
}

# kpy_keep_replicas SECONDS PLACEHOLDER OTHERWISE NAMESPACE NAME KUBECTL...: put the replicas that a Deployment has
# into what was saved, OTHERWISE where there is none; who cannot say, fails: a scaled one is never scaled back.
kpy_keep_replicas() {
  (
    seconds=$1 placeholder=$2 otherwise=$3 namespace=$4 name=$5
    shift 5
    kpy_apply "$seconds" "$@" get deployment "$name" --namespace "$namespace" --ignore-not-found \
      -o 'jsonpath={.spec.replicas}' >"$kpy_tmp/replicas" || exit 1
    found=$(cat "$kpy_tmp/replicas")
    sed -i "s|\"$placeholder\"|${found:-$otherwise}|" "$kpy_tmp/input"
  )
}

# kpy_last: print the last line of $answer.
kpy_last() {
  printf '%s\n' "$answer" | tail -n 1 | cut -c 1-300
}

# kpy_ask CLIENT CA SERVER PATH: GET a path with a client's key pair into $answer; succeed on status 200.
# kubectl is on every host, but starting it ten times takes a processor from what it waits for; curl costs
# a tenth of that where a host has it. CA - is for servers on loopback, which signed themselves.
kpy_ask() {
  if command -v curl >/dev/null 2>&1; then
    if [ "$2" = - ]; then
      answer=$(kpy_curl --insecure --cert "$1.crt" --key "$1.key" "$3$4" 2>&1)
    else
      answer=$(kpy_curl --cacert "$2" --cert "$1.crt" --key "$1.key" "$3$4" 2>&1)
    fi
    case $answer in *"
200") return 0 ;; esac
    answer=${answer%
*}
    return 1
  fi
  if [ "$2" = - ]; then
    set -- "$1" --insecure-skip-tls-verify "$3" "$4"
  else
    set -- "$1" "--certificate-authority=$2" "$3" "$4"
  fi
  answer=$(kubectl --cache-dir "$kpy_run/kubectl-cache" --kubeconfig /dev/null --server "$3" "$2" \
    --request-timeout 10s --client-certificate "$1.crt" --client-key "$1.key" get --raw="$4" 2>&1)
}

kpy_curl() {
  # --disable comes first: root's own .curlrc is for other errands.
  curl --disable --silent --show-error --noproxy '*' --max-time 10 --write-out '\n%{http_code}' "$@"
}

# kpy_clock: put the seconds since boot into $kpy_seconds.
kpy_clock() {
  read -r kpy_up kpy_rest </proc/uptime
  kpy_seconds=${kpy_up%.*}
}

# kpy_wait SECONDS INTERVAL: loop until kpy_until succeeds; 9 = out of time, 10 = hopeless, 130 = stopped.
# A turn starts as few processes as it can: what is waited for needs the processor.
kpy_wait() {
  kpy_clock
  kpy_deadline=$((kpy_seconds + $1))
  kpy_look=$((kpy_seconds + 5))
  kpy_said=
  while ! kpy_until >"$kpy_tmp/why" 2>&1; do
    if [ -e "$kpy_stop" ]; then
      echo "stopped while waiting"
      return 130
    fi
    kpy_clock
    if [ "$kpy_seconds" -ge "$kpy_look" ]; then
      kpy_look=$((kpy_seconds + 5))
      if kpy_hopeless; then
        cat "$kpy_tmp/why"
        kpy_diagnose
        return 10
      fi
    fi
    kpy_why=
    while IFS= read -r kpy_line || [ -n "$kpy_line" ]; do kpy_why=$kpy_line; done <"$kpy_tmp/why"
    if [ "$kpy_why" != "$kpy_said" ]; then
      kpy_said=$kpy_why
      kpy_mark "note $kpy_why"
    fi
    if [ "$kpy_seconds" -ge "$kpy_deadline" ]; then
      cat "$kpy_tmp/why"
      kpy_diagnose
      return 9
    fi
    sleep "$2"
  done
  echo unchanged
}
