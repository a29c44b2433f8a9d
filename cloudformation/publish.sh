#!/usr/bin/env bash
# Publishes the packages and the template to a bucket in each region. `publish.sh --help` says how.
#
# It runs with bash 3.2, which macOS has, and with the AWS CLI 1 and 2.
set -euo pipefail

usage() {
  cat <<TEXT
Publishes the packages and the template, so that all accounts of an organization can deploy them.

  $0 --organization ID PREFIX REGION...

Creates the bucket PREFIX-REGION in each region if it does not exist, lets the accounts of the organization read it,
and uploads the zips that \`make package\` built and the template. Prints what organization.yaml needs.

  --organization ID   the id of the organization, such as o-a1b2c3d4e5
  --help              print this
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

top=$(cd "$(dirname "$0")/.." && pwd)
organization=
names=()
while [ $# -gt 0 ]; do
  case $1 in
    --help | -h)
      usage
      exit 0
      ;;
    --organization)
      [ $# -gt 1 ] || misused "$1 needs a value"
      organization=$2
      shift
      ;;
    -*) misused "there is no option $1" ;;
    *) names+=("$1") ;;
  esac
  shift
done
[[ $organization =~ ^o-[a-z0-9]{10,32}$ ]] || misused "--organization must be an id such as o-a1b2c3d4e5"
[ ${#names[@]} -gt 1 ] || misused "PREFIX or REGION is missing"
prefix=${names[0]}
regions=("${names[@]:1}")
[[ $prefix =~ ^[a-z0-9][a-z0-9.-]{1,40}$ ]] || misused "$prefix is not the beginning of the name of a bucket"

zips=()
for zip in "$top"/target/package/{automirror,config-rule}-{arm64,x86_64}.zip; do
  [ ! -f "$zip" ] || zips+=("$zip")
done
[ ${#zips[@]} -gt 0 ] || fail "there are no zips in $top/target/package. Run make package, or download a release into it"

checksum() {
  if command -v sha256sum >/dev/null; then sha256sum; else shasum -a 256; fi
}

# Only members of the organization can read, and only over TLS.
policy() {
  cat <<TEXT
{"Version": "2012-10-17", "Statement": [
  {"Sid": "AllowOrganization", "Effect": "Allow", "Principal": "*", "Action": "s3:GetObject",
   "Resource": "$1/*", "Condition": {"StringEquals": {"aws:PrincipalOrgID": "$organization"}}},
  {"Sid": "DenyWithoutTls", "Effect": "Deny", "Principal": "*", "Action": "s3:*",
   "Resource": ["$1", "$1/*"], "Condition": {"Bool": {"aws:SecureTransport": "false"}}}
]}
TEXT
}

publish() {
  local region=$1 bucket=$prefix-$1 partition
  if ! aws s3api head-bucket --bucket "$bucket" --region "$region" 2>/dev/null; then
    aws s3 mb "s3://$bucket" --region "$region" >/dev/null
  fi
  for file in "${zips[@]}" "$top/cloudformation/automirror.yaml"; do
    aws s3 cp --only-show-errors --region "$region" "$file" "s3://$bucket/$key$(basename "$file")"
  done
  partition=$(aws sts get-caller-identity --query Arn --output text | cut -d : -f 2)
  # The policy grants access to an organization, which S3 does not take for public access.
  aws s3api put-public-access-block --bucket "$bucket" --region "$region" --public-access-block-configuration \
    BlockPublicAcls=true,IgnorePublicAcls=true,BlockPublicPolicy=true,RestrictPublicBuckets=true
  aws s3api put-bucket-policy --bucket "$bucket" --region "$region" --policy "$(policy "arn:$partition:s3:::$bucket")"
  echo "published to s3://$bucket/$key" >&2
}

key=automirror/$(cat "${zips[@]}" "$top/cloudformation/automirror.yaml" | checksum | cut -c 1-16)/
for region in "${regions[@]}"; do
  publish "$region"
done
cat <<TEXT
TemplateUrl=https://$prefix-${regions[0]}.s3.${regions[0]}.amazonaws.com/${key}automirror.yaml
CodeBucketPrefix=$prefix
CodeKeyPrefix=$key
Regions=$(IFS=,; echo "${regions[*]}")
TEXT
