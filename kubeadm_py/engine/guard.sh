# The guard of a stage: files kept aside, pods noted, all of it put back where a later action fails.
# compile.py sets kpy_kept_dir to the guard's own directory, and kpy_recover to what lets the host work again.
# Its list has a line a path: `kept PATH`, whose copy is below files, or `absent PATH`; and `objects` for what
# is in objects.json. It outlives the run: the next one adds what is new to it, and finishes what a killed one
# began or puts the same things back.

# kpy_guard_keep PATH...: a path that is listed already stays as it was kept: as it last worked.
kpy_guard_keep() {
  mkdir -p -m 0700 "$kpy_kept_dir"
  for kpy_path in "$@"; do
    if grep -qxF -e "kept $kpy_path" -e "absent $kpy_path" "$kpy_kept_dir/list" 2>/dev/null; then
      continue
    fi
    kpy_source=$kpy_path
    # The inventory names what this stage will make by now.
    if [ "$kpy_path" = "$kpy_state/inventory.json" ]; then kpy_source=$kpy_tmp/inventory; fi
    kpy_how=absent
    if [ -e "$kpy_source" ] || [ -L "$kpy_source" ]; then
      kpy_copy=$kpy_kept_dir/files$kpy_path
      mkdir -p "${kpy_copy%/*}"
      rm -rf -- "$kpy_copy.new"
      cp -aT "$kpy_source" "$kpy_copy.new"
      mv -fT "$kpy_copy.new" "$kpy_copy"
      sync "$kpy_copy" 2>/dev/null || :
      kpy_how=kept
    fi
    printf '%s %s\n' "$kpy_how" "$kpy_path" >>"$kpy_kept_dir/list"
  done
  sync "$kpy_kept_dir/list" 2>/dev/null || :
}

# kpy_guard_pods COMPONENT...: note which pod runs: in the run, and, as it last worked, beside what is kept.
kpy_guard_pods() {
  for kpy_component in "$@"; do
    kpy_container "$kpy_component"
    printf '%s %s\n' "$kpy_component" "$kpy_uid" >>"$kpy_tmp/pods"
    if ! grep -q "^$kpy_component " "$kpy_kept_dir/pods" 2>/dev/null; then
      printf '%s %s\n' "$kpy_component" "$kpy_uid" >>"$kpy_kept_dir/pods"
    fi
  done
}

# kpy_guard_objects KUBECTL...: keep what this command gets, without what only the API may say; it may read
# standard input.
kpy_guard_objects() {
  mkdir -p -m 0700 "$kpy_kept_dir"
  if grep -qx objects "$kpy_kept_dir/list" 2>/dev/null; then return; fi
  "$@" -o json >"$kpy_tmp/objects"
  sed -e '/^ *"\(resourceVersion\|uid\|creationTimestamp\|generation\)":/d' "$kpy_tmp/objects" \
    >"$kpy_kept_dir/objects.json"
  echo objects >>"$kpy_kept_dir/list"
}

# kpy_guard_arm: from here on a failure puts everything back.
kpy_guard_arm() {
  : >"$kpy_tmp/armed"
}

# kpy_let_go: nothing is put back any more. Without its list nobody takes the rest for a guard.
kpy_let_go() {
  rm -f "$kpy_kept_dir/list" "$kpy_tmp/armed"
  rm -rf "$kpy_kept_dir"
  rmdir "${kpy_kept_dir%/*}" 2>/dev/null || :
}

# kpy_put_back: make the files what they were.
kpy_put_back() {
  while read -r kpy_how kpy_path; do
    if [ "$kpy_how" = objects ]; then
      [ ! -s "$kpy_kept_dir/objects.json" ] || kpy_put_objects "$kpy_kept_dir/objects.json"
      continue
    fi
    kpy_new=${kpy_path%/*}/.${kpy_path##*/}.kubeadm-py-new
    rm -rf -- "$kpy_new"
    case $kpy_how in
      kept)
        mkdir -p "${kpy_path%/*}"
        cp -aT "$kpy_kept_dir/files$kpy_path" "$kpy_new"
        mv -fT "$kpy_new" "$kpy_path"
        kpy_relabel "$kpy_path"
        ;;
      absent) rm -rf -- "$kpy_path" ;;
    esac
  done <"$kpy_kept_dir/list"
}

# kpy_roll_back: put all back and let the host work as before; what a person stops now is stopped already.
kpy_roll_back() {
  kpy_mark rolling-back
  # How long was waited before, and what fell, says nothing about what is waited for now.
  rm -f "$kpy_stop" "$kpy_tmp/armed"
  for kpy_what in begun ended hurried exits first; do rm -f "$kpy_tmp/$kpy_what".*; done
  (
    set -eu
    kpy_put_back
  ) >"$kpy_tmp/out" 2>&1 8>&-
  if [ $? -eq 0 ]; then
    kpy_recover >"$kpy_tmp/out" 2>&1 8>&-
    if [ $? -eq 0 ]; then
      kpy_mark rolled-back
      kpy_let_go
      return
    fi
  fi
  kpy_mark not-rolled-back
  tail -n 30 "$kpy_tmp/out" | sed 's/^/##kubeadm-py output /' >&3
}

