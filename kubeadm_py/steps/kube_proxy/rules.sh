# Keep the rules of a kube-proxy that ends in force until those of the next one are there.
#
# A kube-proxy that starts in another mode takes the rules of the mode before away, and only then asks the API
# for services: meanwhile new connections through a service find nothing. So once the old process is gone a
# copy of its rules is put beside them, under names that no kube-proxy knows, and goes when the new ones came.
#
# rules.sh is MODE: say whether the rules of this mode, iptables or nftables, are there and complete.
# rules.sh keep MODE SECONDS: until they are, keep what ends.
# rules.sh clean: take the copy away.
# Where a tool is missing on the host, or cannot read what the image's wrote, nothing is kept.
set -u

here=/run/kubeadm-py
every=0.2
ours='(SERVICES|EXTERNAL-SERVICES|NODEPORTS|POSTROUTING|MARK-MASQ|FORWARD|PROXY-FIREWALL|(SVC|SVL|SEP|FW|EXT)-.*)'
copy=kubeadm-py-kube-proxy
spared=30

# saves: print the commands by which rules of kube-proxy can be saved here: each family's, by the variant of
# iptables that they were made with.
saves() {
  for family in iptables ip6tables; do
    for variant in "" -nft -legacy; do
      if "$family$variant-save" 2>/dev/null | grep -q '^:KUBE-SERVICES '; then
        echo "$family$variant"
        break
      fi
    done
  done
}

# copied: turn what iptables-save prints into the lines that add a copy; those that lead to it come first of all.
copied() {
  awk -v ours="^KUBE-$ours\$" '
function kept(name) { sub(/^KUBE-/, "KPY-", name); return name }
/^[*]/ { table = $0; chains = jumps = rules = "" }
/^:/ { name = substr($1, 2); if (name ~ ours) chains = chains ":" kept(name) " - [0:0]\n" }
/^-A / {
  mine = $2 ~ ours
  leads = $(NF - 1) ~ /^-[gj]$/ && $NF ~ ours
  if (!mine && !leads) next
  # The target of a rule in the middle of its line is a built-in one, and no comment holds such a name.
  if (leads) sub(/KUBE-[^ ]*$/, kept($NF))
  if (mine) { sub(/^-A KUBE-/, "-A KPY-"); rules = rules $0 "\n" }
  else { sub(/^-A/, "-I"); jumps = $0 "\n" jumps }
}
/^COMMIT/ && chains != "" { print table; printf "%s%s%s", chains, rules, jumps; print }'
}

# uncopied: turn what iptables-save prints into the lines that take the copy away.
uncopied() {
  awk '
/^[*]/ { table = $0; chains = jumps = ends = "" }
/^:KPY-/ { name = substr($1, 2); chains = chains ":" name " - [0:0]\n"; ends = ends "-X " name "\n" }
/^-A / && $2 !~ /^KPY-/ && $(NF - 1) ~ /^-[gj]$/ && $NF ~ /^KPY-/ { sub(/^-A/, "-D"); jumps = jumps $0 "\n" }
/^COMMIT/ && chains != "" { print table; printf "%s%s%s", chains, jumps, ends; print }'
}

keep() {
  for tool in $(saves); do
    "$tool-save" 2>/dev/null | copied | "$tool-restore" -w 5 --noflush || echo "$tool: its rules cannot be copied"
  done
  for family in ip ip6; do
    nft list table $family kube-proxy >"$here/kube-proxy.nft" 2>/dev/null || continue
    sed -i "1s/^table $family kube-proxy {/table $family $copy {/" "$here/kube-proxy.nft"
    nft -f "$here/kube-proxy.nft" || echo "nft: the rules of $family cannot be copied"
  done
  rm -f "$here/kube-proxy.nft"
}

clean() {
  for family in iptables ip6tables; do
    for variant in "" -nft -legacy; do
      tool=$family$variant
      for turn in 1 2 3 4 5; do
        # What others change meanwhile may make ours fail, as a whole.
        lines=$("$tool-save" 2>/dev/null | uncopied)
        [ -n "$lines" ] || break
        printf '%s\n' "$lines" | "$tool-restore" -w 5 --noflush 2>/dev/null && break
      done
    done
  done
  for family in ip ip6; do nft delete table $family $copy 2>/dev/null; done
  rm -f "$here/kube-proxy.nft"
  return 0
}

# is_there MODE: each mode writes its first rules in one go, in iptables with this one as the last of its chain.
is_there() {
  case $1 in
    nftables)
      for family in ip ip6; do nft list chain $family kube-proxy services 2>/dev/null; done \
        | grep -q ' vmap @service-ips'
      ;;
    iptables)
      for tool in iptables iptables-nft iptables-legacy ip6tables ip6tables-nft ip6tables-legacy; do
        if "$tool-save" 2>/dev/null | grep -q '^-A KUBE-SERVICES .*-j KUBE-NODEPORTS'; then return 0; fi
      done
      return 1
      ;;
  esac
}

# process: print the kube-proxy that runs here: others may be in containers with a network of their own.
process() {
  pgrep -x kube-proxy --ns $$ --nslist net | head -n 1
}

now() {
  read -r uptime _ </proc/uptime
  echo "${uptime%.*}"
}

# watch MODE SECONDS
watch() {
  ends=$(($(now) + $2))
  while [ "$(now)" -lt "$ends" ]; do
    running=$(process)
    while [ -n "$running" ] && [ -e "/proc/$running" ] && [ "$(now)" -lt "$ends" ]; do sleep "$every"; done
    keep
    began=
    until is_there "$1" || [ "$(now)" -ge "$ends" ]; do
      if [ -z "$began" ] && [ -n "$(process)" ]; then began=$(now); fi
      # One that came back as it was, or falls, leaves the rules as they are: they need no copy for long.
      if [ -n "$began" ] && [ "$(now)" -ge $((began + spared)) ]; then break; fi
      sleep 0.5
    done
    # The other family's rules come a moment later.
    sleep 1
    clean
    if is_there "$1"; then return; fi
  done
}

case ${1:-} in
  is) is_there "$2" ;;
  keep)
    trap clean EXIT
    trap 'exit 143' TERM INT HUP
    watch "$2" "$3"
    ;;
  clean) clean ;;
  *) exit 2 ;;
esac
