#!/bin/sh
# Stand in for sudo: behave as the file sudo-mode beside it says; the right password is "open sesame".
mode=$(cat "${0%/*}/sudo-mode" 2>/dev/null)
prompt= stdin= never=
while [ $# -gt 0 ]; do
  case $1 in
    -n) never=1 ;;
    -S) stdin=1 ;;
    -k | -H) ;;
    -p) prompt=$2; shift ;;
    --) shift; break ;;
  esac
  shift
done
echo "a lecture about great power" >&2
case $mode in
  nopasswd) exec env SUDO_MODE=$mode "$@" ;;
  requiretty) echo "sudo: sorry, you must have a tty to run sudo" >&2; exit 1 ;;
  sudoers) echo "deploy is not in the sudoers file." >&2; exit 1 ;;
  otp) printf 'One-time code: ' >&2; IFS= read -r _; exit 1 ;;
esac
if [ -n "$never" ]; then echo "sudo: a password is required" >&2; exit 1; fi
[ -n "$stdin" ] || exit 9
for attempt in 1 2 3; do
  printf '%s' "$prompt" >&2
  IFS= read -r password || { echo "sudo: no password was provided" >&2; exit 1; }
  if [ "$password" = "open sesame" ]; then exec env SUDO_MODE=$mode "$@"; fi
  echo "Sorry, try again." >&2
done
echo "sudo: 3 incorrect password attempts" >&2
exit 1
