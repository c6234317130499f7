# SPDX-License-Identifier: Apache-2.0
# Completion of spliced for bash. Made by "npm run docs".
_spliced() {
  local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]} words=''
  if [ "$COMP_CWORD" = 1 ]; then
    COMPREPLY=($(compgen -W 'serve drain status log config certificate update device token user claim install-service uninstall-service pack doctor --help --version' -- "$current"))
    return
  fi
  case $previous in
    --tls-offload) COMPREPLY=($(compgen -W 'auto off' -- "$current")); return ;;
    --root | --state-dir) COMPREPLY=($(compgen -d -- "$current")); return ;;
    --config | --certificate | --private-key) COMPREPLY=($(compgen -f -- "$current")); return ;;
  esac
  case ${COMP_WORDS[1]} in
    serve) words='--config --root --listen --state-dir --certificate --private-key --tls-offload --help --version' ;;
    drain) words='--wait --timeout-s --state-dir --config --help --version' ;;
    status) words='--json --state-dir --config --help --version' ;;
    log) words='--follow --lines --state-dir --config --help --version' ;;
    config) words='check show --json --config --root --listen --state-dir --certificate --private-key --tls-offload --help' ;;
    certificate) words='ca show check renew request key install --json --key --generate --type --config --root --listen --state-dir --certificate --private-key --tls-offload --help' ;;
    update) words='status install restart wait-good mark-good --json --hold-s --within-s --index --state-dir --config --help --version' ;;
    device) words='restart power-off --state-dir --config --help --version' ;;
    token) words='--role --revoke --state-dir --config --help --version' ;;
    user) words='list add role password remove --role --all --json --state-dir --config --help --version' ;;
    claim) words='--state-dir --config --help --version' ;;
    install-service) words='--root --help' ;;
    uninstall-service) words='--root --help' ;;
    pack) words='--help' ;;
    doctor) words='--reproduce --benchmark --cipher-check --seconds --json --config --root --listen --state-dir --certificate --private-key --tls-offload --help' ;;
  esac
  COMPREPLY=($(compgen -W "$words" -- "$current"))
  # What is no word of ours may be a file.
  [ ${#COMPREPLY[@]} != 0 ] || COMPREPLY=($(compgen -f -- "$current"))
}
complete -o filenames -F _spliced spliced
