#!/usr/bin/env bash
# Removes the stack that deploy.sh created, and its sessions first. `remove.sh --help` says how.
#
# It runs with bash 3.2, which macOS has, and with the AWS CLI 1 and 2.
set -euo pipefail

usage() {
  cat <<TEXT
Removes the CloudFormation stack of automirror. The stack deletes the sessions of this installation before anything else.

  $0 [OPTION]...

  --name NAME   the name of the stack (default: automirror)
  --yes         do not ask
  --help        print this

Mirror targets, filters, topics and keys of yours stay, and so do the sessions of others and the bucket with the zips.
TEXT
}

fail() {
  echo "$0: $*" >&2
  exit 1
}

misused() {
  echo "$0: $*" >&2
  usage >&2
  exit 2
}

name=automirror
sure=no
# How often and how many seconds apart EC2 is asked again, whose answers can be older than its deeds.
attempts=6
pause=${PAUSE:-10}

while [ $# -gt 0 ]; do
  case $1 in
    --help | -h)
      usage
      exit 0
      ;;
    --name)
      [ $# -gt 1 ] || misused "$1 needs a value"
      name=$2
      shift
      ;;
    --yes) sure=yes ;;
    *) misused "there is no option $1" ;;
  esac
  shift
done
[ -z "${NAME:-}" ] || fail "the variable NAME is not used any more. Unset it, and give --name $NAME if that is the stack"

# Prints the status of a stack, whether it is protected, whether it has the parameter CreateConfigRule, its MirrorOwner
# and its MirrorMode, in one line. Prints nothing if there is no such stack.
describe() {
  local said
  said=$(aws cloudformation describe-stacks --stack-name "$1" --output text --query \
    "Stacks[0].[StackStatus,EnableTerminationProtection,not_null(Parameters,\`[]\`)[?ParameterKey=='CreateConfigRule'].ParameterValue|[0],not_null(Parameters,\`[]\`)[?ParameterKey=='MirrorOwner'].ParameterValue|[0],not_null(Parameters,\`[]\`)[?ParameterKey=='MirrorMode'].ParameterValue|[0]]" 2>&1) || {
    case $said in
      *"does not exist"*) return 0 ;;
      *) fail "$said" ;;
    esac
  }
  echo "$said"
}

# Prints the ids of the sessions of this installation: those with its owner, except those with the tag Installation of
# another one. EC2 documents no filter by tag for sessions, so --query selects
# them. The AWS CLI applies --query to each page, so the query works for any number of sessions.
sessions() {
  [ -n "$owner" ] || return 0
  aws ec2 describe-traffic-mirror-sessions --filters "Name=owner-id,Values=$account" --output text \
    --query "TrafficMirrorSessions[?Tags[?Key=='ManagedBy' && Value=='$owner'] && !(Tags[?Key=='Installation' && Value!='$name'])].[TrafficMirrorSessionId]" |
    { grep '^tms-' || true; }
}

count() {
  sessions | { grep -c . || true; }
}

# With MirrorMode=detect the lifecycle function may not delete sessions, so the deletion would fail when the event rules are
# gone already, and a stack that is DELETE_FAILED cannot be updated.
refuse_to_detect() {
  [ "${mode:-}" = detect ] && [ "$before" != 0 ] || return 0
  local update=
  case $status in
    ROLLBACK_COMPLETE | *_FAILED) ;;
    *_COMPLETE)
      update="
or let the stack do so:
  ${0%remove.sh}deploy.sh --name $name BUCKET MirrorMode=enforce"
      ;;
  esac
  fail "$before sessions of this installation are left, and with MirrorMode=detect no role may delete them.
Delete them with your own permissions:
  mirrorctl remove --region $region$update
Then run this script again"
}

confirm() {
  local answer=
  cat <<TEXT
This removes from account $account, region $region:
  the stack $name ($status)
  $before mirror sessions with the tag ManagedBy=$owner
TEXT
  [ $sure = no ] || return 0
  printf 'Type the name of the stack to remove it: '
  read -r answer || true
  [ "$answer" = "$name" ] || fail "nothing is removed"
}

say_failures() {
  aws cloudformation describe-stack-events --stack-name "$1" --output text \
    --query "StackEvents[?ResourceStatus=='DELETE_FAILED'].[LogicalResourceId,ResourceStatusReason]" 2>/dev/null |
    sed -n '1,10s/^/  /p' >&2
}

# A second attempt follows if the first fails and no session is left: then EC2 still took the filter for used.
delete() {
  local attempt
  for attempt in 1 2; do
    aws cloudformation delete-stack --stack-name "$1"
    aws cloudformation wait stack-delete-complete --stack-name "$1" && return
    [ "$attempt" = 1 ] && [ "$(count)" = 0 ] || break
    sleep "$pause"
  done
  echo "$0: CloudFormation could not delete the stack $1. What failed:" >&2
  say_failures "$1"
  fail "$(count) sessions of this installation are left. Mend what failed and run this script again"
}

check_that_none_is_left() {
  local attempt left=
  for attempt in $(seq $attempts); do
    left=$(sessions)
    [ -n "$left" ] || return 0
    [ "$attempt" = $attempts ] || sleep "$pause"
  done
  fail "the stack is gone, but these sessions are left. Delete each with
aws ec2 delete-traffic-mirror-session --traffic-mirror-session-id ID
$left"
}

account=$(aws sts get-caller-identity --output text --query Account) ||
  fail "AWS does not know you. Run aws configure or aws sso login first"
region=${AWS_REGION:-${AWS_DEFAULT_REGION:-$(aws configure get region || true)}}
stack=$(describe "$name")
IFS=$'\t' read -r status protected rule owner mode <<<"$stack" || true
other=$(describe "$name-config-rule")
if [ -z "$status" ] && [ -z "$other" ]; then
  echo "there is no stack $name in account $account, region $region"
  exit 0
fi
case $status in
  DELETE_IN_PROGRESS | REVIEW_IN_PROGRESS) ;;
  *_IN_PROGRESS) fail "the stack $name is $status. Wait until that has ended, and try again" ;;
esac
case $status in
  "" | ROLLBACK_COMPLETE | ROLLBACK_FAILED | CREATE_FAILED | REVIEW_IN_PROGRESS | DELETE_IN_PROGRESS | DELETE_FAILED) ;;
  *)
    [ "$rule" != None ] ||
      fail "the stack $name is of an older version, which does not delete its sessions. Update it with deploy.sh first"
    ;;
esac
[ "${protected:-}" != True ] ||
  fail "the stack $name is protected. Run: aws cloudformation update-termination-protection --no-enable-termination-protection --stack-name $name"
before=$(count)
refuse_to_detect
confirm
if [ -n "$status" ]; then
  delete "$name"
fi
if [ -n "$other" ]; then
  delete "$name-config-rule"
fi
check_that_none_is_left
echo "removed the stack $name and $before mirror sessions. No session of this installation is left"
