//! Finds what belongs to an id. An id of an instance stands for its interfaces and their sessions, and each call or
//! line that names two ids ties them together.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use aws_sdk_cloudtrail::types::LookupAttributeKey;
use serde::Serialize;
use shared::{
    id::{InstanceId, InterfaceId, SessionId},
    observed::Observed,
    text::{quote, sanitize},
};
use shared_ec2::selector::Selector;

use crate::{
    log::{self, Line, millis, written},
    place::Place,
    problem::Problem,
    read::Input,
    settings::Settings,
    trail::{Call, MIRROR_CALLS, calls, is_source_or_session},
};

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub(super) struct Happening {
    /// In milliseconds since 1970.
    #[serde(skip)]
    pub(super) at: i64,
    pub(super) time: String,
    /// `cloudtrail` or `log`: who tells it.
    pub(super) source: &'static str,
    /// Who did it.
    pub(super) by: String,
    pub(super) what: String,
    /// The rest of it.
    pub(super) detail: String,
    /// AWS's code, where AWS refused it.
    pub(super) error: Option<String>,
}

/// What is told of an id, oldest first, and what could not be read.
pub(super) struct Gathered {
    /// In milliseconds since 1970.
    pub(super) since: i64,
    pub(super) happenings: Vec<Happening>,
    pub(super) problems: Vec<Problem>,
    /// Whether there is a function whose log was asked.
    pub(super) has_function: bool,
}

/// The longest name, such as that of a role's session, which anybody may choose.
const MAX_NAME: usize = 80;

/// A pattern of CloudWatch Logs has at most 1,024 characters.
const IDS_IN_PATTERN: usize = 12;

impl Gathered {
    pub(super) async fn of(input: &Input<'_>, place: &Place, id: &str, age: Duration) -> Self {
        let now = (input.now)();
        let since = millis(now).saturating_sub(i64::try_from(age.as_millis()).unwrap_or(i64::MAX));
        let mut problems = Vec::new();
        let (mut ids, group) = known(input, place, id, &mut problems).await;
        let calls = all_calls(place, id, since, &mut problems).await;
        tie(&mut ids, &calls);
        let mut lines = BTreeMap::new();
        if let Some(group) = &group {
            // The first look may name sessions of which only the second tells.
            for _ in 0..2 {
                match find_lines(place, group, &ids, since).await {
                    Ok(found) => lines.extend(found),
                    Err(problem) => {
                        problems.push(problem);
                        break;
                    }
                }
                let named = lines.values().flat_map(|line: &Line| {
                    ["source_id", "session_id"].into_iter().filter_map(|name| line.text(name))
                });
                ids.extend(named.map(str::to_owned));
                tie(&mut ids, &calls);
            }
        }
        let asked = calls.values().filter(|call| is_about(call, &ids)).map(of_call);
        let mut happenings: Vec<_> = asked.chain(lines.values().map(of_line)).collect();
        happenings.sort();
        Self { since, happenings, problems, has_function: group.is_some() }
    }
}

/// The ids that EC2 shows to belong together now, and the function's log group.
async fn known(
    input: &Input<'_>,
    place: &Place,
    id: &str,
    problems: &mut Vec<Problem>,
) -> (BTreeSet<String>, Option<String>) {
    let mut ids: BTreeSet<String> = [id.to_owned()].into();
    let selector = id
        .parse::<InstanceId>()
        .map(Selector::Instance)
        .or_else(|_| id.parse::<InterfaceId>().map(Selector::Interface))
        .or_else(|_| id.parse::<SessionId>().map(Selector::Session));
    let (function, settings) = match input.settings(place).await {
        Ok(found) => found,
        // What EC2 shows to belong together, it shows by any settings.
        Err(problem) => {
            problems.push(problem);
            (None, Settings::default())
        }
    };
    let group = function.as_ref().map(|function| function.log_group.clone());
    let Ok(selector) = selector else { return (ids, group) };
    match input.read_by(place, settings, function, &[selector].into()).await {
        Ok(decided) => ids.extend(belonging(&decided.world.observed, id)),
        Err(problem) => problems.push(problem),
    }
    (ids, group)
}

