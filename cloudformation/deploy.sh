#!/usr/bin/env bash
# Deploys automirror as a CloudFormation stack, or updates it. `deploy.sh --help` says how.
#
# It runs with bash 3.2, which macOS has, and with the AWS CLI 1 and 2.
set -euo pipefail

usage() {
  cat <<TEXT
Deploys automirror as a CloudFormation stack, or updates it.

  $0 [OPTION]... BUCKET [PARAMETER=VALUE]...

BUCKET is an S3 bucket in the region of the stack. It takes the zips that \`make package\` built, and the template.
cloudformation/README.md lists the parameters. An update keeps the values of parameters that are not given.

  --name NAME       the name of the stack (default: automirror)
  --tag KEY=VALUE   a tag of the stack and of all its resources; can be given again
  --role-arn ARN    the role with which CloudFormation creates the resources
  --review          only create the change set and say how to look at it
  --skip-checks     do not look at recorder, trail, targets and filter before
  --help            print this

First look at what it would do, then let it work:

  $0 BUCKET MirrorTargetIds=tmt-... AlarmEmail=you@example.com MirrorMode=detect
  $0 BUCKET MirrorMode=enforce
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

note() {
  echo "note: $*" >&2
}

top=$(cd "$(dirname "$0")/.." && pwd)
template=$top/cloudformation/automirror.yaml
name=automirror
tags=()
options=()
review=no
checks=yes
bucket=
given=()

while [ $# -gt 0 ]; do
  case $1 in
    --help | -h)
      usage
      exit 0
      ;;
    --name | --tag | --role-arn)
      [ $# -gt 1 ] || misused "$1 needs a value"
      case $1 in
        --name) name=$2 ;;
        --tag) tags+=("$2") ;;
        --role-arn) options+=(--role-arn "$2") ;;
      esac
      shift
      ;;
    --review) review=yes ;;
    --skip-checks) checks=no ;;
    -*) misused "there is no option $1" ;;
    *=*) given+=("$1") ;;
    *)
      [ -z "$bucket" ] || misused "$1 is not PARAMETER=VALUE, such as MirrorMode=detect"
      bucket=$1
      ;;
  esac
  shift
done
[ -n "$bucket" ] || misused "BUCKET is missing: which bucket takes the zips?"
[ -z "${CONFIG_RULE:-}" ] || fail "CONFIG_RULE is not used any more. Give CreateConfigRule=false instead"
[ -z "${NAME:-}" ] || fail "the variable NAME is not used any more. Unset it, and give --name $NAME if that is the stack"
for pair in ${tags[@]+"${tags[@]}"}; do
  case $pair in
    *=*) ;;
    *) misused "the tag $pair is not KEY=VALUE" ;;
  esac
done
for pair in ${given[@]+"${given[@]}"}; do
  # The AWS CLI silently ignores a parameter that a template does not have.
  awk -v line="  ${pair%%=*}:" '/^[A-Z]/ { inside = /^Parameters:/ } inside && $0 == line { found = 1 } END { exit !found }' "$template" ||
    fail "there is no parameter ${pair%%=*}. cloudformation/README.md lists the parameters"
done

# Prints the value of a parameter that was given on the command line, the last one if it was given again. Fails if it
# was not given.
argument() {
  local found=1
  for pair in ${given[@]+"${given[@]}"}; do
    if [ "${pair%%=*}" = "$1" ]; then
      value=${pair#*=}
      found=0
    fi
  done
  [ $found = 0 ] || return 1
  echo "$value"
}

# Prints status, parameters and outputs of a stack, each as a line of name and value. Prints nothing if there is no such
# stack.
describe() {
  local said
  # shellcheck disable=SC2016 # The backticks are part of the query.
  said=$(aws cloudformation describe-stacks --stack-name "$1" --output text --query \
    'Stacks[0].[[[`StackStatus`,StackStatus]],not_null(Parameters,`[]`)[].[ParameterKey,ParameterValue],not_null(Outputs,`[]`)[].[OutputKey,OutputValue]][]' 2>&1) || {
    case $said in
      *"does not exist"*) return 0 ;;
      *) fail "$said" ;;
    esac
  }
  echo "$said"
}

# Prints the value of a name in the description of a stack.
of() {
  awk -F '\t' -v name="$2" '$1 == name { print $2; exit }' <<<"$1"
}

# Prints the value that a parameter will have: given, or that of the stack, or the default.
chosen() {
  argument "$1" && return
  local kept
  kept=$(of "$stack" "$1")
  echo "${kept:-$2}"
}

# Prints what failed in a stack, the last failure first.
say_failures() {
  aws cloudformation describe-stack-events --stack-name "$1" --output text \
    --query "StackEvents[?ends_with(ResourceStatus, '_FAILED')].[LogicalResourceId,ResourceStatusReason]" 2>/dev/null |
    sed -n '1,10s/^/  /p' >&2
}

check_caller() {
  local caller
  caller=$(aws sts get-caller-identity --output text --query '[Account,Arn]') ||
    fail "AWS does not know you. Run aws configure or aws sso login first"
  region=${AWS_REGION:-${AWS_DEFAULT_REGION:-$(aws configure get region || true)}}
  [ -n "$region" ] || fail "there is no region. Set AWS_REGION to the region to deploy to"
  account=${caller%%[[:space:]]*}
  echo "stack $name in account $account, region $region, as ${caller##*[[:space:]]}"
}

check_bucket() {
  local place
  place=$(aws s3api get-bucket-location --bucket "$bucket" --output text 2>&1) ||
    fail "the bucket $bucket cannot be used: $place
To create it: aws s3 mb s3://$bucket"
  case $place in
    None | null) place=us-east-1 ;;
    EU) place=eu-west-1 ;;
  esac
  [ "$place" = "$region" ] ||
    fail "the bucket $bucket is in $place, but Lambda takes zips only from a bucket in $region.
To create one: aws s3 mb s3://$bucket-$region --region $region"
}

has_packages() {
  [ -f "$top/target/package/automirror-$1.zip" ] && [ -f "$top/target/package/config-rule-$1.zip" ]
}

# The packages that are there decide, unless an architecture is given or the stack has one.
choose_architecture() {
  local other=x86_64
  architecture=$(chosen Architecture "")
  if [ -z "$architecture" ]; then
    architecture=arm64
    has_packages arm64 || ! has_packages x86_64 || architecture=x86_64
  fi
  [ "$architecture" = arm64 ] || other=arm64
  has_packages "$architecture" && return
  if has_packages "$other"; then
    fail "there are packages for $other only. Give Architecture=$other, or build those for $architecture:
  rustup target add $([ "$architecture" = arm64 ] && echo aarch64 || echo x86_64)-unknown-linux-gnu && make package ARCHITECTURES=$architecture"
  fi
  fail "there is no $top/target/package/automirror-$architecture.zip. Run make package, or download a release into that folder"
}

# The part of a query that says whether AWS Config records a type. What is not on an exclusion list is recorded.
records() {
  echo "(allSupported || recordingStrategy.useOnly=='EXCLUSION_BY_RESOURCE_TYPES' \
&& !contains(not_null(exclusionByResourceTypes.resourceTypes, \`[]\`), 'AWS::EC2::$1') \
|| contains(not_null(resourceTypes, \`[]\`), 'AWS::EC2::$1'))"
}

check_recorder() {
  [ "$(chosen CreateConfigRule true)" = true ] || return 0
  local recording said sources targets
  recording=$(aws configservice describe-configuration-recorder-status --output text \
    --query 'ConfigurationRecordersStatus[0].recording')
  [ "$recording" = True ] ||
    fail "AWS Config does not record in $region. Start its recorder, or give CreateConfigRule=false: then nothing reports
what is not mirrored but the alarms and the log"
  said=$(aws configservice describe-configuration-recorders --output text --query \
    "ConfigurationRecorders[0].recordingGroup.[$(records Instance) && $(records TrafficMirrorSession),$(records TrafficMirrorTarget)]")
  read -r sources targets <<<"$said"
  [ "$sources" = True ] ||
    note "AWS Config may not record AWS::EC2::Instance and AWS::EC2::TrafficMirrorSession. Evaluations then come only on schedule"
  [ "$targets" = True ] || [ -z "$(chosen ConfigRuleTargetHealth "")" ] ||
    note "AWS Config may not record AWS::EC2::TrafficMirrorTarget. It then shows no verdicts of targets (ConfigRuleTargetHealth), only of
instances"
  check_recording_mode
}

# The part of a query for how often AWS Config records a type that has an override.
override() {
  echo "recordingModeOverrides[?contains(resourceTypes,'AWS::EC2::$1')].recordingFrequency | [0]"
}

# Without an override, the default says how often AWS Config records (API reference, RecordingMode).
check_recording_mode() {
  local said usual instance session
  said=$(aws configservice describe-configuration-recorders --output text --query \
    "ConfigurationRecorders[0].recordingMode.[recordingFrequency,$(override Instance),$(override TrafficMirrorSession)]")
  read -r usual instance session <<<"$said"
  [ "$instance" != None ] || instance=$usual
  [ "$session" != None ] || session=$usual
  case "$instance $session" in
    "CONTINUOUS CONTINUOUS") ;;
    *DAILY*) note "AWS Config records AWS::EC2::Instance or AWS::EC2::TrafficMirrorSession once a day only. What changes is then judged by
the schedule of the rule (ConfigRuleInterval), and not at once" ;;
    *) note "the AWS CLI does not tell how often AWS Config records. If it is once a day, what changes is not judged at once" ;;
  esac
}

check_trail() {
  local trail
  trail=$(aws cloudtrail describe-trails --output text --query 'trailList[0].Name')
  [ "$trail" != None ] ||
    note "there is no CloudTrail trail in $region. What others do to sessions is then seen only by the next sweep"
}

check_targets() {
  local targets owners filter said
  targets=$(chosen MirrorTargetIds "")
  owners=$(chosen MirrorTargetOwners "")
  if [ -n "$targets" ]; then
    # shellcheck disable=SC2086 # The ids are separated by spaces.
    said=$(aws ec2 describe-traffic-mirror-targets --traffic-mirror-target-ids ${targets//,/ } 2>&1 >/dev/null) ||
      fail "MirrorTargetIds: ${said##*: }. Sessions need a target in $region"
  elif [ -z "$owners" ]; then
    said=$(aws ec2 describe-traffic-mirror-targets --output text --query 'TrafficMirrorTargets[0].TrafficMirrorTargetId')
    [ "$said" != None ] || note "this account has no traffic mirror target in $region. Nothing can be mirrored until there is one"
  fi
  filter=$(chosen MirrorFilterId "")
  [ -z "$filter" ] || said=$(aws ec2 describe-traffic-mirror-filters --traffic-mirror-filter-ids "$filter" 2>&1 >/dev/null) ||
    fail "MirrorFilterId: ${said##*: }"
}

# Two stacks with one owner would delete each other's sessions.
check_owner() {
  local owner others
  owner=$(chosen MirrorOwner "$name")
  others=$(aws cloudformation describe-stacks --output text --query \
    "Stacks[?StackName!='$name' && StackName!='$name-config-rule' && not_null(Parameters, \`[]\`)[?ParameterKey=='MirrorOwner' && ParameterValue=='$owner']].StackName")
  [ -z "$others" ] ||
    fail "the stack $others already has MirrorOwner=$owner. Give this one another, such as MirrorOwner=$name"
}

# A stack whose creation failed can only be deleted, and takes no change set.
make_way() {
  stack=$(describe "$name")
  status=$(of "$stack" StackStatus)
  case $status in
    "" | *_COMPLETE) ;;
    *_IN_PROGRESS)
      [ "$status" = REVIEW_IN_PROGRESS ] || fail "the stack $name is $status. Wait until that has ended, and try again"
      ;;
    UPDATE_ROLLBACK_FAILED)
      fail "the stack $name is $status. Run: aws cloudformation continue-update-rollback --stack-name $name"
      ;;
    DELETE_FAILED)
      fail "the stack $name is partly deleted. Run: $top/cloudformation/remove.sh --name $name"
      ;;
  esac
  case $status in
    ROLLBACK_COMPLETE | ROLLBACK_FAILED | CREATE_FAILED | REVIEW_IN_PROGRESS)
      echo "the stack $name is $status, so it is deleted first"
      aws cloudformation delete-stack --stack-name "$name"
      aws cloudformation wait stack-delete-complete --stack-name "$name"
      status=
      stack=
      ;;
  esac
}

# Adds what a new stack, or one of the time of two templates, needs besides what is given.
complete_parameters() {
  if [ -z "$status" ]; then
    argument MirrorOwner >/dev/null || added+=("MirrorOwner=$name")
    argument ConfigRuleName >/dev/null || added+=("ConfigRuleName=$name")
    return
  fi
  [ -z "$(of "$stack" CreateConfigRule)" ] || return 0
  upgrade=yes
  argument ConfigRuleName >/dev/null || added+=("ConfigRuleName=$name")
  rule_stack=$(describe "$name-config-rule")
  if [ -n "$rule_stack" ]; then
    old_topic=$(of "$rule_stack" TopicArn)
    argument CreateConfigRule >/dev/null || added+=(CreateConfigRule=true)
    # The topic of the other stack is deleted with it, so this stack creates its own.
    if [ "$(of "$rule_stack" CreateTopic)" = true ] && ! argument AlarmTopicArn >/dev/null; then
      added+=(AlarmTopicArn= CreateTopic=true)
    else
      old_topic=
    fi
    for key in ConfigRuleInterval UnsupportedCompliance ConfigRuleMemorySize; do
      argument $key >/dev/null || added+=("$key=$(of "$rule_stack" $key)")
    done
  else
    argument CreateConfigRule >/dev/null || added+=(CreateConfigRule=false)
  fi
}

# Deletes the stack of the AWS Config rule, which is in the one stack now. It has no sessions.
finish_upgrade() {
  local topic protocol endpoint
  topic=$(of "$stack" TopicArn)
  if [ -n "${old_topic:-}" ] && [ "$topic" != "$old_topic" ]; then
    aws sns list-subscriptions-by-topic --topic-arn "$old_topic" --output text \
      --query 'Subscriptions[].[Protocol,Endpoint]' |
      while read -r protocol endpoint; do
        aws sns subscribe --topic-arn "$topic" --protocol "$protocol" --notification-endpoint "$endpoint" >/dev/null
        echo "subscribed $endpoint to the new topic. An e-mail address must be confirmed again"
      done
  fi
  if [ -n "$rule_stack" ]; then
    aws cloudformation delete-stack --stack-name "$name-config-rule"
    aws cloudformation wait stack-delete-complete --stack-name "$name-config-rule" ||
      fail "the stack $name-config-rule could not be deleted. Delete it by hand; it is not needed any more"
    echo "deleted the stack $name-config-rule: the AWS Config rule is in the stack $name now"
  fi
}

checksum() {
  if command -v sha256sum >/dev/null; then sha256sum; else shasum -a 256; fi
}

# Lambda takes new code only from a new key, so the key has the checksum of the zips.
upload() {
  local zips=("$top/target/package/automirror-$architecture.zip" "$top/target/package/config-rule-$architecture.zip")
  prefix=$name/$(cat "${zips[@]}" | checksum | cut -c 1-16)/
  for zip in "${zips[@]}"; do
    aws s3 cp --only-show-errors "$zip" "s3://$bucket/$prefix$(basename "$zip")"
  done
}

deploy() {
  local arguments=(--stack-name "$name" --template-file "$template" --s3-bucket "$bucket" --s3-prefix "$name")
  arguments+=(--capabilities CAPABILITY_NAMED_IAM --no-fail-on-empty-changeset ${options[@]+"${options[@]}"})
  [ ${#tags[@]} = 0 ] || arguments+=(--tags "${tags[@]}")
  [ $review = no ] || arguments+=(--no-execute-changeset)
  [ $review = yes ] || echo "CloudFormation creates or updates the stack $name: this takes about five minutes"
  aws cloudformation deploy "${arguments[@]}" --parameter-overrides "Architecture=$architecture" "CodeBucket=$bucket" \
    CodeBucketPrefix= "CodeKeyPrefix=$prefix" AutomirrorObjectVersion= ConfigRuleObjectVersion= ${added[@]+"${added[@]}"} ${given[@]+"${given[@]}"} && return
  echo "$0: CloudFormation could not deploy the stack $name. What failed:" >&2
  say_failures "$name"
  exit 1
}

# Shows at once what automirror makes of the account, and lets AWS Config evaluate it.
sweep() {
  local function answer error rule
  function=$(of "$stack" FunctionName)
  answer=$(mktemp)
  error=$(printf '{"sweep":true}' | aws lambda invoke --function-name "$function" --payload fileb:///dev/stdin \
    --cli-read-timeout 0 --query FunctionError --output text "$answer")
  echo "the first sweep: $(cat "$answer")"
  ! grep -q '"broken_settings":true' "$answer" ||
    note "a setting names only what does not exist (setting-broken above). Nothing is changed until it is right"
  rm -f "$answer"
  [ "$error" = None ] || note "the sweep failed ($error). The log says why: $(of "$stack" LogGroupName)"
  rule=$(of "$stack" ConfigRuleName)
  if [ "$(of "$stack" CreateConfigRule)" = true ]; then
    aws configservice start-config-rules-evaluation --config-rule-names "$rule" 2>/dev/null ||
      note "AWS Config evaluates already, or the evaluation could not be started"
  fi
}

say_what_is_there() {
  local log owner mode
  log=$(of "$stack" LogGroupName)
  owner=$(of "$stack" MirrorOwner)
  mode=$(chosen MirrorMode enforce)
  echo
  aws cloudformation describe-stacks --stack-name "$name" --output text \
    --query 'Stacks[0].Outputs[].[OutputKey,OutputValue]' | sort | sed 's/^/  /'
  cat <<TEXT

The log:       aws logs tail $log --follow    (AWS CLI 2)
The sessions:  aws ec2 describe-traffic-mirror-sessions --output table --query "TrafficMirrorSessions[?Tags[?Key=='ManagedBy' && Value=='$owner']].[Tags[?Key=='Name']|[0].Value,NetworkInterfaceId,TrafficMirrorTargetId]"
To remove it:  $top/cloudformation/remove.sh$([ "$name" = automirror ] || echo " --name $name")
TEXT
  [ "$mode" = enforce ] ||
    echo "It only watches. To let it work: $0 $([ "$name" = automirror ] || echo "--name $name ")$bucket MirrorMode=enforce"
  [ "$(chosen CreateAlarms true)" = false ] || [ -n "$(of "$stack" TopicArn)" ] || [ -n "$(chosen EventBusArn "")" ] ||
    note "nobody gets the alarms, because there is no topic and no event bus. Give AlarmEmail, AlarmTopicArn or EventBusArn"
  [ -z "$(chosen AlarmEmail "")" ] || echo "AWS sends a mail to $(chosen AlarmEmail ""). Follow the link in it, or no alarm comes."
}

added=()
upgrade=no
stack=
check_caller
check_bucket
make_way
choose_architecture
complete_parameters
check_owner
if [ $checks = yes ]; then
  check_recorder
  check_trail
  check_targets
fi
upload
deploy
if [ $review = yes ]; then
  echo "Look at the change set with the command above, then execute it, or delete it."
  exit 0
fi
stack=$(describe "$name")
[ $upgrade = no ] || finish_upgrade
sweep
say_what_is_there
