#!/usr/bin/env bash
# Removes what deploy.sh created. First automirror deletes the sessions of this installation, then CloudFormation
# deletes the stacks.
#
#   cloudformation/remove.sh
#
# The environment variable NAME (default automirror) must be the one given to deploy.sh. The script does not remove
# mirror targets, filters of yours or the bucket.
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

# Updates the stack so that no instance is selected. The next sweep then deletes all sessions of this installation.
select_nothing() {
  local keys parameters=()
  keys=$(aws cloudformation describe-stacks --stack-name "$name" --output text --query 'Stacks[0].Parameters[].ParameterKey')
  for key in $keys; do
    case $key in
      MirrorTagKey) parameters+=("ParameterKey=$key,ParameterValue=Mirror") ;;
      MirrorTagValue) parameters+=("ParameterKey=$key,ParameterValue=uninstall") ;;
      MirrorScope) parameters+=("ParameterKey=$key,ParameterValue=tagged") ;;
      MirrorMode) parameters+=("ParameterKey=$key,ParameterValue=enforce") ;;
      MirrorVpcIds | MirrorTargetIds) parameters+=("ParameterKey=$key,ParameterValue=") ;;
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

# Prints the ids of the sessions of this installation. EC2 documents no filter by tag for sessions, so --query selects
# them. The AWS CLI applies --query to each page, so the query works for any number of sessions.
list() {
  aws ec2 describe-traffic-mirror-sessions --filters "Name=owner-id,Values=$account" --output text \
    --query "TrafficMirrorSessions[?Tags[?Key=='ManagedBy' && Value=='$owner']].[TrafficMirrorSessionId]"
}

# Prints the number of sessions of this installation.
ours() {
  local ids
  ids=$(list) || exit 1
  grep -c '^tms-' <<<"$ids" || true
}

# Runs a sweep. Prints None, or the type of the error with which the function ended.
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
    [ "$left" = 0 ] ||
      fail "the stack $name is partly deleted. Delete these sessions yourself, then run this script again:" $(list)
    return
  fi
  # This is needed even if there are no sessions: an instance may start before the function is deleted.
  select_nothing
  while [ "$left" != 0 ]; do
    echo "$left sessions of ours are left"
    before=$left
    error=$(sweep)
    left=$(ours)
    # A sweep that runs out of time also ends with an error, although it deleted sessions.
    [ "$left" -ge "$before" ] || continue
    [ "$error" = None ] || fail "automirror failed ($error). Its log group says why: $(ask Output LogGroupName)"
    fail "automirror deletes no more of them. Its log group says why: $(ask Output LogGroupName)"
  done
}

delete() {
  aws cloudformation delete-stack --stack-name "$1"
  aws cloudformation wait stack-delete-complete --stack-name "$1" ||
    fail "CloudFormation could not delete the stack $1. The events of the stack say which resource failed and why"
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
