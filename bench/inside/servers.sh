# SPDX-License-Identifier: Apache-2.0
# The three servers of the benchmark, started inside a guest; sourced by measure.sh. Same root, same
# ECDSA P-256 certificate, AES-128-GCM, one worker or engine, no access log.
base=/dev/shm/bench
root=$base/www
libraries=$PEERS/usr/lib/x86_64-linux-gnu
loader=$libraries/ld-linux-x86-64.so.2

make_site() {
  mkdir -p "$root" "$base/state"
  head -c 1024 /dev/urandom >"$root/1k"
  head -c 16384 /dev/urandom >"$root/16k"
  head -c 16777216 /dev/urandom >"$root/16m"
  touch -d '1 hour ago' "$root"/*
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN=localhost \
    -days 30 -keyout "$base/key.pem" -out "$base/certificate.pem" 2>/dev/null
  cat "$base/key.pem" "$base/certificate.pem" >"$base/both.pem"
}

start_spliced() { # port
  SPLICED_LOG_LEVEL=error node dist/cli.js serve --root "$root" --listen "127.0.0.1:$1" \
    --state-dir "$base/state" --certificate "$base/certificate.pem" --private-key "$base/key.pem" &
}

start_nginx() { # port
  cat >"$base/nginx.conf" <<C
daemon off; worker_processes 1; pid $base/nginx.pid; error_log $base/nginx.log; user root;
events { worker_connections 1024; }
http {
  access_log off; sendfile on; tcp_nopush on; keepalive_requests 100000000;
  client_body_temp_path $base/n1; proxy_temp_path $base/n2; fastcgi_temp_path $base/n3;
  uwsgi_temp_path $base/n4; scgi_temp_path $base/n5;
  open_file_cache max=1000; default_type application/octet-stream;
  server {
    listen 127.0.0.1:$1 ssl; root $root;
    ssl_certificate $base/certificate.pem; ssl_certificate_key $base/key.pem;
    ssl_protocols TLSv1.2 TLSv1.3; ssl_conf_command Options KTLS;
    ssl_conf_command Ciphersuites TLS_AES_128_GCM_SHA256; ssl_ciphers ECDHE-ECDSA-AES128-GCM-SHA256;
  }
}
C
  "$loader" --library-path "$libraries" "$PEERS/usr/sbin/nginx" -p "$base" -c "$base/nginx.conf" &
}

start_lighttpd() { # port
  cat >"$base/lighttpd.conf" <<C
server.modules = ("mod_openssl")
server.port = $1
server.bind = "127.0.0.1"
server.document-root = "$root"
server.max-keep-alive-requests = 65535
server.errorlog = "$base/lighttpd.log"
mimetype.assign = ("" => "application/octet-stream")
ssl.engine = "enable"
ssl.pemfile = "$base/both.pem"
ssl.openssl.ssl-conf-cmd = ("MinProtocol" => "TLSv1.2", "Options" => "KTLS",
  "Ciphersuites" => "TLS_AES_128_GCM_SHA256", "CipherString" => "ECDHE-ECDSA-AES128-GCM-SHA256")
C
  "$loader" --library-path "$libraries" "$PEERS/usr/sbin/lighttpd" -D -f "$base/lighttpd.conf" \
    -m "$PEERS/usr/lib/lighttpd" &
}

wait_for() { # port
  local i
  for i in $(seq 100); do
    curl -sk -o /dev/null "https://127.0.0.1:$1/1k" && return
    sleep 0.1
  done
  echo "bench: no server on port $1" >&2
  cat "$base"/*.log >&2
  exit 1
}
