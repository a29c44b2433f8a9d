//! Traffic mirror filters and their rules: which packets sessions mirror.

use std::collections::BTreeSet;

use super::packets;
use super::session::Key;
use super::{Caller, Refusal, Resource, Tags, World, tag};

const RULES_PER_FILTER: usize = 10;

/// A filter.
#[derive(Clone, Debug)]
pub struct Filter {
    pub id: String,
    pub owner: String,
    /// Ids of its rules, in the order of their creation.
    pub rules: Vec<String>,
    /// `amazon-dns` is the only one there is.
    pub network_services: BTreeSet<String>,
    pub description: Option<String>,
    pub tags: Tags,
}

/// One rule of a filter.
#[derive(Clone, Debug)]
pub struct Rule {
    pub id: String,
    pub owner: String,
    pub spec: CreateRule,
    pub tags: Tags,
}

/// What a rule says.
#[derive(Clone, Debug)]
pub struct CreateRule {
    pub filter: String,
    pub direction: Direction,
    pub number: i64,
    /// `accept` or `reject`.
    pub action: String,
    /// None for all protocols.
    pub protocol: Option<i64>,
    pub source_cidr: String,
    pub destination_cidr: String,
    pub source_ports: Option<PortRange>,
    pub destination_ports: Option<PortRange>,
    pub description: Option<String>,
}

/// Which way packets go, as seen from the source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    Ingress,
    Egress,
}

/// Ports, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PortRange {
    pub from: i64,
    pub to: i64,
}

impl CreateRule {
    /// Accepts everything over IPv4 in one direction.
    pub fn accept_all(filter: &str, direction: Direction, number: i64) -> Self {
        Self {
            filter: filter.to_owned(),
            direction,
            number,
            action: "accept".to_owned(),
            protocol: None,
            source_cidr: "0.0.0.0/0".to_owned(),
            destination_cidr: "0.0.0.0/0".to_owned(),
            source_ports: None,
            destination_ports: None,
            description: None,
        }
    }
}

impl Direction {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Ingress => "ingress",
            Self::Egress => "egress",
        }
    }
}

impl World {
    /// Creates a filter, which accepts nothing until it has rules.
    pub fn create_filter(
        &mut self,
        caller: &Caller,
        description: Option<String>,
        tags: Tags,
    ) -> Result<String, Refusal> {
        tag::check(&tags)?;
        let id = self.new_id("tmf");
        let filter = Filter {
            id: id.clone(),
            owner: caller.account.clone(),
            rules: Vec::new(),
            network_services: BTreeSet::new(),
            description,
            tags,
        };
        self.filters.insert(id.clone(), filter);
        Ok(id)
    }

    /// Deletes a filter that no session uses, with its rules.
    pub fn delete_filter(&mut self, caller: &Caller, id: &str) -> Result<(), Refusal> {
        let rules = self.filter_of(caller, id)?.rules.clone();
        if let Some(session) = self.sessions.ids(&Key::Filter(id.to_owned())).next() {
            let message = format!("Cannot delete {id}. Filter is in use by {session}");
            return Err(Refusal::new("TrafficMirrorFilterInUse", message));
        }
        self.filters.remove(id);
        self.rules.retain(|rule, _| !rules.contains(rule));
        Ok(())
    }

    pub fn create_rule(
        &mut self,
        caller: &Caller,
        spec: CreateRule,
        tags: Tags,
    ) -> Result<String, Refusal> {
        tag::check(&tags)?;
        self.check_rule(caller, &spec)?;
        let id = self.new_id("tmfr");
        if let Some(filter) = self.filters.get_mut(&spec.filter) {
            filter.rules.push(id.clone());
        }
        let rule = Rule { id: id.clone(), owner: caller.account.clone(), spec, tags };
        self.rules.insert(id.clone(), rule);
        Ok(id)
    }

    pub fn delete_rule(&mut self, caller: &Caller, id: &str) -> Result<(), Refusal> {
        let rule = self.rules.get(id).filter(|rule| rule.owner == caller.account);
        let rule = rule.ok_or_else(|| Rule::missing(id))?;
        if let Some(filter) = self.filters.get_mut(&rule.spec.filter) {
            filter.rules.retain(|other| other != id);
        }
        self.rules.remove(id);
        Ok(())
    }

