//! An answer as markdown, for pull requests and tickets.

use std::io::{self, Write};

use comfy_table::presets;

use super::block::{Block, Table};

pub(super) fn write(out: &mut dyn Write, blocks: &[Block]) -> io::Result<()> {
    let mut was_item = None;
    for block in blocks {
        let is_item = matches!(block, Block::Item(..));
        // What follows a list without a blank line belongs to its last item.
        if was_item.is_some_and(|was_item: bool| !was_item || !is_item) {
            writeln!(out)?;
        }
        was_item = Some(is_item);
        match block {
            Block::Title(text) => writeln!(out, "## {}", escaped(text))?,
            Block::Line(text) => writeln!(out, "{}", escaped(text))?,
            Block::Item(_, head, details) => {
                writeln!(out, "- {}", escaped(head))?;
                for detail in details {
                    writeln!(out, "  - {}", escaped(detail))?;
                }
            }
            Block::Table(table) => {
                let rows = table.rows.iter().map(|row| row.iter().map(|it| cell(it)).collect());
                let table = Table { columns: table.columns.clone(), rows: rows.collect() };
                for line in table.grid(presets::ASCII_MARKDOWN).lines() {
                    writeln!(out, "{line}")?;
                }
            }
        }
    }
    Ok(())
}

/// A cell of a table, which no bar of its own ends.
fn cell(text: &str) -> String {
    escaped(text).replace('|', "\\|")
}

/// Whoever may tag may write anything: outside of code no text begins a tag of HTML, a link or a picture.
fn escaped(text: &str) -> String {
    let mut escaped = String::new();
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let len = if c == '`' { code_len(rest) } else { c.len_utf8() };
        if matches!(c, '<' | '[' | '\\') {
            escaped.push('\\');
        }
        let (piece, after) = rest.split_at_checked(len).unwrap_or((rest, ""));
        escaped.push_str(piece);
        rest = after;
    }
    escaped
}

/// The length of the code that the text begins with, or of the backquotes alone if nothing ends it: code ends at as many
/// backquotes as it begins with.
fn code_len(text: &str) -> usize {
    let quotes = |text: &str| text.chars().take_while(|c| *c == '`').count();
    let opening = quotes(text);
    let mut at = opening;
    while let Some(after) = text.get(at..) {
        let Some(found) = after.find('`') else { break };
        at = at.saturating_add(found);
        let closing = text.get(at..).map_or(0, quotes);
        at = at.saturating_add(closing);
        if closing == opening {
            return at;
        }
    }
    opening
}

#[cfg(test)]
mod tests {
    use super::{super::block::Mark, *};

    fn written(blocks: &[Block]) -> String {
        let mut written = Vec::new();
        write(&mut written, blocks).unwrap();
        String::from_utf8(written).unwrap()
    }

    #[test]
    fn nothing_belongs_to_the_list_before_it() {
        let item = |text: &str| Block::Item(Mark::Plain, text.to_owned(), vec!["more".to_owned()]);
        let table = Table { columns: vec!["a"], rows: vec![vec!["1".to_owned()]] };
        let blocks = [
            Block::Title("title".to_owned()),
            item("one"),
            item("two"),
            Block::Line("line".to_owned()),
            Block::Table(table),
            item("three"),
            Block::Title("next".to_owned()),
        ];
        let expected = "## title\n\n- one\n  - more\n- two\n  - more\n\nline\n\n| a |\n|---|\n| 1 |\n\n\
                        - three\n  - more\n\n## next\n";
        assert_eq!(written(&blocks), expected);
    }

    #[test]
    fn no_text_is_html_a_link_or_a_picture() {
        for (text, expected) in [
            ("<img src=x>", "\\<img src=x>"),
            ("![](http://x)", "!\\[](http://x)"),
            ("\\[a](b)", "\\\\\\[a](b)"),
            ("`<a>` <b>", "`<a>` \\<b>"),
            // Whoever writes the tag may end the code that it is quoted in.
            ("`a`<b>`", "`a`\\<b>`"),
            ("```<b>`", "```\\<b>`"),
            ("`a``<b>`", "`a``<b>`"),
        ] {
            assert_eq!(escaped(text), expected);
        }
        assert_eq!(cell("`a|b`"), "`a\\|b`");
    }
}
