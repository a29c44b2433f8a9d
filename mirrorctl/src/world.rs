//! A world: what was observed in one account and region, and the settings that it is judged by. It can be
//! a file.

use std::{
    collections::BTreeSet,
    io::{self, Read},
    path::Path,
};

use serde::{Deserialize, Serialize};
use shared::{
    id::{AccountId, InstanceId, InterfaceId, TargetId},
    observed::{Observed, Session, Target, TargetState},
    plan::{
        plan,
        question::Question,
        step::{Plan, Step},
    },
    policy::Scope,
};

use crate::{
    function::Deployed,
    log::{Heard, written},
    place::name,
    problem::{BAD_FILE, FILE_LACKS, Problem},
    settings::{Parsed, Settings},
};

/// What was observed in one account and region.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct World {
    pub(crate) account: AccountId,
    pub(crate) region: String,
    /// When it was read, in milliseconds since 1970. None in a file of a mirrorctl that did not write that down.
    #[serde(default)]
    pub(crate) read_at: Option<i64>,
    /// It comes from a file, so it is not how things are now.
    #[serde(skip)]
    pub(crate) is_saved: bool,
    pub(crate) settings: Settings,
    /// The deployed function, where there is one.
    pub(crate) function: Option<Deployed>,
    /// What its log says, where that was asked for.
    #[serde(default)]
    pub(crate) heard: Option<Heard>,
    pub(crate) observed: Observed,
}

/// A world and its plan.
#[derive(Clone, Debug)]
pub(crate) struct Decided {
    pub(crate) world: World,
    pub(crate) parsed: Parsed,
    pub(crate) plan: Plan,
}

/// How a source stands; the worse one is the greater.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Standing {
    /// It should not be mirrored.
    NotSelected,
    /// It is mirrored as it should be.
    Mirrored,
    /// automirror changes a session.
    Change,
    /// It should be mirrored, and EC2 cannot, or the settings accept it so.
    Unsupported,
    /// It should be mirrored, and is not until somebody acts.
    ActionNeeded,
}

/// A source that was decided on.
#[derive(Clone, Debug)]
pub(crate) struct Judged<'a> {
    pub(crate) id: &'a InterfaceId,
    pub(crate) instance: Option<&'a InstanceId>,
    /// Where the source is, where EC2 shows it.
    pub(crate) vpc: &'a str,
    pub(crate) zone: &'a str,
    pub(crate) standing: Standing,
    /// The step that decides how it stands.
    pub(crate) step: &'a Step,
}

/// A target that sessions lead to or may lead to.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct TargetRow {
    pub(crate) target: String,
    /// Its owner, where EC2 shows the target.
    pub(crate) owner: Option<String>,
    pub(crate) endpoint: String,
    pub(crate) zones: Vec<String>,
    pub(crate) state: &'static str,
    pub(crate) allowed: bool,
    /// Our sessions on it, now.
    pub(crate) owned: usize,
    /// Other sessions on it that can be seen, now.
    pub(crate) foreign: usize,
    /// Distinct sources on it that can be seen, now.
    pub(crate) sources: usize,
    /// How many sources it takes; none where there is no limit, or none that is known.
    pub(crate) capacity: Option<usize>,
    pub(crate) capacity_note: &'static str,
}

/// What a file holds.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct File {
    pub(crate) format: String,
    /// The version of mirrorctl that wrote it.
    pub(crate) version: String,
    /// The values of tags that mean nothing to the decision were replaced.
    pub(crate) redacted: bool,
    pub(crate) worlds: Vec<World>,
    /// The changes that were shown, as sentences, where the file is a saved plan.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) shown: Option<Vec<String>>,
}

/// The format of a file. Another number is another format.
const FORMAT: &str = "mirrorctl-world/1";

impl File {
    pub(crate) fn new(worlds: Vec<World>, redacted: bool) -> Self {
        let version = env!("CARGO_PKG_VERSION").to_owned();
        Self { format: FORMAT.to_owned(), version, redacted, worlds, shown: None }
    }

