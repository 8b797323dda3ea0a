#!/usr/bin/env bash
# Lints the policy; its findings become annotations. Fails nothing by itself: the output exit-code says what came out.
# Takes POLICY, KUBERNETES, LINT (fail, report) and SARIF (true: also as a file, the output sarif).
set -euo pipefail

case "$LINT" in fail | report) ;; *) echo "::error::lint: expected fail, report or off, not $LINT"; exit 4 ;; esac
call=(auditproof lint "$POLICY" ${KUBERNETES:+--kubernetes "$KUBERNETES"})
code=0
"${call[@]}" --format github || code=$?
if [ "$SARIF" = true ]; then
  "${call[@]}" --format sarif >"$RUNNER_TEMP/auditproof-lint.sarif" || true # the same code as before
  echo "sarif=$RUNNER_TEMP/auditproof-lint.sarif" >>"$GITHUB_OUTPUT"
fi
[ "$LINT" = report ] && [ "$code" = 1 ] && code=0
echo "exit-code=$code" >>"$GITHUB_OUTPUT"
