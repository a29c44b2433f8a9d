//! The names of regions.

/// What `--region` says for every region that is enabled.
pub(crate) const ALL: &str = "all";

/// Whether a region could have this name: it becomes a part of the names of hosts.
pub(crate) fn is_region(name: &str) -> bool {
    let is_part = |part: &str| {
        !part.is_empty()
            && part.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
    };
    name.contains('-') && name.split('-').all(is_part)
}

/// Reads one of `--region`.
pub(super) fn region(text: &str) -> Result<String, String> {
    let region = text.trim();
    let is_one = region == ALL || is_region(region);
    is_one.then(|| region.to_owned()).ok_or_else(|| "a region such as eu-west-1, or all".to_owned())
}
