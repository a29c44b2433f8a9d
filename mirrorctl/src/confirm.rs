//! Asks before something is changed: nothing happens by accident.

use std::io::{self, BufRead, IsTerminal, Write};

use shared::id::AccountId;

use crate::problem::{NOT_CONFIRMED, Problem};

/// Wants the account's number, from `--confirm` or, on a terminal, typed.
pub(crate) fn confirm(account: &AccountId, given: Option<&str>, what: &str) -> Result<(), Problem> {
    let answer = match given {
        Some(answer) => answer.to_owned(),
        None if io::stdin().is_terminal() && io::stderr().is_terminal() => {
            ask(what).map_err(|error| Problem::new(&NOT_CONFIRMED, error.to_string()))?
        }
        None => {
            let how = format!("there is no terminal to ask on: --confirm {account} says yes");
            return Err(Problem::new(&NOT_CONFIRMED, how));
        }
    };
    if answer.trim() == account.as_str() {
        return Ok(());
    }
    let answer = shared::text::quote(answer.trim());
    Err(Problem::new(&NOT_CONFIRMED, format!("{answer} is not the account {account}")))
}

fn ask(what: &str) -> io::Result<String> {
    let mut err = anstream::stderr();
    write!(err, "{what} To go on, type the number of the account: ")?;
    err.flush()?;
    let mut line = String::new();
    io::stdin().lock().read_line(&mut line)?;
    Ok(line)
}
