//! Why an interface is mirrored or not: what was looked at, and rule by rule how it led to the decision.

use shared::{
    observed::{AttachmentStatus, Instance, Interface, Owner, Session, Shown, Source},
    plan::{
        advice::{RULES, Rule, advice},
        reason::Level,
        step::{Action, ActionOf, Step},
    },
    text::quote,
};

use crate::{
    answer::Answer,
    command::explain::finding::Finding,
    output::{Block, Mark},
    view::source::Standing,
    world::Decided,
};

/// An instance, and each of its interfaces.
pub(crate) fn instance(answer: &mut Answer, decided: &Decided, instance: &Instance) {
    decided.head(&mut answer.document);
    let fact = facts_of(instance);
    Finding::push(answer, decided, instance.id.as_str(), "what it is", &fact);
    answer.document.line(format!("{}: {fact}", instance.id));
    let sources = decided.world.observed.sources.iter();
    let own = |source: &&Source| source.instance().is_some_and(|it| it.id == instance.id);
    let mut count = 0_usize;
    for source in sources.filter(own) {
        explain(answer, decided, source);
        count = count.saturating_add(1);
    }
    if count == 0 {
        answer.document.line("EC2 shows no interface of it, so nothing can be mirrored");
    }
}

/// An interface, and the instance that it is on.
pub(crate) fn interface(answer: &mut Answer, decided: &Decided, source: &Source) {
    decided.head(&mut answer.document);
    if let Some(instance) = source.instance() {
        answer.document.line(format!("{}: {}", instance.id, facts_of(instance)));
    }
    explain(answer, decided, source);
}

/// A session, and the interface that it is on.
pub(crate) fn session(answer: &mut Answer, decided: &Decided, session: &Session) {
    decided.head(&mut answer.document);
    let text = session_text(decided, session);
    Finding::push(answer, decided, session.id.as_str(), "what it is", &text);
    answer.document.line(format!("{text}, on {}", session.interface));
    let mut sources = decided.world.observed.sources.iter();
    match sources.find(|source| source.id == session.interface) {
        Some(source) => explain(answer, decided, source),
        None => answer.document.line("nothing that was read shows its interface"),
    }
}

fn facts_of(instance: &Instance) -> String {
    let tags: Vec<_> = instance
        .tags
        .iter()
        .map(|tag| format!("{}={}", quote(&tag.key), quote(&tag.value)))
        .collect();
    let tags = if tags.is_empty() {
        "none of the tags that decide".to_owned()
    } else {
        format!("tags {}", tags.join(" "))
    };
    let confirmed = if instance.tags_confirmed { ", as a second read confirms" } else { "" };
    let kind = &instance.instance_type;
    format!("{}, type {kind}, {tags}{confirmed}", instance.state.as_str())
}

fn explain(answer: &mut Answer, decided: &Decided, source: &Source) {
    let id = source.id.to_string();
    let steps: Vec<&Step> =
        decided.plan.steps.iter().filter(|step| step.source == source.id).collect();
    let judged = decided.judged();
    let standing = judged.iter().find(|it| *it.id == source.id).map(|it| it.standing);
    let mark = match standing {
        Some(Standing::Mirrored) => Mark::Good,
        Some(Standing::Change) => Mark::Change,
        Some(Standing::ActionNeeded) => Mark::Bad,
        Some(Standing::Unsupported | Standing::NotSelected) | None => Mark::Plain,
    };
    if let Some(standing) = standing {
        answer.findings.note(standing);
    }
    let mut details = vec![place_of(source)];
    Finding::push(answer, decided, &id, "where it is", &place_of(source));
    for session in decided.world.observed.sessions.iter().filter(|it| it.interface == source.id) {
        let text = session_text(decided, session);
        Finding::push(answer, decided, &id, "a session on it", &text);
        details.push(text);
    }
    for (question, text) in rules(&steps) {
        Finding::push(answer, decided, &id, question, &text);
        details.push(format!("{question} {text}"));
    }
    let decision = decision(&steps);
    Finding::push(answer, decided, &id, "so", &decision);
    details.extend(steps.iter().filter_map(|step| advice_of(step)).flatten());
    answer.document.blocks.push(Block::Item(mark, format!("{id}: {decision}"), details));
}

/// Why it matters and how to mend it, where there is something to mend.
fn advice_of(step: &Step) -> Option<[String; 2]> {
    let is_calm = matches!(step.reason.level(), Level::Mirrored | Level::NotSelected);
    let advice = advice(step.reason.code()).filter(|_| !is_calm)?;
    Some([format!("why it matters: {}", advice.why), format!("how to mend it: {}", advice.mend)])
}

