//! Asks before something is changed: nothing happens by accident.

use std::io::{self, BufRead, IsTerminal, Write};

use shared::id::AccountId;

use crate::problem::{NOT_CONFIRMED, NOT_PAID_FOR, Problem};

/// Wants the account's number, from `--confirm` or, on a terminal, typed.
pub(crate) fn confirm(account: &AccountId, given: Option<&str>, what: &str) -> Result<(), Problem> {
    let answer = match given {
        Some(answer) => answer.to_owned(),
        None if is_anybody_there() => {
            let question = format!("{what} To go on, type the number of the account: ");
            ask(&question).map_err(|error| Problem::new(&NOT_CONFIRMED, error.to_string()))?
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

/// Asks whether something may cost so much, in USD.
pub(crate) fn agree(most: f64, given: Option<f64>, what: &str) -> Result<(), Problem> {
    // What is shown is what `--flow-cost` takes.
    let most = (most * 100.0).ceil() / 100.0;
    let cost = format!("{what} at most {most:.2} USD");
    let is_agreed = match given {
        Some(given) => most <= given,
        None if is_anybody_there() => {
            let answer = ask(&format!("{cost}. Go on? [y/N] "));
            let answer = answer.map_err(|error| Problem::new(&NOT_PAID_FOR, error.to_string()))?;
            matches!(answer.trim(), "y" | "Y" | "yes")
        }
        None => false,
    };
    if is_agreed {
        return Ok(());
    }
    Err(Problem::new(&NOT_PAID_FOR, format!("{cost}: --flow-cost {most:.2} says yes")))
}

/// Whether somebody can be asked.
pub(crate) fn is_anybody_there() -> bool {
    io::stdin().is_terminal() && io::stderr().is_terminal()
}

fn ask(question: &str) -> io::Result<String> {
    let mut err = anstream::stderr();
    write!(err, "{question}")?;
    err.flush()?;
    let mut line = String::new();
    io::stdin().lock().read_line(&mut line)?;
    Ok(line)
}
