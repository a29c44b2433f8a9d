//! The XML of responses: what they have in common.

use std::sync::atomic::{AtomicU64, Ordering};

use quick_xml::se::to_string_with_root;
use serde::Serialize;

use crate::aws::ec2::{Refusal, Tags};

/// A list: `<item>` elements in one that names them.
#[derive(Serialize)]
pub(super) struct Set<T> {
    item: Vec<T>,
}

impl<T> FromIterator<T> for Set<T> {
    fn from_iter<I: IntoIterator<Item = T>>(items: I) -> Self {
        Self { item: items.into_iter().collect() }
    }
}

#[derive(Serialize)]
pub(super) struct Tag<'a> {
    key: &'a str,
    value: &'a str,
}

pub(super) fn tag_set(tags: &Tags) -> Set<Tag<'_>> {
    shown_tags(tags, |_| true)
}

pub(super) fn shown_tags(tags: &Tags, shows: impl Fn(&str) -> bool) -> Set<Tag<'_>> {
    let tags = tags.iter().filter(|(key, _)| shows(key));
    tags.map(|(key, value)| Tag { key, value }).collect()
}

/// The body of a response that says no more than that it was done.
#[derive(Serialize)]
struct Done {
    #[serde(rename = "return")]
    done: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Response<T> {
    #[serde(rename = "@xmlns")]
    xmlns: &'static str,
    request_id: String,
    #[serde(flatten)]
    body: T,
}

/// The whole response to an action.
pub(super) fn respond<T: Serialize>(action: &str, body: T) -> String {
    let xmlns = "http://ec2.amazonaws.com/doc/2016-11-15/";
    let response = Response { xmlns, request_id: request_id(), body };
    write(&format!("{action}Response"), &response)
}

pub(super) fn done(action: &str) -> String {
    respond(action, Done { done: true })
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct ErrorResponse<'a> {
    errors: Errors<'a>,
    #[serde(rename = "RequestID")]
    request_id: String,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Errors<'a> {
    error: Error<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Error<'a> {
    code: &'a str,
    message: &'a str,
}

pub(super) fn refuse(refusal: &Refusal) -> String {
    let error = Error { code: &refusal.code, message: &refusal.message };
    write("Response", &ErrorResponse { errors: Errors { error }, request_id: request_id() })
}

fn write<T: Serialize>(root: &str, body: &T) -> String {
    let body = to_string_with_root(root, body).expect("structures of text and numbers are XML");
    format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n{body}")
}

fn request_id() -> String {
    static LAST: AtomicU64 = AtomicU64::new(0);
    format!("00000000-0000-4000-9000-{:012x}", LAST.fetch_add(1, Ordering::Relaxed))
}
