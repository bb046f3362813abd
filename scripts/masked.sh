#!/usr/bin/env bash
# scripts/masked.sh COMMAND [ARGUMENT…]
# Runs a command on a machine as if it had no Vulkan: binds /dev/null over every loader and an empty folder over the
# drivers' manifests, in a mount namespace of its own. Skips, with exit code 0, where namespaces are not permitted.
set -euo pipefail

if [ "${1:-}" != --inside ]; then
  [ $# -gt 0 ] || { echo "usage: $0 COMMAND [ARGUMENT...]" >&2; exit 2; }
  unshare=(unshare -m)
  [ "$(id -u)" = 0 ] || unshare+=(-r)
  if ! "${unshare[@]}" mount --bind /dev/null /dev/null 2>/dev/null; then
    echo "skipped: mount namespaces are not permitted here" >&2
    exit 0
  fi
  exec "${unshare[@]}" "$0" --inside "$@"
fi
shift

shopt -s nullglob
for root in /lib /lib64 /usr/lib /usr/lib64 /usr/local/lib; do
  for library in "$root"/libvulkan*.so* "$root"/*/libvulkan*.so*; do
    mount --bind /dev/null "$(readlink -f "$library")"
  done
done
for folder in /usr/share/vulkan/icd.d /usr/local/share/vulkan/icd.d /etc/vulkan/icd.d; do
  [ ! -d "$folder" ] || mount -t tmpfs none "$folder"
done
unset VK_ICD_FILENAMES VK_DRIVER_FILES VK_ADD_DRIVER_FILES
unset WEBDIT_SOFTWARE_VULKAN WEBDIT_VULKAN_NOTE LD_LIBRARY_PATH
exec "$@"
