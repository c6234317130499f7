#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# How a distribution builds and installs spliced from a release tarball, for its own machine or for
# another. Needs no network. The Yocto recipe calls it task by task; test/cross/release.test.ts does the same.
set -eu

usage() {
  cat >&2 <<U
usage: package.sh configure | compile | install DESTDIR | install-ptest DESTDIR

configure and compile build the addon from binding.gyp with node-gyp, in the tarball's own build/:
  NODE_GYP           node-gyp's bin/node-gyp.js (npm brings one)
  NODE_DIR           the target's Node: include/node is beneath it
  NODE_ARCH          the target in Node's words: arm, arm64, x64 ...
  NODE               the node that runs here (node)
  SPLICED_IO_URING   0 builds without liburing (1)
  JOBS               compilers at a time (1)
  CC CXX AR LINK CPPFLAGS CFLAGS CXXFLAGS LDFLAGS   the target's tools and options; LINK is CXX

install puts files beneath DESTDIR, install-ptest the package test; owners are who calls it:
  PREFIX (/usr)  SYSCONFDIR (/etc)  UNIT_DIR (PREFIX/lib/systemd/system)
  PTEST_DIR (PREFIX/lib/spliced/ptest)
U
  exit 2
}

cd "$(dirname "$0")/.."
NODE=${NODE:-node}
PREFIX=${PREFIX:-/usr}
SYSCONFDIR=${SYSCONFDIR:-/etc}
UNIT_DIR=${UNIT_DIR:-$PREFIX/lib/systemd/system}
PTEST_DIR=${PTEST_DIR:-$PREFIX/lib/spliced/ptest}
addon=build/Release/spliced.node

configure() {
  : "${NODE_GYP:?path of node-gyp.js}" "${NODE_DIR:?prefix of the target node}" "${NODE_ARCH:?}"
  if [ ! -f "$NODE_DIR/include/node/node_api.h" ]; then
    echo "package.sh: no $NODE_DIR/include/node/node_api.h: NODE_DIR must have the target's headers" >&2
    exit 1
  fi
  "$NODE" "$NODE_GYP" --nodedir="$NODE_DIR" --arch="$NODE_ARCH" --loglevel=warn configure \
    -- "-Dspliced_io_uring=${SPLICED_IO_URING:-1}"
}

compile() {
  # The makefiles that gyp wrote. LINK: gyp would take the build machine's g++.
  LINK=${LINK:-${CXX:-g++}} make -C build -j"${JOBS:-1}" BUILDTYPE=Release V=1
}

# place MODE FROM TO: one file, beneath DESTDIR. Its time stays: a compressed sibling has its original's.
place() { install -D -p -m "$1" "$2" "$destdir$3"; }

install_all() {
  library=$PREFIX/lib/spliced
  place 0644 package.json "$library/package.json"
  place 0755 "$addon" "$library/$addon"
  find dist public -type f | LC_ALL=C sort | while read -r file; do
    place 0644 "$file" "$library/$file"
  done
  chmod 0755 "$destdir$library/dist/cli.js"
  install -d "$destdir$PREFIX/bin"
  ln -sf ../lib/spliced/dist/cli.js "$destdir$PREFIX/bin/spliced"
  for unit in systemd/*.service systemd/*.socket systemd/*.path; do
    place 0644 "$unit" "$UNIT_DIR/${unit##*/}"
  done
  place 0644 config/spliced.toml "$SYSCONFDIR/spliced/spliced.toml"
  install -d -m 0755 "$destdir$SYSCONFDIR/spliced/spliced.d"
  place 0644 man/spliced.1 "$PREFIX/share/man/man1/spliced.1"
  place 0644 man/spliced.toml.5 "$PREFIX/share/man/man5/spliced.toml.5"
  place 0644 man/spliced.bash "$PREFIX/share/bash-completion/completions/spliced"
  for file in docs/*.md LICENSE; do
    place 0644 "$file" "$PREFIX/share/doc/spliced/${file##*/}"
  done
}

install_ptest() {
  place 0755 test/ptest/run-ptest "$PTEST_DIR/run-ptest"
  place 0644 test/ptest/smoke.mjs "$PTEST_DIR/smoke.mjs"
}

[ $# -ge 1 ] || usage
step=$1
destdir=${2-}
case $step in
  configure | compile) "$step" ;;
  install) [ -n "$destdir" ] || usage; install_all ;;
  install-ptest) [ -n "$destdir" ] || usage; install_ptest ;;
  *) usage ;;
esac
