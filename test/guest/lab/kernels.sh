# SPDX-License-Identifier: Apache-2.0
# Sourced by get-kernels, get-standin and run-guest: where the guests' kernels lie.

cache=${SPLICED_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/spliced}

# newest_kernel DIR: the newest version that is laid out there, or nothing.
newest_kernel() {
  find "$1" -mindepth 2 -maxdepth 2 -name linux -printf '%h\n' | sed 's,.*/,,' | sort -V | tail -1
}
