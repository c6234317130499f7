# SPDX-License-Identifier: Apache-2.0
# Sourced by what lays out packages of another Debian suite or architecture (the get-* scripts): they
# come from the mirror that this machine's own apt uses, and the machine's apt configuration and its
# package lists stay as they are.

suite_mirror() {
  local found
  found=$({ grep -hsE '^URIs:|^deb ' /etc/apt/sources.list.d/*.sources /etc/apt/sources.list.d/*.list \
    /etc/apt/sources.list || true; } |
    sed -E 's/^URIs: *//; s/^deb (\[[^]]*\] )?//; s/ .*//' | grep -E '/debian/?$' | sed -n 1p)
  [ -n "$found" ] || { echo "apt on this machine knows no Debian mirror" >&2; return 1; }
  echo "$found"
}

# suite_unpack SUITE WORK PACKAGE...: lays the packages' files out in WORK/root, the packages themselves
# in WORK/debs. WORK must be empty. SUITE_ARCH is the packages' architecture, amd64 when unset.
suite_unpack() {
  local suite=$1 work=$2 arch=${SUITE_ARCH:-amd64} apt package mirror
  shift 2
  mirror=$(suite_mirror)
  chmod 755 "$work"
  mkdir -p "$work/lists/partial" "$work/cache/archives/partial" "$work/debs" "$work/root"
  echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror $suite main" >"$work/list"
  apt=(apt-get -qq -o Dir::Etc::SourceList="$work/list" -o Dir::Etc::SourceParts=/dev/null
    -o Dir::Etc::PreferencesParts=/dev/null -o Dir::State::Lists="$work/lists"
    -o Dir::Cache="$work/cache" -o APT::Architecture="$arch" -o APT::Architectures::="$arch"
    -o APT::Sandbox::User=root)
  "${apt[@]}" update
  (cd "$work/debs" && "${apt[@]}" download "$@")
  for package in "$work"/debs/*.deb; do dpkg -x "$package" "$work/root"; done
}
