#!/usr/bin/env bash
# Runs the policy on a real API server. Fails nothing by itself: the output exit-code says what came out.
# Takes POLICY, CASES (one a line), ARGUMENTS (separated by spaces), REPORT; auditproof reads the AUDITPROOF_ variables.
# The outputs report, results and sarif are paths, where there is something.
set -euo pipefail

own=() more=()
while IFS= read -r line; do
  line="${line#"${line%%[![:space:]]*}"}"
  line="${line%"${line##*[![:space:]]}"}"
  [ -z "$line" ] || own+=("$line")
done <<<"$CASES"
IFS=$' \t\n' read -r -d '' -a more <<<"$ARGUMENTS" || true

code=0
auditproof run "$POLICY" "${own[@]}" --report "$REPORT" --formats sarif "${more[@]}" || code=$?
echo "exit-code=$code" >>"$GITHUB_OUTPUT"
if [ -f "$REPORT/results.json" ]; then
  folder="$(cd "$REPORT" && pwd)"
  printf 'report=%s\nresults=%s\n' "$folder" "$folder/results.json" >>"$GITHUB_OUTPUT"
  [ ! -f "$folder/results.sarif" ] || echo "sarif=$folder/results.sarif" >>"$GITHUB_OUTPUT"
fi
