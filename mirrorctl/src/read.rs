//! Reads the worlds that a command is about: from AWS, several at once, or from a file.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::IsTerminal,
    path::Path,
    time::{Duration, SystemTime},
};

use futures_util::{StreamExt, stream};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use shared_ec2::{client::Ec2, observe::observe, reader::Reader, selector::Selector};

use crate::{
    arguments::Global,
    function::{Deployed, deployed},
    log::{Heard, millis},
    place::{Place, places},
    problem::{BAD_AWS_CONFIG, NO_SUCH_FUNCTION, Problem, SEVERAL_PLACES},
    settings::{Origin, Settings},
    world::{Decided, File, World},
};

/// What the command line was given.
pub(crate) struct Input<'a> {
    pub(crate) global: &'a Global,
    /// `--set`.
    pub(crate) flags: &'a [(&'static str, String)],
    /// The settings of the environment, and its endpoints of AWS.
    pub(crate) environment: &'a BTreeMap<String, String>,
    /// Whether the answer depends on the function's log.
    pub(crate) listens: bool,
    /// The clock.
    pub(crate) now: fn() -> SystemTime,
}

/// A world with its plan, or whatever else was sought in a place; or where that is and what went wrong.
pub(crate) type Outcome<T = Decided> = Result<T, (Option<String>, Problem)>;

/// Places that are read at once: each takes a few calls at a time.
const CONCURRENT: usize = 4;

impl Input<'_> {
    /// The worlds of a file, or of AWS as far as the selectors go.
    pub(crate) async fn worlds(
        &self,
        from: Option<&Path>,
        selectors: &BTreeSet<Selector>,
    ) -> Vec<Outcome> {
        let worlds = match from {
            Some(path) => self.read_file(path),
            None => self.read_places(selectors).await,
        };
        worlds.unwrap_or_else(|problem| vec![Err((None, problem))])
    }

    fn read_file(&self, path: &Path) -> Result<Vec<Outcome>, Problem> {
        let worlds = File::read(path)?.worlds;
        let decide = |world: World| {
            let place = world.name();
            world.decide_with(self.flags).map_err(|problem| (Some(place), problem))
        };
        Ok(worlds.into_iter().map(decide).collect())
    }

    async fn read_places(&self, selectors: &BTreeSet<Selector>) -> Result<Vec<Outcome>, Problem> {
        self.in_places(async |place| self.read(place, selectors).await).await
    }

    /// The places that the arguments name.
    pub(crate) async fn places(&self) -> Result<Vec<Result<Place, Problem>>, Problem> {
        // The SDK would panic.
        let mut urls = self.environment.iter().filter(|(name, _)| name.starts_with("AWS_"));
        if let Some((name, _)) = urls.find(|(_, url)| url.trim().is_empty()) {
            return Err(Problem::new(&BAD_AWS_CONFIG, format!("{name} is set, and empty")));
        }
        places(self.global).await
    }

    /// Does something in each place, in several at once.
    pub(crate) async fn in_places<T>(
        &self,
        work: impl AsyncFn(&Place) -> Result<T, Problem>,
    ) -> Result<Vec<Outcome<T>>, Problem> {
        let places = self.places().await?;
        let bar = progress(places.len());
        let (bar, work) = (&bar, &work);
        let work = places.into_iter().map(async |place| {
            let outcome = match place {
                Err(problem) => Err((None, problem)),
                Ok(place) => work(&place).await.map_err(|problem| (Some(place.name()), problem)),
            };
            bar.inc(1);
            outcome
        });
        let outcomes = stream::iter(work).buffered(CONCURRENT).collect().await;
        bar.finish_and_clear();
        Ok(outcomes)
    }

    /// Reads one place, and decides on it.
    pub(crate) async fn read(
        &self,
        place: &Place,
        selectors: &BTreeSet<Selector>,
    ) -> Result<Decided, Problem> {
        let (function, settings) = self.settings(place).await?;
        self.read_by(place, settings.with(self.flags), function, selectors).await
    }

    /// The same by these settings.
    pub(crate) async fn read_by(
        &self,
        place: &Place,
        settings: Settings,
        function: Option<Deployed>,
        selectors: &BTreeSet<Selector>,
    ) -> Result<Decided, Problem> {
        let parsed = settings.parse()?;
        let ec2 = Ec2::with_largest_pages(&place.config);
        let reader = Reader {
            ec2: &ec2,
            policy: &parsed.policy,
            account: &place.account,
            cache: None,
            // An id that somebody asks about must be certain; a sweep reads what a sweep of automirror does.
            judges: !selectors.contains(&Selector::Sweep),
        };
        let heard = self.hear(place, function.as_ref());
        let (observed, heard) = tokio::join!(Box::pin(observe(&reader, selectors)), heard);
        let world = World {
            account: place.account.clone(),
            region: place.region.clone(),
            read_at: Some(millis((self.now)())),
            is_saved: false,
            settings,
            function,
            heard,
            observed: observed?,
        };
        world.decide()
    }

    async fn hear(&self, place: &Place, function: Option<&Deployed>) -> Option<Heard> {
        let function = function.filter(|_| self.listens)?;
        Some(Heard::of(&place.config, &function.log_group, (self.now)()).await)
    }

    /// Where something is changed, it is one account and region at a time.
    pub(crate) async fn only_place(&self) -> Result<Place, Problem> {
        let mut found = self.places().await?;
        match (found.pop(), found.len()) {
            (Some(place), 0) => place,
            (_, others) => {
                let count = others.saturating_add(1);
                Err(Problem::new(&SEVERAL_PLACES, format!("the arguments name {count}")))
            }
        }
    }

    /// The deployed function, where there is one, and the settings that count.
    pub(crate) async fn settings(
        &self,
        place: &Place,
    ) -> Result<(Option<Deployed>, Settings), Problem> {
        if !self.global.no_function {
            let name = self.global.function.as_deref();
            match (deployed(&place.config, name).await?, name) {
                (Some((function, settings)), _) => return Ok((Some(function), settings)),
                (None, Some(name)) => return Err(Problem::new(&NO_SUCH_FUNCTION, name)),
                (None, None) => {}
            }
        }
        let variables = self.environment.clone();
        Ok((None, Settings::new(Origin::Environment, variables)?))
    }
}

/// A bar on standard error, if that is a terminal and there is more than one place.
fn progress(places: usize) -> ProgressBar {
    let bar = ProgressBar::new(u64::try_from(places).unwrap_or(u64::MAX));
    if places < 2 || !std::io::stderr().is_terminal() {
        bar.set_draw_target(ProgressDrawTarget::hidden());
        return bar;
    }
    if let Ok(style) = ProgressStyle::with_template("{bar:30} {pos} of {len} accounts and regions")
    {
        bar.set_style(style);
    }
    bar.enable_steady_tick(Duration::from_millis(200));
    bar
}
