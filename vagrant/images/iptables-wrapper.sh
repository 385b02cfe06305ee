#!/bin/sh
# Use the kind of iptables that the host's own rules are in, because nft and legacy rules do not see each other:
# the kubelet leaves a hint in the right one, else the one with more rules wins. Decided once, at the first call.
set -eu

count() {
  { "iptables-$1-save"; "ip6tables-$1-save"; } 2>/dev/null | grep -c '^-' || true
}

if iptables-nft-save -t mangle 2>/dev/null | grep -q -e KUBE-IPTABLES-HINT -e KUBE-KUBELET-CANARY; then
  mode=nft
elif iptables-legacy-save -t mangle 2>/dev/null | grep -q -e KUBE-IPTABLES-HINT -e KUBE-KUBELET-CANARY; then
  mode=legacy
elif [ "$(count legacy)" -gt "$(count nft)" ]; then
  mode=legacy
else
  mode=nft
fi

for family in iptables ip6tables; do
  for tool in "" -save -restore; do
    # A read-only root file system only means that the next call decides again.
    ln -sf "$family-$mode$tool" "/usr/sbin/$family$tool" 2>/dev/null || true
  done
done

name=${0##*/}
family=${name%%-*}
exec "$family-$mode${name#"$family"}" "$@"
