# SPDX-License-Identifier: Apache-2.0
# Sourced by the get-kernel scripts, which lay out a kernel for an initramfs.

# modules_archive TREE RELEASE WORK FILE MODULE...: the modules and what they depend on, of the kernel that
# is unpacked in TREE, as an archive for an initramfs. WORK is an empty directory. depmod has run over TREE.
modules_archive() {
  local tree=$1 release=$2 work=$3 file=$4 modules small module
  shift 4
  modules=usr/lib/modules/$release small=$work/small
  mkdir -p "$small/$modules"
  ln -s usr/lib "$small/lib"
  for module in "$@"; do
    modprobe -d "$tree" -S "$release" --show-depends "$module"
  done | sed -n 's/^insmod \([^ ]*\).*/\1/p' | sort -u >"$work/needed"
  while read -r module; do
    install -D -m 644 "$module" "$small/$modules/${module##*/modules/"$release"/}"
  done <"$work/needed"
  cp "$tree/$modules"/modules.{order,builtin,builtin.modinfo} "$small/$modules/"
  depmod -b "$small" "$release"
  (cd "$small" && find usr -print0 | cpio --quiet -0 -o -H newc -R 0:0) >"$file"
}
