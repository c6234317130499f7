# SPDX-License-Identifier: Apache-2.0
# Sourced by the get-* scripts here: where things are kept, and that a thing is made once, by one
# process at a time, or not at all.

cache=${SPLICED_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/spliced}
PATH=$PATH:/usr/sbin:/sbin

# keep NAME RECIPE COMMAND...: prints the directory of NAME in the cache. Unless it was made from the
# same RECIPE (a text) before, runs COMMAND with an empty directory to fill and an empty one to work in.
keep() {
  local out=$cache/$1 recipe=$2 work status=0
  shift 2
  mkdir -p "$(dirname "$out")"
  exec {lock}>"$out.lock"
  flock "$lock"
  if [ ! -e "$out/.recipe" ] || [ "$(cat "$out/.recipe")" != "$recipe" ]; then
    work=$(mktemp -d)
    rm -rf "$out" "$out.new"
    mkdir "$out.new"
    # In a shell of its own, with set -e in force, which it is not in a condition.
    set +e
    (set -e; "$@" "$out.new" "$work") >&2
    status=$?
    set -e
    rm -rf "$work"
    [ "$status" = 0 ] || exit "$status"
    printf '%s' "$recipe" >"$out.new/.recipe"
    mv "$out.new" "$out"
  fi
  exec {lock}>&-
  echo "$out"
}
