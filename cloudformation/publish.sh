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

# Both functions of an architecture, or none of it: every stack has one Architecture for both.
zips=()
architectures=()
for each in arm64 x86_64; do
  pair=("$top/target/package/automirror-$each.zip" "$top/target/package/config-rule-$each.zip")
  if [ -f "${pair[0]}" ] && [ -f "${pair[1]}" ]; then
    zips+=("${pair[@]}")
    architectures+=("$each")
  fi
done
[ ${#zips[@]} -gt 0 ] && [ ${#architectures[@]} -gt 0 ] ||
  fail "$top/target/package does not have both zips of an architecture, automirror and config-rule. Run
  make package ARCHITECTURES=arm64    (or ARCHITECTURES=x86_64)
or download a release into that folder"

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

# Prints the end of the names of S3's endpoints in a partition, as the AWS SDKs have it (botocore, partitions.json).
suffix() {
  case $1 in
    aws | aws-us-gov) echo amazonaws.com ;;
    aws-cn) echo amazonaws.com.cn ;;
    aws-eusc) echo amazonaws.eu ;;
    aws-iso) echo c2s.ic.gov ;;
    aws-iso-b) echo sc2s.sgov.gov ;;
    aws-iso-e) echo cloud.adc-e.uk ;;
    aws-iso-f) echo csp.hci.ic.gov ;;
    *) fail "the partition $1 is not known here. Add to $0 with what the names of S3's endpoints end there" ;;
  esac
}

publish() {
  local region=$1 bucket=$prefix-$1
  if ! aws s3api head-bucket --bucket "$bucket" --region "$region" 2>/dev/null; then
    aws s3 mb "s3://$bucket" --region "$region" >/dev/null
  fi
  for file in "${zips[@]}" "$top/cloudformation/automirror.yaml"; do
    aws s3 cp --only-show-errors --region "$region" "$file" "s3://$bucket/$key$(basename "$file")"
  done
  # The policy grants access to an organization, which S3 does not take for public access.
  aws s3api put-public-access-block --bucket "$bucket" --region "$region" --public-access-block-configuration \
    BlockPublicAcls=true,IgnorePublicAcls=true,BlockPublicPolicy=true,RestrictPublicBuckets=true
  aws s3api put-bucket-policy --bucket "$bucket" --region "$region" --policy "$(policy "arn:$partition:s3:::$bucket")"
  echo "published to s3://$bucket/$key" >&2
}

key=automirror/$(cat "${zips[@]}" "$top/cloudformation/automirror.yaml" | checksum | cut -c 1-16)/
partition=$(aws sts get-caller-identity --query Arn --output text | cut -d : -f 2)
end=$(suffix "$partition")
for region in "${regions[@]}"; do
  publish "$region"
done
cat <<TEXT
TemplateUrl=https://$prefix-${regions[0]}.s3.${regions[0]}.$end/${key}automirror.yaml
CodeBucketPrefix=$prefix
CodeKeyPrefix=$key
Architecture=${architectures[0]}
Regions=$(IFS=,; echo "${regions[*]}")
TEXT
[ ${#architectures[@]} = 1 ] || echo "the zips for ${architectures[1]} are there, too: Architecture=${architectures[1]} works as well" >&2