    /// Adds and removes network services.
    pub fn modify_network_services(
        &mut self,
        caller: &Caller,
        id: &str,
        add: &[String],
        remove: &[String],
    ) -> Result<(), Refusal> {
        self.filter_of(caller, id)?;
        if let Some(other) = add.iter().chain(remove).find(|service| *service != "amazon-dns") {
            return Err(Refusal::value(format!(
                "Value ({other}) for a network service is invalid."
            )));
        }
        if let Some(filter) = self.filters.get_mut(id) {
            filter.network_services.extend(add.iter().cloned());
            filter.network_services.retain(|service| !remove.contains(service));
        }
        Ok(())
    }

    pub fn filter(&self, id: &str) -> Option<&Filter> {
        self.filters.get(id)
    }

    pub(crate) fn rule(&self, id: &str) -> Option<&Rule> {
        self.rules.get(id)
    }

    /// The filter's rules of one direction, lowest number first.
    pub fn rules_of<'a>(&'a self, filter: &'a Filter, direction: Direction) -> Vec<&'a Rule> {
        let mut rules: Vec<_> = (filter.rules.iter())
            .filter_map(|id| self.rules.get(id))
            .filter(|rule| rule.spec.direction == direction)
            .collect();
        rules.sort_by_key(|rule| rule.spec.number);
        rules
    }

    pub(super) fn filter_of(&self, caller: &Caller, id: &str) -> Result<&Filter, Refusal> {
        let filter = self.filters.get(id).filter(|filter| filter.owner == caller.account);
        filter.ok_or_else(|| Filter::missing(id))
    }

    fn check_rule(&self, caller: &Caller, spec: &CreateRule) -> Result<(), Refusal> {
        let filter = self.filter_of(caller, &spec.filter)?;
        if !matches!(spec.action.as_str(), "accept" | "reject") {
            let message = format!("Value ({}) for parameter RuleAction is invalid.", spec.action);
            return Err(Refusal::value(message));
        }
        let version = |cidr: &str| match packets::addresses(cidr) {
            Some((version, _)) => Ok(version),
            None => Err(Refusal::value(format!("Value ({cidr}) is not a CIDR block."))),
        };
        if version(&spec.source_cidr)? != version(&spec.destination_cidr)? {
            return Err(Refusal::value("Source and destination must be of the same IP family"));
        }
        let has_ports = spec.source_ports.is_some() || spec.destination_ports.is_some();
        if has_ports && !matches!(spec.protocol, Some(6 | 17)) {
            return Err(Refusal::value("Port ranges are for the protocols 6 and 17 only"));
        }
        if self.rules_of(filter, spec.direction).iter().any(|rule| rule.spec.number == spec.number)
        {
            return Err(Refusal::new(
                "TrafficMirrorFilterRuleAlreadyExists",
                format!("Rule {} already exists in {}", spec.number, spec.filter),
            ));
        }
        if filter.rules.len() >= RULES_PER_FILTER {
            let message = format!("Rules per filter limit reached ({RULES_PER_FILTER})");
            return Err(Refusal::new("TrafficMirrorFilterRuleLimitExceeded", message));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::stage::Stage;
    use super::*;

    #[test]
    fn a_rule_is_about_two_cidr_blocks_of_one_version() {
        let mut stage = Stage::new();
        for (number, (source, destination, is_possible)) in [
            ("10.0.0.0/8", "0.0.0.0/0", true),
            ("::/0", "2600:1f18::/32", true),
            ("10.0.0.0/8", "::/0", false),
            ("10.0.0.0/33", "0.0.0.0/0", false),
            ("0.0.0.0/0", "10.0.0.0", false),
        ]
        .into_iter()
        .enumerate()
        {
            let rule = CreateRule {
                number: i64::try_from(number).unwrap(),
                source_cidr: source.to_owned(),
                destination_cidr: destination.to_owned(),
                ..CreateRule::accept_all(&stage.filter, Direction::Ingress, 0)
            };
            let code = stage.world.create_rule(&stage.alice, rule, Tags::new());
            let code = code.map_err(|refusal| refusal.code).err();
            let expected = (!is_possible).then(|| "InvalidParameterValue".to_owned());
            assert_eq!(code, expected, "{source} {destination}");
        }
    }
}
