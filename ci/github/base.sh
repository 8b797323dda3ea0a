#!/usr/bin/env bash
# Says with what the policy is compared: the output base, empty for nothing.
# Takes POLICY, BASE (empty: the same file before the change; none: nothing), and where the change began: GITHUB_BASE_REF
# of a pull request, QUEUED_ON of a merge queue, BEFORE of a push.
set -euo pipefail

found() { # the policy
  echo "base=$1" >>"$GITHUB_OUTPUT"
  echo "${1:+compared with $1}${2-}"
  exit 0
}

[ "$BASE" = none ] && found "" "compared with nothing"
[ -z "$BASE" ] || found "$BASE"
file="$POLICY"
[ -f "$file" ] || file="${POLICY%%#*}"
path="$(git --literal-pathspecs ls-files -z --full-name -- "$file" | tr -d '\0')"
[ -n "$path" ] || found "" "git does not know $file: compared with nothing"

if [ -n "${GITHUB_BASE_REF-}" ]; then
  name="origin/$GITHUB_BASE_REF" ref="refs/remotes/origin/$GITHUB_BASE_REF"
  from="+refs/heads/$GITHUB_BASE_REF:$ref"
else
  ref="${QUEUED_ON:-${BEFORE-}}"
  case "$ref" in *[!0]*) ;; *) found "" "nothing was there before: compared with nothing" ;; esac # empty, or of zeros
  name="$ref" from="$ref"
fi
# A checkout of one commit lacks it; its newest commit is all that is needed.
if ! git rev-parse --quiet --verify "$ref^{commit}" >/dev/null && ! git fetch --quiet --no-tags --depth=1 origin "$from"; then
  [ -n "${GITHUB_BASE_REF-}" ] || found "" "the commit before is gone: compared with nothing" # a forced push
  echo "::error::the base branch $GITHUB_BASE_REF cannot be fetched; let actions/checkout do it, with fetch-depth: 0"
  exit 4
fi
git cat-file -e "$ref:$path" 2>/dev/null || found "" "$path is new: compared with nothing"
found "git:$name:$path${POLICY#"$file"}"
