#!/usr/bin/env bash
# Deploys automirror and the AWS Config rule as two CloudFormation stacks, or updates them.
#
#   cloudformation/deploy.sh BUCKET [PARAMETER=VALUE]...
#
# BUCKET is the S3 bucket to which the script uploads the zips that `make package` built. It must be in the region
# of the stacks. The script passes each parameter to every template that has it. An update keeps the values of
# parameters that are not given.
#
# Environment variables:
#   NAME (default automirror) names the stacks: NAME and NAME-config-rule.
#   CONFIG_RULE=no deploys no AWS Config rule. Use it where AWS Config does not record.
set -euo pipefail

top=$(realpath "$(dirname "$0")/..")
name=${NAME:-automirror}
rule=$name-config-rule
with_rule=${CONFIG_RULE:-yes}

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

# Prints the value of a stack's Output or Parameter. Prints nothing if the stack or the key does not exist.
ask() {
  local stack=$1 list=$2 key=$3
  exists "$stack" || return 0
  aws cloudformation describe-stacks --stack-name "$stack" --output text \
    --query "not_null(Stacks[0].${list}s, \`[]\`)[?${list}Key=='$key'].${list}Value"
}

# Collects the parameters of the existing stack of automirror, for a rule that is added later.
inherit() {
  local parameters topic parameter value
  parameters=$(aws cloudformation describe-stacks --stack-name "$name" --output text \
    --query 'Stacks[0].Parameters[].[ParameterKey,ParameterValue]')
  while IFS=$'\t' read -r parameter value; do
    case $parameter in
      Mirror* | LogLevel | LogRetentionDays | PermissionsBoundaryArn | KmsKeyArn | CodeSigningConfigArn | SubnetIds | SecurityGroupIds)
        inherited+=("$parameter=$value")
        ;;
    esac
  done <<<"$parameters"
  topic=$(ask "$name" Output TopicArn)
  inherited+=("AlarmTopicArn=$topic")
}

# Uploads the zip for the chosen architecture, and writes the template that refers to it.
package() {
  local template=$1 folder=$top/target/cloudformation
  local zip=$top/target/package/$template-$architecture.zip
  [ -f "$zip" ] || fail "cannot find $zip: run make package"
  mkdir -p "$folder"
  sed "s|\.\./target/package/$template-.*\.zip|$zip|" "$top/cloudformation/$template.yaml" >"$folder/$template.yaml"
  aws cloudformation package --template-file "$folder/$template.yaml" --s3-bucket "$bucket" \
    --s3-prefix "$name" --output-template-file "$folder/packaged-$template.yaml" >/dev/null
}

deploy() {
  local stack=$1 template=$2
  shift 2
  package "$template"
  aws cloudformation deploy --stack-name "$stack" --template-file "$top/target/cloudformation/packaged-$template.yaml" \
    --capabilities CAPABILITY_IAM --no-fail-on-empty-changeset \
    --parameter-overrides "Architecture=$architecture" "$@"
}

[ $# -gt 0 ] || fail "BUCKET is missing: which bucket takes the zips? Run $0 BUCKET [PARAMETER=VALUE]..."
bucket=$1
shift

architecture=
for pair in "$@"; do
  parameter=${pair%%=*}
  [ "$parameter" != "$pair" ] || fail "$pair is not PARAMETER=VALUE, such as CreateTopic=true"
  # The AWS CLI silently ignores a parameter that a template does not have.
  grep -qx "  $parameter:" "$top"/cloudformation/{automirror,config-rule}.yaml ||
    fail "there is no parameter $parameter. cloudformation/README.md lists the parameters"
  [ "$parameter" != Architecture ] || architecture=${pair#*=}
done
if [ -z "$architecture" ]; then
  architecture=$(ask "$name" Parameter Architecture)
fi
architecture=${architecture:-arm64}

if [ "$with_rule" = no ]; then
  deploy "$name" automirror "$@"
else
  inherited=()
  if ! exists "$rule" && exists "$name"; then
    inherit
  fi
  deploy "$rule" config-rule "${inherited[@]}" "$@"
  rule_name=$(ask "$rule" Output ConfigRuleName)
  topic=$(ask "$rule" Output TopicArn)
  own_topic=$(ask "$name" Parameter CreateTopic)
  if [ "$own_topic" = true ]; then
    deploy "$name" automirror "$@" "ConfigRuleName=$rule_name"
  else
    # The stack of the rule is deployed first and creates the topic, so that both stacks can use it.
    deploy "$name" automirror "$@" CreateTopic=false "AlarmTopicArn=$topic" "ConfigRuleName=$rule_name"
  fi
fi
