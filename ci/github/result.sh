#!/usr/bin/env bash
# Links the report in the summary of the job, and ends with the exit code of the run, or else of lint.
# Takes LINT and RUN, the exit codes, empty for what was not executed, and LINK, the address of the report or empty.
set -euo pipefail

[ -z "$LINK" ] || printf '\n[The whole report](%s)\n' "$LINK" >>"$GITHUB_STEP_SUMMARY"
code="${RUN:-4}"
[ "$code" != 0 ] || code="${LINT:-0}"
echo "exit-code=$code" >>"$GITHUB_OUTPUT"
echo "lint: ${LINT:-off}, run: ${RUN:-not executed} (0 passes, 1 does not, 4 could not be done)"
exit "$code"
