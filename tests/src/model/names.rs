//! Names for ids that EC2 numbers in the order of creation, so that two orders with one outcome look the same.

use std::collections::BTreeMap;

use super::held::Request;

/// The names of sessions and client tokens.
#[derive(Debug, Default)]
pub(super) struct Names(BTreeMap<String, String>);

impl Names {
    pub(super) fn knows(&self, id: &str) -> bool {
        self.0.contains_key(id)
    }

    /// Names an id that has no name yet, after its purpose.
    pub(super) fn give(&mut self, id: &str, purpose: &str) {
        if self.knows(id) {
            return;
        }
        let purpose = format!("{purpose}/");
        let same = self.0.values().filter(|name| name.starts_with(&purpose)).count();
        self.0.insert(id.to_owned(), format!("{purpose}{same}"));
    }

    /// A call, with names instead of ids.
    pub(super) fn request(&self, request: &Request) -> String {
        self.named(request.text())
    }

    pub(super) fn answer(&self, body: &str) -> String {
        let mut text = self.named(body.to_owned());
        for element in ["requestId", "RequestID", "virtualNetworkId"] {
            text = without(&text, element);
        }
        text
    }

    pub(super) fn named(&self, text: String) -> String {
        self.0.iter().fold(text, |text, (id, name)| text.replace(id, name))
    }
}

/// A text without the content of these elements.
fn without(text: &str, element: &str) -> String {
    let (begin, end) = (format!("<{element}>"), format!("</{element}>"));
    let mut parts = text.split(&begin);
    let mut left = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        left.push_str(part.split_once(&end).map_or(part, |(_, rest)| rest));
    }
    left
}
