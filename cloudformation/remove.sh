#!/usr/bin/env bash
# Removes what deploy.sh made: first our sessions, by automirror itself, then the stacks.
#
#   cloudformation/remove.sh
#
# NAME (default automirror) is that of the deployment. Targets, given filters and the bucket stay.
set -euo pipefail

name=${NAME:-automirror}

fail() {
  echo "$0: $*" >&2
  exit 1
}

exists() {
  local said
  said=$(aws cloudformation describe-stacks --stack-name "$1" 2>&1 >/dev/null) && return 0
  [[ $said == *"does not exist"* ]] && return 1
  fail "$said"
}

ask() {
  local list=$1 key=$2
  aws cloudformation describe-stacks --stack-name "$name" --output text \
    --query "Stacks[0].${list}s[?${list}Key=='$key'].${list}Value"
}

# Nothing is selected any more: each session of ours is one too many.
select_nothing() {
  local keys parameters=()
  keys=$(aws cloudformation describe-stacks --stack-name "$name" --output text --query 'Stacks[0].Parameters[].ParameterKey')
  for key in $keys; do
    case $key in
      MirrorTagValue) parameters+=("ParameterKey=$key,ParameterValue=uninstall") ;;
      MirrorScope) parameters+=("ParameterKey=$key,ParameterValue=tagged") ;;
      MirrorMode) parameters+=("ParameterKey=$key,ParameterValue=enforce") ;;
      MirrorVpcIds) parameters+=("ParameterKey=$key,ParameterValue=") ;;
      *) parameters+=("ParameterKey=$key,UsePreviousValue=true") ;;
    esac
  done
  local said
  if said=$(aws cloudformation update-stack --stack-name "$name" --use-previous-template \
    --capabilities CAPABILITY_IAM --parameters "${parameters[@]}" 2>&1); then
    aws cloudformation wait stack-update-complete --stack-name "$name"
  else
    [[ $said == *"No updates are to be performed"* ]] || fail "$said"
  fi
}

# The ids of our sessions. EC2 documents no filter by tag for them, and the CLI queries each page for itself.
list() {
  aws ec2 describe-traffic-mirror-sessions --filters "Name=owner-id,Values=$account" --output text \
    --query "TrafficMirrorSessions[?Tags[?Key=='ManagedBy' && Value=='$owner']].[TrafficMirrorSessionId]"
}

# How many there are.
ours() {
  local ids
  ids=$(list) || exit 1
  grep -c '^tms-' <<<"$ids" || true
}

# Prints None, or what kind of error the function ended with.
sweep() {
  printf '{"sweep":true}' |
    aws lambda invoke --function-name "$function" --payload fileb:///dev/stdin --cli-read-timeout 0 \
      --query FunctionError --output text /dev/null
}

remove_sessions() {
  local status left before error
  status=$(aws cloudformation describe-stacks --stack-name "$name" --output text --query 'Stacks[0].StackStatus')
  left=$(ours)
  if [ "$status" = DELETE_FAILED ]; then
    [ "$left" = 0 ] || fail "automirror is gone already: delete these sessions yourself and run this again:" $(list)
    return
  fi
  # Even where there is none: an instance may start before the function is gone.
  select_nothing
  while [ "$left" != 0 ]; do
    echo "$left sessions of ours are left"
    before=$left
    error=$(sweep)
    left=$(ours)
    # A sweep that runs out of time ends with an error too, though it got on.
    [ "$left" -ge "$before" ] || continue
    [ "$error" = None ] || fail "automirror failed ($error); its log says why: $(ask Output LogGroupName)"
    fail "automirror deletes no more of them; its log says why: $(ask Output LogGroupName)"
  done
}

delete() {
  aws cloudformation delete-stack --stack-name "$1"
  aws cloudformation wait stack-delete-complete --stack-name "$1" ||
    fail "the stack $1 could not be deleted; its events say what is in the way"
}

if exists "$name"; then
  account=$(aws sts get-caller-identity --output text --query Account)
  owner=$(ask Parameter MirrorOwner)
  function=$(ask Output FunctionName)
  remove_sessions
  delete "$name"
fi
if exists "$name-config-rule"; then
  delete "$name-config-rule"
fi
