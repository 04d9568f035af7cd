#!/usr/bin/env bash
# A real MinIO for the tests: one fixed version, built by Go from the module proxy, kept outside the tree.
#
#   minio.sh install                   builds it unless it is there, and prints its path
#   minio.sh run [--tls] COMMAND…      COMMAND with a server of its own, on a free loopback port, gone afterwards
#
# COMMAND finds the server as any S3 program would: AWS_ENDPOINT_URL_S3, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, and with --tls
# AWS_CA_BUNDLE. Exit code 77 where MinIO cannot be had; else COMMAND's. $MINIO names a ready binary.
#
# This version wants Go 1.24. An older one (1.21 or later) fetches that toolchain from the module proxy by itself, which GOTOOLCHAIN=auto
# allows.
set -euo pipefail

version=v0.0.0-20260212201848-7aac2a2c5b7c
cache=${XDG_CACHE_HOME:-$HOME/.cache}/pgofs-tests/minio-$version

cannot() {
  echo "minio.sh: $*" >&2
  exit 77
}

install() {
  if [[ -n ${MINIO-} ]]; then
    [[ -x $MINIO ]] || cannot "MINIO=$MINIO is no program"
    echo "$MINIO"
    return
  fi
  mkdir -p "$cache" 2>/dev/null || cannot "cannot make $cache"
  exec 9>"$cache/lock"
  flock 9
  if [[ ! -x $cache/minio ]]; then
    command -v go >/dev/null || cannot "MinIO is not here, and there is no Go to build it with"
    echo "minio.sh: building MinIO $version; this takes some minutes, once" >&2
    GOTOOLCHAIN=auto GOFLAGS=-modcacherw GOBIN=$cache/new go install -trimpath -ldflags="-s -w" "github.com/minio/minio@$version" \
      >"$cache/log" 2>&1 || cannot "Go could not build MinIO: $(tail -n 3 "$cache/log" | tr '\n' ' ')"
    mv "$cache/new/minio" "$cache/minio"
  fi
  exec 9>&-
  echo "$cache/minio"
}

free_port() {
  python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

# A certificate authority of our own, and a certificate for the loopback address.
make_certificate() {
  local dir=$1
  mkdir -p "$dir"
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj "/CN=pgofs test authority" \
    -addext keyUsage=critical,keyCertSign,cRLSign \
    -keyout "$dir/ca.key" -out "$dir/ca.crt" 2>/dev/null
  openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=127.0.0.1" \
    -keyout "$dir/private.key" -out "$dir/request" 2>/dev/null
  printf 'subjectAltName=IP:127.0.0.1,DNS:localhost\nauthorityKeyIdentifier=keyid\n' >"$dir/ext"
  openssl x509 -req -in "$dir/request" -CA "$dir/ca.crt" -CAkey "$dir/ca.key" -CAcreateserial -days 2 -extfile "$dir/ext" \
    -out "$dir/public.crt" 2>/dev/null
}

wait_until_ready() {
  local url=$1 pid=$2
  for _ in {1..300}; do
    kill -0 "$pid" 2>/dev/null || return 1
    curl -sf --noproxy '*' --cacert "${AWS_CA_BUNDLE:-/dev/null}" "$url/minio/health/ready" -o /dev/null && return
    sleep 0.1
  done
  return 1
}

run() {
  local tls='' scheme=http binary port attempt
  if [[ $1 == --tls ]]; then
    tls=1 scheme=https
    shift
  fi
  binary=$(install) || exit $?
  dir=$(mktemp -d) pid=''
  trap 'kill "$pid" 2>/dev/null; wait "$pid" 2>/dev/null; rm -rf "$dir"' EXIT
  trap 'exit 143' TERM INT

  unset "${!AWS_@}" "${!MINIO_@}"
  export AWS_ACCESS_KEY_ID=pgofs-test AWS_SECRET_ACCESS_KEY=secret/of+the=test AWS_EC2_METADATA_DISABLED=true
  export AWS_CONFIG_FILE=/dev/null AWS_SHARED_CREDENTIALS_FILE=/dev/null no_proxy='*'
  mkdir "$dir/certs" "$dir/data"
  if [[ $tls ]]; then
    make_certificate "$dir/certs"
    export AWS_CA_BUNDLE=$dir/certs/ca.crt
  fi
  for attempt in 1 2 3; do
    port=$(free_port)
    MINIO_ROOT_USER=$AWS_ACCESS_KEY_ID MINIO_ROOT_PASSWORD=$AWS_SECRET_ACCESS_KEY MINIO_BROWSER=off MINIO_UPDATE=off HOME=$dir \
      "$binary" server --quiet --certs-dir "$dir/certs" --address "127.0.0.1:$port" "$dir/data" >"$dir/log" 2>&1 &
    pid=$!
    export AWS_ENDPOINT_URL_S3=$scheme://127.0.0.1:$port
    wait_until_ready "$AWS_ENDPOINT_URL_S3" "$pid" && break
    if ((attempt == 3)); then
      cat "$dir/log" >&2
      echo "minio.sh: MinIO did not start" >&2
      exit 1
    fi
  done
  "$@"
}

case ${1-} in
install) install ;;
run) shift && run "$@" ;;
*) sed -n '2,/^set/s/^# \{0,1\}//p' "$0" && exit 2 ;;
esac
