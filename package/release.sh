#!/usr/bin/env bash
# Collects what a release publishes: the zips, mirrorctl for Linux, the templates and scripts, the Terraform module, for each
# program what it consists of (CycloneDX), and the checksums of all of it.
#
#   package/release.sh TAG FOLDER
#
# TAG must be the version in Cargo.toml with a v in front. The notes, CHANGELOG.md's chapter of the version, go to
# target/release-notes.md.
#
# In GitHub's workflow, what the alarms and the dashboard say of docs/alarms.md becomes a link to that page of the tag.
set -euo pipefail

fail() {
  echo "$0: $*" >&2
  exit 1
}

[ $# = 2 ] || fail "give the tag and the folder: $0 v0.1.0 target/release-assets"
tag=$1
folder=$2
top=$(cd "$(dirname "$0")/.." && pwd)
version=$(sed -n 's/^version = "\(.*\)"/\1/p' "$top/Cargo.toml" | sed -n 1p)
[ "$tag" = "v$version" ] || fail "the tag is $tag, but the version in Cargo.toml is $version"

mkdir -p "$folder"
folder=$(cd "$folder" && pwd)
for zip in {automirror,config-rule}-{arm64,x86_64}.zip; do
  [ -f "$top/target/package/$zip" ] || fail "there is no target/package/$zip. Run make package for both architectures"
  cp "$top/target/package/$zip" "$folder/"
done

linked=$(mktemp -d)
trap 'rm -rf "$linked"' EXIT
cp -R "$top/cloudformation" "$top/terraform" "$linked/"
if [ -n "${GITHUB_REPOSITORY:-}" ]; then
  page=$GITHUB_SERVER_URL/$GITHUB_REPOSITORY/blob/$tag/docs/alarms.md
  sed -i -e "s|^      Guide: docs/alarms\.md$|      Guide: $page|" \
    -e "s|^      GuideLink: docs/alarms\.md$|      GuideLink: '[docs/alarms.md]($page)'|" "$linked/cloudformation/automirror.yaml"
  sed -i -e "s|is in docs/alarms\.md#|is in $page#|" -e "s|is in docs/alarms\.md\.\"|is in [docs/alarms.md]($page).\"|" \
    "$linked/terraform/modules/automirror/alarms.tf"
fi
cp "$linked/cloudformation/automirror.yaml" "$linked/cloudformation/organization.yaml" "$folder/"

# The same files give the same archive: their order, times and owners are fixed, and of their modes all but who may execute.
archive() {
  tar --sort=name --mtime='1980-01-01 00:00Z' --owner=0 --group=0 --numeric-owner --mode='u=rwX,go=rX' -C "$2" -cf - "${@:3}" |
    gzip -n >"$folder/$1"
}
archive "automirror-$version-cloudformation.tar.gz" "$linked" cloudformation/{automirror,organization}.yaml cloudformation/examples cloudformation/{deploy,remove,publish}.sh
archive "automirror-$version-terraform.tar.gz" "$linked" --exclude=.terraform --exclude='*.tfstate*' terraform

for architecture in arm64 x86_64; do
  built=target/package/mirrorctl-$architecture
  [ -x "$top/$built" ] || fail "there is no $built. Run make mirrorctl for both architectures"
  archive "mirrorctl-$version-linux-$architecture.tar.gz" "$top" --transform="s|^$built\$|mirrorctl|" "$built" LICENSE
done

for program in automirror config-rule mirrorctl; do
  python3 "$top/package/sbom.py" "$program" >"$folder/$program-$version.cdx.json"
done

awk -v chapter="## $version" '
  /^## / { inside = index($0, chapter) == 1 }
  inside { print }
' "$top/CHANGELOG.md" >"$top/target/release-notes.md"
[ -s "$top/target/release-notes.md" ] || fail "CHANGELOG.md has no chapter $version"

(cd "$folder" && sha256sum -- *.zip *.yaml *.tar.gz *.cdx.json >SHA256SUMS)
