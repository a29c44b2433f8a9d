#!/usr/bin/env bash
# Deploys automirror in a sandbox account of AWS, plays a story, removes everything, and writes down what AWS answered.
#
#   tests/aws/run.sh BUCKET SUBNET
#
# It takes about 40 minutes and less than a dollar. BUCKET is in the region of the AWS CLI. SUBNET is a subnet in which
# two t4g.nano instances start: one that is mirrored and one that is the target, whose packets nobody reads. Needs the
# packages (make package). Nothing that runs in the gate calls this script: it needs an account.
set -euo pipefail

top=$(cd "$(dirname "$0")/../.." && pwd)
name=automirror-test-$$
facts=$top/target/aws-facts-$(date +%Y%m%d-%H%M%S).txt
instances=
target=

fail() {
  echo "FAILED: $*" >&2
  exit 1
}

[ $# = 2 ] || fail "give a bucket and a subnet: $0 BUCKET SUBNET"
bucket=$1
subnet=$2

fact() {
  echo "$*" | tee -a "$facts"
}

# Repeats a command, each 10 seconds, until it prints what is expected.
await() {
  local seconds=$1 expected=$2 said=
  shift 2
  for _ in $(seq 1 $((seconds / 10))); do
    said=$("$@" 2>&1) || true
    case $said in
      *"$expected"*) return 0 ;;
    esac
    sleep 10
  done
  fail "$* did not print $expected within $seconds seconds, but: $said"
}

cleanup() {
  echo "removing everything"
  "$top/cloudformation/remove.sh" --yes --name "$name" || echo "remove the stack $name by hand" >&2
  [ -z "$target" ] || aws ec2 delete-traffic-mirror-target --traffic-mirror-target-id "$target" >/dev/null ||
    echo "delete the target $target by hand" >&2
  # shellcheck disable=SC2086 # The ids are separated by spaces.
  [ -z "$instances" ] || aws ec2 terminate-instances --instance-ids $instances >/dev/null ||
    echo "terminate the instances $instances by hand" >&2
}
trap cleanup EXIT

launch() {
  local image
  image=$(aws ssm get-parameter --output text --query Parameter.Value \
    --name /aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-arm64)
  aws ec2 run-instances --image-id "$image" --instance-type t4g.nano --subnet-id "$subnet" --output text \
    --tag-specifications "ResourceType=instance,Tags=[{Key=Name,Value=$name}$1]" \
    --query 'Instances[0].[InstanceId,NetworkInterfaces[0].NetworkInterfaceId]'
}

ours() {
  aws ec2 describe-traffic-mirror-sessions --output text --query \
    "TrafficMirrorSessions[?Tags[?Key=='ManagedBy' && Value=='$name']].[NetworkInterfaceId,TrafficMirrorSessionId,PacketLength]"
}

# What AWS Config says of the mirrored instance. The word in front tells COMPLIANT from NON_COMPLIANT.
verdict() {
  echo "verdict:$(aws configservice get-compliance-details-by-config-rule --config-rule-name "$name" --output text --query \
    "EvaluationResults[?EvaluationResultIdentifier.EvaluationResultQualifier.ResourceId=='$mirrored'].[ComplianceType,Annotation]")"
}

read -r sensor sensor_interface <<<"$(launch '')"
instances=$sensor
aws ec2 wait instance-running --instance-ids "$sensor"
target=$(aws ec2 create-traffic-mirror-target --network-interface-id "$sensor_interface" --output text \
  --query TrafficMirrorTarget.TrafficMirrorTargetId)

# Without a recorder, AWS does not create the rule.
rule=true
[ "$(aws configservice describe-configuration-recorder-status --output text \
  --query 'ConfigurationRecordersStatus[0].recording')" = True ] || rule=false
"$top/cloudformation/deploy.sh" --name "$name" "$bucket" "MirrorTargetIds=$target" "CreateConfigRule=$rule"
fact "deployed with $(aws --version 2>&1), with the AWS Config rule: $rule"

start=$(date +%s)
read -r mirrored interface <<<"$(launch ',{Key=Mirror,Value=True}')"
instances="$instances $mirrored"
await 180 "$interface" ours
fact "a session exists $(($(date +%s) - start)) seconds after the launch: $(ours)"

if [ $rule = true ]; then
  start=$(date +%s)
  await 1200 verdict:COMPLIANT verdict
  fact "AWS Config says COMPLIANT $(($(date +%s) - start)) seconds after the session: $(verdict)"
else
  fact "AWS Config does not record here, so no verdict was tried"
fi

session=$(ours | cut -f 2)
"$top/cloudformation/deploy.sh" --name "$name" "$bucket" MirrorPacketLength=128
start=$(date +%s)
await 300 "$session"$'\t'128 ours
fact "an update of the stack modified the session $(($(date +%s) - start)) seconds later, and kept it: $(ours)"

aws ec2 delete-traffic-mirror-session --traffic-mirror-session-id "$session" >/dev/null
start=$(date +%s)
await 1200 "$interface" ours
fact "a deleted session is back after $(($(date +%s) - start)) seconds (CloudTrail's event, or the sweep)"

fact "a session on an interface that is a target: $(aws ec2 create-traffic-mirror-session --session-number 1 \
  --network-interface-id "$sensor_interface" --traffic-mirror-target-id "$target" \
  --traffic-mirror-filter-id "$(aws cloudformation describe-stacks --stack-name "$name" --output text \
    --query "Stacks[0].Outputs[?OutputKey=='FilterId'].OutputValue")" 2>&1 | tr '\n' ' ' || true)"
fact "a session with a number that is taken: $(aws ec2 create-traffic-mirror-session --session-number 1 \
  --network-interface-id "$interface" --traffic-mirror-target-id "$target" \
  --traffic-mirror-filter-id "$(aws cloudformation describe-stacks --stack-name "$name" --output text \
    --query "Stacks[0].Outputs[?OutputKey=='FilterId'].OutputValue")" 2>&1 | tr '\n' ' ' || true)"

aws ec2 delete-tags --resources "$mirrored" --tags Key=Mirror
start=$(date +%s)
for _ in $(seq 1 18); do
  [ -n "$(ours)" ] || break
  sleep 10
done
[ -z "$(ours)" ] || fail "the session is still there after the tag is gone"
fact "the session is gone $(($(date +%s) - start)) seconds after the tag"

aws ec2 create-tags --resources "$mirrored" --tags Key=Mirror,Value=True
await 180 "$interface" ours
"$top/cloudformation/remove.sh" --yes --name "$name"
[ -z "$(ours)" ] || fail "sessions are left after the removal"
fact "the removal left no session"
echo "what AWS answered is in $facts"