# kpy_container COMPONENT: find its newest container: $kpy_id, $kpy_uid (its pod's), $kpy_attempt, $kpy_state_of
# and $kpy_made (Unix seconds); empty and 0 where there is none.
kpy_container() {
  crictl ps -a --name "^$1\$" --label io.kubernetes.pod.namespace=kube-system -o json 2>/dev/null \
    | sed -n 's/[",]//g; s/^ *\([A-Za-z.]*\): \([^ ]*\)$/\1 \2/p' >"$kpy_tmp/containers"
  kpy_id= kpy_uid= kpy_attempt=0 kpy_state_of= kpy_newest=0
  while read -r key value; do
    case $key in
      id) id=$value ;;
      attempt) number=$value ;;
      state) state=$value ;;
      createdAt) made=$value ;;
      io.kubernetes.pod.uid)
        if [ "$made" -ge "$kpy_newest" ]; then
          kpy_newest=$made kpy_id=$id kpy_attempt=$number kpy_state_of=$state kpy_uid=$value
        fi
        ;;
    esac
  done <"$kpy_tmp/containers"
  kpy_made=${kpy_newest%?????????}
  kpy_made=${kpy_made:-0}
  [ "$kpy_newest" -gt 0 ] || kpy_made=0
}

# kpy_noted FILE COMPONENT: print the uid that was noted.
kpy_noted() {
  sed -n "s/^$2 //p" "$1" 2>/dev/null
}

# kpy_is_replaced COMPONENT MANIFEST WRITTEN: say whether the newest container is of the manifest that lies there.
# A static pod's uid is the kubelet's digest of its manifest, so a manifest that is as it was has the uid it had.
kpy_is_replaced() {
  kpy_container "$1"
  [ -n "$kpy_uid" ] || return 1
  kpy_was=$(kpy_noted "$kpy_kept_dir/pods" "$1")
  if cmp -s "$kpy_kept_dir/files$2" "$2"; then
    [ -z "$kpy_was" ] || [ "$kpy_uid" = "$kpy_was" ]
  else
    [ "$kpy_uid" != "$kpy_was" ] && { [ -z "$3" ] || [ "$kpy_uid" != "$(kpy_noted "$kpy_tmp/pods" "$1")" ]; }
  fi
}

# kpy_replaced COMPONENT MANIFEST WRITTEN PATIENCE GRACE: the same as a condition that says what is missing. The
# old container is given GRACE seconds to end, where that is less than its pod's own. A manifest that differs
# only in what the kubelet does not see keeps its pod: after PATIENCE seconds that pod is ended.
kpy_replaced() {
  kpy_clock
  [ -s "$kpy_tmp/begun.$1" ] || echo "$kpy_seconds" >"$kpy_tmp/begun.$1"
  if ! kpy_is_replaced "$@"; then
    if [ -s "$kpy_tmp/ended.$1" ] && [ "$kpy_made" -ge "$(cat "$kpy_tmp/ended.$1")" ]; then
      :
    else
      if [ -n "$5" ] && [ ! -e "$kpy_tmp/hurried.$1" ] && [ -n "$kpy_id" ] \
        && [ "$kpy_seconds" -ge $(($(cat "$kpy_tmp/begun.$1") + 2)) ]; then
        : >"$kpy_tmp/hurried.$1"
        crictl --timeout "$(($5 + 30))s" stop --timeout "$5" "$kpy_id" >/dev/null 2>&1
      fi
      if [ "$kpy_seconds" -ge $(($(cat "$kpy_tmp/begun.$1") + $4)) ] && [ ! -e "$kpy_tmp/ended.$1" ]; then
        date +%s >"$kpy_tmp/ended.$1"
        kpy_restart_pod "$1" 10 >/dev/null 2>&1
      fi
      rm -f "$kpy_tmp/exits.$1"
      case $kpy_state_of in
        *RUNNING) echo "the kubelet has not stopped $1 yet" ;;
        *) echo "$1 has stopped; the kubelet has not started it anew yet" ;;
      esac
      return 1
    fi
  fi
  kpy_counted "$1"
  case $kpy_state_of in
    *RUNNING) return 0 ;;
  esac
  kpy_ends=
  [ "$kpy_exits" -eq 0 ] || kpy_ends="; it ended ${kpy_exits}x"
  echo "$1 does not run$kpy_ends"
  return 1
}

# kpy_counted COMPONENT: put into $kpy_exits how often its newest pod has ended since it was first seen here.
kpy_counted() {
  kpy_first=$kpy_tmp/first.$1.$kpy_uid
  [ -s "$kpy_first" ] || echo "$kpy_attempt" >"$kpy_first"
  kpy_exits=$((kpy_attempt - $(cat "$kpy_first")))
  case $kpy_state_of in
    *EXITED) kpy_exits=$((kpy_exits + 1)) ;;
  esac
  echo "$kpy_exits" >"$kpy_tmp/exits.$1"
}

# kpy_steady COMPONENT SECONDS: say whether its container has run for so long; what falls, falls early.
kpy_steady() {
  [ $(($(date +%s) - kpy_made)) -ge "$2" ] && return 0
  echo "$1 answers; it has to stay up for $2 s"
  return 1
}

# kpy_service_since UNIT: put the Unix time of its main process's start into $kpy_since; 0 where it does not run.
kpy_service_since() {
  kpy_since=0
  kpy_micro=$(systemctl show -p ExecMainStartTimestampMonotonic --value "$1" 2>/dev/null)
  systemctl is-active --quiet "$1" && [ "${kpy_micro:-0}" -gt 0 ] || return 0
  kpy_clock
  kpy_since=$(($(date +%s) - kpy_seconds + kpy_micro / 1000000))
}
