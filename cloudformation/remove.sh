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

ours() {
  aws ec2 describe-traffic-mirror-sessions --filters "Name=tag:ManagedBy,Values=$(ask Parameter MirrorOwner)" \
    --output json --query 'length(TrafficMirrorSessions)'
}

if exists "$name"; then
  left=$(ours)
  [ "$left" = 0 ] || select_nothing
  while [ "$left" != 0 ]; do
    echo "$left sessions of ours are left"
    before=$left
    aws lambda invoke --function-name "$(ask Output FunctionName)" --cli-binary-format raw-in-base64-out \
      --cli-read-timeout 0 --payload '{"sweep":true}' /dev/null >/dev/null
    left=$(ours)
    [ "$left" -lt "$before" ] || fail "automirror deletes no more of them; its log says why"
  done
  aws cloudformation delete-stack --stack-name "$name"
  aws cloudformation wait stack-delete-complete --stack-name "$name"
fi
if exists "$name-config-rule"; then
  aws cloudformation delete-stack --stack-name "$name-config-rule"
  aws cloudformation wait stack-delete-complete --stack-name "$name-config-rule"
fi