/// The interfaces of an id, and the sessions on them. What was read beside these, such as the sessions that fill a
/// target, belongs to others.
fn belonging(observed: &Observed, id: &str) -> BTreeSet<String> {
    let session = observed.sessions.iter().find(|it| it.id.as_str() == id);
    let sources = observed.sources.iter().filter(|source| {
        source.id.as_str() == id || source.instance().is_some_and(|it| it.id.as_str() == id)
    });
    let interfaces: BTreeSet<_> =
        sources.map(|source| &source.id).chain(session.map(|it| &it.interface)).collect();
    let sessions = observed.sessions.iter().filter(|it| interfaces.contains(&it.interface));
    let sessions = sessions.map(|it| it.id.to_string()).collect::<Vec<_>>();
    interfaces.into_iter().map(ToString::to_string).chain(sessions).collect()
}

/// The calls that change sessions, and those that name the id itself.
async fn all_calls(
    place: &Place,
    id: &str,
    since: i64,
    problems: &mut Vec<Problem>,
) -> BTreeMap<String, Call> {
    let by_name = MIRROR_CALLS.map(|name| (LookupAttributeKey::EventName, name));
    let mut found = BTreeMap::new();
    for attribute in by_name.into_iter().chain([(LookupAttributeKey::ResourceName, id)]) {
        match calls(&place.config, attribute, since).await {
            Ok(calls) => found.extend(calls.into_iter().map(|call| (call.id.clone(), call))),
            Err(problem) => {
                // Whoever may not ask may not ask the others either.
                problems.push(problem);
                break;
            }
        }
    }
    found
}

/// Adds the interfaces and sessions that a call ties to one that is known, until there is no other.
fn tie(ids: &mut BTreeSet<String>, calls: &BTreeMap<String, Call>) {
    loop {
        let before = ids.len();
        let mirror = calls.values().filter(|call| MIRROR_CALLS.contains(&call.name.as_str()));
        for call in mirror {
            if call.names_one_of(ids) {
                let named = call.ids().into_iter().filter(|id| is_source_or_session(id));
                ids.extend(named.map(str::to_owned));
            }
        }
        if ids.len() == before {
            return;
        }
    }
}

/// The calls of other names were found by the id.
fn is_about(call: &Call, ids: &BTreeSet<String>) -> bool {
    !MIRROR_CALLS.contains(&call.name.as_str()) || call.names_one_of(ids)
}

/// The lines of the function about these, each once.
async fn find_lines(
    place: &Place,
    group: &str,
    ids: &BTreeSet<String>,
    since: i64,
) -> Result<BTreeMap<(i64, String), Line>, Problem> {
    let ids: Vec<_> = ids.iter().collect();
    let mut found = BTreeMap::new();
    for ids in ids.chunks(IDS_IN_PATTERN) {
        let terms = ids.iter().filter_map(|id| {
            let field = match id.split_once('-')?.0 {
                "i" => "instance_id",
                "eni" => "source_id",
                "tms" => "session_id",
                _ => return None,
            };
            Some(format!("($.fields.{field} = \"{id}\")"))
        });
        let pattern = format!("{{ {} }}", terms.collect::<Vec<_>>().join(" || "));
        let lines = log::lines(&place.config, group, &pattern, since).await?;
        found.extend(lines.into_iter().map(|line| ((line.at, detail_of(&line)), line)));
    }
    Ok(found)
}

fn of_call(call: &Call) -> Happening {
    let tags = call.tags();
    let tags = tags.iter().map(|(key, value)| format!("{}={}", quote(key), quote(value)));
    let detail: Vec<String> = call.ids().into_iter().map(str::to_owned).chain(tags).collect();
    Happening {
        at: call.at,
        time: written(call.at),
        source: "cloudtrail",
        by: sanitize(call.by(), MAX_NAME),
        what: sanitize(&call.name, MAX_NAME),
        detail: detail.join(" "),
        error: call.error().map(|code| sanitize(code, MAX_NAME)),
    }
}

fn of_line(line: &Line) -> Happening {
    let error = line.text("error_code").map(|code| sanitize(code, MAX_NAME));
    Happening {
        at: line.at,
        time: written(line.at),
        source: "log",
        by: "automirror".to_owned(),
        what: line.text("action").unwrap_or("note").to_owned(),
        detail: detail_of(line),
        error,
    }
}

fn detail_of(line: &Line) -> String {
    line.text("message").unwrap_or_default().to_owned()
}
