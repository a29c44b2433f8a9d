#!/usr/bin/env bash
# Deploys automirror and the AWS Config rule, or updates them.
#
#   cloudformation/deploy.sh BUCKET [PARAMETER=VALUE]...
#
# BUCKET takes the zips that `make package` built; it must be in the region of the stacks. A parameter goes to
# each template that has it; an update keeps those that are not given.
#
# NAME (default automirror) names the stacks: NAME and NAME-config-rule.
# CONFIG_RULE=no leaves the rule out, where AWS Config does not record.
set -euo pipefail

top=$(realpath "$(dirname "$0")/..")
name=${NAME:-automirror}
rule=$name-config-rule
with_rule=${CONFIG_RULE:-yes}

fail() {
  echo "$0: $*" >&2
  exit 1
}

# What the list Outputs or Parameters of a stack says; nothing if there is no such stack or key.
ask() {
  local stack=$1 list=$2 key=$3
  aws cloudformation describe-stacks --stack-name "$stack" --output text \
    --query "not_null(Stacks[0].${list}s, \`[]\`)[?${list}Key=='$key'].${list}Value" 2>/dev/null || true
}

# A packaged template, with the zip for the right processor.
package() {
  local template=$1 folder=$top/target/cloudformation
  local zip=$top/target/package/$template-$architecture.zip
  [ -f "$zip" ] || fail "there is no $zip: run make package"
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

[ $# -gt 0 ] || fail "which bucket takes the zips? The first lines of this file say more"
bucket=$1
shift

architecture=
for pair in "$@"; do
  parameter=${pair%%=*}
  [ "$parameter" != "$pair" ] || fail "$pair is not PARAMETER=VALUE"
  # The CLI says nothing of a parameter that a template does not have.
  grep -qx "  $parameter:" "$top"/cloudformation/{automirror,config-rule}.yaml ||
    fail "there is no parameter $parameter: cloudformation/README.md has them all"
  [ "$parameter" != Architecture ] || architecture=${pair#*=}
done
architecture=${architecture:-$(ask "$name" Parameter Architecture)}
architecture=${architecture:-arm64}

if [ "$with_rule" = no ]; then
  deploy "$name" automirror "$@"
else
  deploy "$rule" config-rule "$@"
  # The rule's stack makes the topic, so that both can use it.
  deploy "$name" automirror "$@" CreateTopic=false \
    "AlarmTopicArn=$(ask "$rule" Output TopicArn)" "ConfigRuleName=$(ask "$rule" Output ConfigRuleName)"
fi
