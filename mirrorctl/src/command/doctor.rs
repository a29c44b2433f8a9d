//! `doctor`: do the packets arrive? Each link between a source and its sensor.

mod asff;
mod export;
mod flow;
mod ocsf;
mod pre;
mod seen;
mod told;
mod verdict;
mod view;

use std::collections::BTreeSet;

use aws_config::SdkConfig;
use shared_ec2::selector::Selector;

use crate::{
    answer::{Answer, Findings},
    arguments::Doctor,
    doctor::{
        arrival::{Arrivals, Sending, sending},
        finding::{Accepted, leave_out},
        flow::mixed,
        links::{Checked, Subject, links},
        read::read,
        trouble::{Grade, is_code},
    },
    output::Table,
    problem::{NO_SUCH_CODE, Problem},
    read::Input,
    world::Decided,
};
use export::Export;
use view::{COLUMNS, Diagnosis};

/// A wrong `--ignore` is a wrong command line.
pub(crate) async fn run(input: &Input<'_>, doctor: &Doctor) -> Result<Answer, Problem> {
    let accepted: Vec<_> =
        doctor.ignore.iter().map(|text| accepted(text)).collect::<Result<_, _>>()?;
    if doctor.pre {
        return Ok(pre::run(input, &accepted).await);
    }
    let mut answer = Answer::default();
    answer.document.table = Table::new(&COLUMNS);
    // Where a file cannot be relied on, the other links are judged all the same.
    let captures = seen::captures(&mut answer, doctor, (input.now)());
    let selectors: BTreeSet<_> = [Selector::Sweep].into();
    let outcomes = input.in_places(async |place| {
        let decided = input.read(place, &selectors).await?;
        let subject = subject(&decided, doctor.source_mtu);
        let network = read(&place.config, subject, !doctor.seen.is_empty()).await;
        let checked = links(subject, &network);
        let sending = sending(&decided.world.observed, &network);
        let mixed = mixed(&network);
        Ok(Looked { config: place.config.clone(), decided, checked, sending, mixed })
    });
    let mut outcomes = outcomes.await.unwrap_or_else(|problem| vec![Err((None, problem))]);
    if doctor.flow {
        flow::judge(&mut answer, &mut outcomes, doctor.flow_cost, (input.now)()).await;
    }
    let all = outcomes.iter().flatten().map(|looked| &looked.sending);
    let arrivals = Arrivals::new(captures, all);
    let export = Export { format: input.global.output, now: (input.now)() };
    for outcome in outcomes {
        match outcome {
            Err((place, problem)) => {
                export.unread(&mut answer.document, place.as_deref(), &problem);
                answer.fail(place, problem);
            }
            Ok(mut looked) => {
                // Who accepts that a link is broken has the more need of what was captured.
                let mut ignored = leave_out(&mut looked.checked, &accepted);
                arrivals.judge(&mut looked.checked, &looked.sending);
                ignored = ignored.saturating_add(leave_out(&mut looked.checked, &accepted));
                export.place(&mut answer.document, &looked.decided, &looked.checked);
                looked.tell(&mut answer, doctor.failure_threshold, ignored, input.global.price);
            }
        }
    }
    seen::name_strangers(&mut answer.document, &arrivals.strangers());
    Ok(answer)
}

/// What was found in a place.
struct Looked {
    config: SdkConfig,
    decided: Decided,
    checked: Vec<Checked>,
    sending: Sending,
    /// Load balancers that get other UDP than copies, by the end of their ARN.
    mixed: BTreeSet<String>,
}

impl Looked {
    fn tell(&self, answer: &mut Answer, failure_threshold: usize, ignored: usize, price: f64) {
        let Self { decided, checked, .. } = self;
        answer.cannot_tell |= checked.iter().any(|it| it.has(Grade::CannotTell));
        answer.findings.add(found(checked, failure_threshold));
        let diagnosis = Diagnosis::new(decided, checked, ignored, price);
        diagnosis.show(&mut answer.document, decided);
        diagnosis.for_machines(&mut answer.document);
    }
}

fn accepted(text: &str) -> Result<Accepted, Problem> {
    let (code, id) = text.split_once('=').unwrap_or((text, ""));
    if id.is_empty() || !is_code(code) {
        let text = shared::text::quote(text);
        let why = format!("--ignore {text}: accepted is a code, `=`, and an id or `*`");
        return Err(Problem::new(&NO_SUCH_CODE, why));
    }
    Ok(Accepted { code: code.to_owned(), id: id.to_owned() })
}

fn subject(decided: &Decided, source_mtu: u16) -> Subject<'_> {
    Subject {
        observed: &decided.world.observed,
        policy: &decided.parsed.policy,
        plan: &decided.plan,
        source_mtu,
    }
}

/// What makes the exit code.
fn found(checked: &[Checked], failure_threshold: usize) -> Findings {
    let with = |grade: Grade| checked.iter().filter(move |it| it.has(grade));
    let broken: BTreeSet<_> = with(Grade::Broken).map(|it| &it.pair.source).collect();
    Findings {
        unsupported: with(Grade::Limited).next().is_some(),
        change: false,
        action_needed: broken.len() >= failure_threshold,
    }
}
