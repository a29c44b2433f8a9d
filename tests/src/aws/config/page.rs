//! Reading a page at a time: the same for every list.

use std::hash::{DefaultHasher, Hash, Hasher};

use crate::aws::ec2::Refusal;

const DEFAULT: usize = 10;
const MOST: usize = 100;

/// Some rows, and how to get the next.
pub type Page<'a, T> = (Vec<&'a T>, Option<String>);

/// A token names the row after which to go on, and is good for one question only.
pub(super) struct Token(String);

impl Token {
    pub(super) fn of(question: &impl Hash) -> Self {
        let mut hasher = DefaultHasher::new();
        question.hash(&mut hasher);
        Self(format!("{:016x}", hasher.finish()))
    }

    /// The row that the token names, if one was given.
    pub(super) fn read<'a>(&self, token: Option<&'a str>) -> Result<Option<&'a str>, Refusal> {
        let Some(token) = token else { return Ok(None) };
        token.strip_prefix(&self.0).map(Some).ok_or_else(|| {
            Refusal::new("InvalidNextTokenException", "The specified next token is not valid.")
        })
    }

    /// The first of the rows, with a token if there are more.
    pub(super) fn cut<'a, T>(
        &self,
        rows: impl Iterator<Item = &'a T>,
        size: usize,
        name: impl Fn(&T) -> String,
    ) -> Page<'a, T> {
        let mut rows: Vec<_> = rows.take(size + 1).collect();
        let mut next_token = None;
        if size < rows.len() {
            rows.truncate(size);
            next_token = rows.last().map(|last| self.0.clone() + &name(last));
        }
        (rows, next_token)
    }
}

/// The rows on a page, or nothing if more are asked for than there may be. 0 asks for the default.
pub(super) fn size(limit: Option<i64>, max_page: Option<usize>) -> Option<usize> {
    let asked = match limit {
        None | Some(0) => DEFAULT,
        Some(limit) => usize::try_from(limit).ok().filter(|&limit| limit <= MOST)?,
    };
    Some(max_page.map_or(asked, |max| max.min(asked)))
}
