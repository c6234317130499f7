# SPDX-License-Identifier: Apache-2.0
# Sourced by what lays out packages of another Debian suite or architecture (the get-* scripts): they
# come from the mirror that this machine's own apt uses, and the machine's apt configuration and its
# package lists stay as they are.

# one_at_a_time: waits for whoever lays out the same at the moment, as tests side by side may; ends
# with the script.
one_at_a_time() {
  local cache=${SPLICED_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/spliced}
  mkdir -p "$cache"
  exec {one_at_a_time}>"$cache/$(basename "$0").lock"
  flock "$one_at_a_time"
}

suite_mirror() {
  local found
  found=$({ grep -hsE '^URIs:|^deb ' /etc/apt/sources.list.d/*.sources /etc/apt/sources.list.d/*.list \
    /etc/apt/sources.list || true; } |
    sed -E 's/^URIs: *//; s/^deb (\[[^]]*\] )?//; s/ .*//' | grep -E '/debian/?$' | sed -n 1p)
  [ -n "$found" ] || { echo "apt on this machine knows no Debian mirror" >&2; return 1; }
  echo "$found"
}

# suite_prepare SUITE WORK: makes WORK, which must be empty, the directory of an apt of its own, whose
# machine has nothing installed; its command is in the array suite_apt. SUITE_ARCH is the packages'
# architecture, amd64 when unset.
suite_prepare() {
  local suite=$1 work=$2 arch=${SUITE_ARCH:-amd64} mirror
  mirror=$(suite_mirror)
  chmod 755 "$work"
  mkdir -p "$work/lists/partial" "$work/cache/archives/partial" "$work/debs" "$work/root"
  echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror $suite main" >"$work/list"
  suite_apt=(apt-get -qq -o Dir::Etc::SourceList="$work/list" -o Dir::Etc::SourceParts=/dev/null
    -o Dir::Etc::PreferencesParts=/dev/null -o Dir::State::Lists="$work/lists"
    -o Dir::State::Status=/dev/null -o Dir::Cache="$work/cache" -o APT::Architecture="$arch"
    -o APT::Architectures::="$arch" -o APT::Sandbox::User=root)
  "${suite_apt[@]}" update
}

# suite_unpack SUITE WORK PACKAGE...: lays the packages' files out in WORK/root, the packages themselves
# in WORK/debs. WORK must be empty.
suite_unpack() {
  local suite=$1 work=$2 package
  shift 2
  suite_prepare "$suite" "$work"
  (cd "$work/debs" && "${suite_apt[@]}" download "$@")
  for package in "$work"/debs/*.deb; do dpkg -x "$package" "$work/root"; done
}

# suite_unpack_whole SUITE WORK PACKAGE...: the same with all that they depend on, and with one /usr. No
# script of a package runs, so the architecture may be a foreign one.
suite_unpack_whole() {
  local suite=$1 work=$2 package directory
  shift 2
  suite_prepare "$suite" "$work"
  "${suite_apt[@]}" --download-only --no-install-recommends -y install "$@"
  for directory in bin sbin lib lib64; do
    mkdir -p "$work/root/usr/$directory"
    ln -s "usr/$directory" "$work/root/$directory"
  done
  for package in "$work"/cache/archives/*.deb; do
    dpkg-deb --fsys-tarfile "$package" | tar -x -C "$work/root" --keep-directory-symlink
  done
}
