#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Runs in a guest (bench/run): starts the three servers and measures them in turn, ROUNDS times.
# One line a figure on stdout: metric server value. Environment: PEERS, ROUNDS, SECONDS_EACH.
set -euo pipefail
cd "$(dirname "$0")/../.."
# shellcheck source=bench/inside/servers.sh
. bench/inside/servers.sh
declare -A port=([spliced]=9441 [nginx]=9442 [lighttpd]=9443)
servers='spliced nginx lighttpd'

records() { awk '/^TlsTxSw/ { print $2 }' /proc/net/tls_stat; }

check_offload() { # a benchmark of kernel TLS compares servers that use it
  local server before
  for server in $servers; do
    before=$(records)
    curl -sk --tls-max 1.3 -o /dev/null "https://127.0.0.1:${port[$server]}/16k"
    [ "$(records)" -gt "$before" ] || { echo "bench: $server does not use kernel TLS" >&2; exit 1; }
  done
}

requests() { # server path connections
  wrk -t1 -c"$3" -d"${SECONDS_EACH}s" "https://127.0.0.1:${port[$1]}/$2" >"$base/wrk"
  ! grep -E 'Socket errors|Non-2xx' "$base/wrk" >&2 || echo "bench: $1 $2 had errors" >&2
  awk '/^Requests\/sec/ { print $2 }' "$base/wrk"
}

handshakes() { # server s_time-options...
  local server=$1
  shift
  openssl s_time -connect "127.0.0.1:${port[$server]}" -www /1k -time "$SECONDS_EACH" "$@" 2>/dev/null |
    awk '/real seconds/ { print $1 / $4 }' | tail -1
}

make_site
for server in $servers; do
  "start_$server" "${port[$server]}"
  wait_for "${port[$server]}"
done
check_offload
for _ in $(seq "$ROUNDS"); do
  for server in $servers; do echo "requests/s-1KiB $server $(requests "$server" 1k 16)"; done
  for server in $servers; do echo "requests/s-16KiB $server $(requests "$server" 16k 16)"; done
  for server in $servers; do echo "downloads/s-16MiB $server $(requests "$server" 16m 4)"; done
  for server in $servers; do echo "full-handshakes/s $server $(handshakes "$server" -new -tls1_2)"; done
  for server in $servers; do echo "resumed-handshakes/s $server $(handshakes "$server" -reuse -tls1_2)"; done
  for server in $servers; do
    echo "stalled-client-KiB $server $(python3 bench/inside/stalled.py "${port[$server]}" 8)"
  done
done
