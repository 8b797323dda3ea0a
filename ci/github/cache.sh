#!/usr/bin/env bash
# Says where the server binaries are kept, and under which key: the outputs path and key. Takes KUBERNETES.
set -euo pipefail

key="$(auditproof cache key ${KUBERNETES:+--kubernetes "$KUBERNETES"})"
printf 'path=%s\nkey=%s\n' "$(auditproof cache path)" "$key" >>"$GITHUB_OUTPUT"