    pub(crate) fn read(path: &Path) -> Result<Self, Problem> {
        let bad = |why: String| Problem::new(&BAD_FILE, format!("{}: {why}", path.display()));
        let mut text = String::new();
        let read = if path == Path::new("-") {
            io::stdin().read_to_string(&mut text)
        } else {
            std::fs::File::open(path).and_then(|mut file| file.read_to_string(&mut text))
        };
        read.map_err(|error| bad(error.to_string()))?;
        // The format comes first: of another one, nothing else need be readable.
        let format: Format = serde_json::from_str(&text).map_err(|error| bad(error.to_string()))?;
        if format.format != FORMAT {
            let format = shared::text::quote(&format.format);
            return Err(bad(format!("its format is {format}: accepted is `{FORMAT}`")));
        }
        let mut file: Self = serde_json::from_str(&text).map_err(|error| bad(error.to_string()))?;
        for world in &mut file.worlds {
            world.is_saved = true;
        }
        Ok(file)
    }
}

#[derive(Deserialize)]
struct Format {
    format: String,
}

impl World {
    /// How its place is named to people.
    pub(crate) fn name(&self) -> String {
        name(self.account.as_str(), &self.region)
    }

    /// When it was read, in words.
    pub(crate) fn as_of(&self) -> String {
        let at = self.read_at.map(written);
        format!("at {}", at.as_deref().unwrap_or("a time that the file does not tell"))
    }

    /// The plan of the world.
    pub(crate) fn decide(self) -> Result<Decided, Problem> {
        let parsed = self.settings.parse()?;
        let plan = plan(&parsed.policy, &self.observed);
        Ok(Decided { world: self, parsed, plan })
    }

    /// The plan of a world from a file with other settings: what if? Refused where it depends on what was
    /// not read for the settings of the file.
    pub(crate) fn decide_with(
        mut self,
        flags: &[(&'static str, String)],
    ) -> Result<Decided, Problem> {
        if flags.is_empty() {
            return self.decide();
        }
        let before = self.settings.parse()?;
        self.settings = self.settings.with(flags);
        let after = self.settings.parse()?;
        if let Some(what) = lacks(&before, &after) {
            return Err(Problem::new(&FILE_LACKS, what));
        }
        let known = plan(&before.policy, &self.observed);
        let decided = self.decide()?;
        let unread = decided.unread_targets();
        if !unread.is_empty() {
            let unread: Vec<_> = unread.iter().map(ToString::to_string).collect();
            return Err(Problem::new(&FILE_LACKS, format!("the state of {}", unread.join(", "))));
        }
        let mut open = decided.plan.questions.difference(&known.questions);
        match open.next() {
            None => Ok(decided),
            Some(question) => Err(Problem::new(&FILE_LACKS, words(question))),
        }
    }
}

/// What a question asks EC2.
fn words(question: &Question) -> String {
    match question {
        Question::Tags(id) => format!("a second read of the tags of {id}"),
        Question::Interface(id) => format!("whether {id} exists"),
        Question::Target(id) => format!("whether {id} exists"),
        Question::Filter(id) => format!("whether {id} exists"),
    }
}

/// What was left out of the read for the first settings and matters for the second.
fn lacks(before: &Parsed, after: &Parsed) -> Option<String> {
    let (before, after) = (&before.policy, &after.policy);
    if before.tag_key != after.tag_key {
        return Some(format!("the values of tag {}", shared::text::quote(&after.tag_key)));
    }
    if before.owner != after.owner {
        return Some("the interfaces of the sessions of another owner".to_owned());
    }
    if before.scope == Scope::All {
        return (after.keep_stopped && !before.keep_stopped)
            .then(|| "stopped instances".to_owned());
    }
    let instances = "the instances that the settings of the file do not select";
    let is_wider = after.scope == Scope::All
        || after.tag_value != before.tag_value
        || (after.keep_stopped && !before.keep_stopped);
    is_wider.then(|| instances.to_owned())
}

impl Decided {
    /// How many sessions are automirror's.
    pub(crate) fn owned_sessions(&self) -> usize {
        self.world.observed.sessions.iter().filter(|session| self.is_owned(session)).count()
    }

    /// Whether a session is automirror's.
    pub(crate) fn is_owned(&self, session: &Session) -> bool {
        session.is_owned(&self.parsed.policy, &self.world.observed.account)
    }

    /// The allowed targets of the account that nobody has looked at.
    fn unread_targets(&self) -> BTreeSet<&TargetId> {
        let Self { world, parsed, .. } = self;
        let observed = &world.observed;
        let is_unread = |target: &&Target| {
            target.state == TargetState::Unread
                && target.account == observed.account
                && parsed.policy.allows(&target.id, Some(&target.account), &observed.account)
        };
        observed.targets.iter().filter(is_unread).map(|target| &target.id).collect()
    }
}