fn decision(steps: &[&Step]) -> String {
    let said: Vec<_> =
        steps.iter().map(|step| format!("{}: {}", ActionOf(step), step.reason)).collect();
    if said.is_empty() { "nothing was decided about it".to_owned() } else { said.join("; ") }
}

/// Each rule with what came of it.
fn rules(steps: &[&Step]) -> Vec<(&'static str, String)> {
    let rule_of = |step: &Step| advice(step.reason.code()).map_or(Rule::Evidence, |it| it.rule);
    let is_carried_on = |step: &&Step| {
        matches!(step.action, Action::Create(_) | Action::Modify(..) | Action::Keep(_))
    };
    let last = if steps.iter().copied().any(|step| is_carried_on(&step)) {
        Rule::Compare
    } else {
        steps.iter().map(|step| rule_of(step)).max().unwrap_or(Rule::Evidence)
    };
    let mut answers = Vec::new();
    for (rule, question) in RULES {
        let of_rule = steps.iter().filter(|step| rule_of(step) == rule);
        let mut said: Vec<String> = of_rule.map(|step| answer_of(step)).collect();
        said.dedup();
        let text = match (said.is_empty(), rule <= last) {
            (false, _) => said.join("; "),
            (true, true) => "yes".to_owned(),
            (true, false) => "not asked".to_owned(),
        };
        answers.push((question, passive(rule, text)));
    }
    answers
}

/// Whether a foreign session is in the way is asked the other way round.
fn passive(rule: Rule, text: String) -> String {
    if rule == Rule::Foreign && text == "yes" { "no".to_owned() } else { text }
}

fn answer_of(step: &Step) -> String {
    let reason = &step.reason;
    match (&step.action, reason.level()) {
        (Action::Create(_) | Action::Modify(..) | Action::Delete(_), _) => {
            format!("automirror will {}: {reason}", ActionOf(step))
        }
        (_, Level::Mirrored) => format!("yes: {reason}"),
        (_, Level::Change | Level::NotSelected | Level::Unsupported) => format!("no: {reason}"),
        // Some of these say no, and some that nobody knows: the sentence does.
        (_, Level::ActionNeeded) => format!("somebody must act: {reason}"),
    }
}

fn place_of(source: &Source) -> String {
    let interface = match &source.interface {
        Shown::Yes(interface) => interface,
        Shown::NotInList => return "no list of EC2 shows it".to_owned(),
        Shown::NotFound => return "EC2 says that it does not exist".to_owned(),
    };
    let Interface { kind, vpc, zone, has_ipv6, requester, attachment, owner, .. } = interface;
    let vpc = vpc.as_ref().map_or("no VPC that is shown", |vpc| vpc.as_str());
    let zone = zone.as_deref().unwrap_or("no zone that is shown");
    let mut words = vec![format!("in {vpc}, {zone}"), format!("type {}", quote(kind))];
    match attachment {
        Some(attachment) if attachment.primary => words.push("the primary one".to_owned()),
        Some(_) => words.push("not the primary one".to_owned()),
        None => words.push("attached to nothing".to_owned()),
    }
    if attachment.is_some_and(|it| it.status == AttachmentStatus::Detaching) {
        words.push("being detached".to_owned());
    }
    if *has_ipv6 {
        words.push("with IPv6".to_owned());
    }
    if let Some(requester) = requester {
        words.push(format!("managed by {}", quote(requester)));
    }
    if matches!(owner, Owner::NotVisible(_) | Owner::Service) {
        words.push("of no instance that EC2 shows".to_owned());
    }
    words.join(", ")
}

fn session_text(decided: &Decided, session: &Session) -> String {
    let observed = &decided.world.observed;
    let policy = &decided.parsed.policy;
    let owner = observed.targets.iter().find(|it| it.id == session.target).map(|it| &it.account);
    let whose = if decided.is_owned(session) { "yours" } else { "foreign" };
    let account = if session.account == observed.account {
        String::new()
    } else {
        format!(", of account {}", session.account)
    };
    let of = owner.map_or_else(|| " (not shown)".to_owned(), |it| format!(" of account {it}"));
    let allowed = if policy.trusts(&session.target, owner, &observed.account) {
        "allowed"
    } else {
        "not allowed"
    };
    format!(
        "session {} ({whose}{account}), number {}, to {}{of}, which is {allowed}, with {}",
        session.id, session.number, session.target, session.filter
    )
}
