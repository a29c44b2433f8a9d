//! Traffic mirror targets: where sessions deliver.

use std::collections::BTreeSet;

use super::session::Key;
use super::{Caller, Refusal, Resource, Tags, World, tag};

/// A target; it may be shared with other accounts, which may then use but not change it.
#[derive(Clone, Debug)]
pub struct Target {
    pub id: String,
    pub owner: String,
    pub endpoint: Endpoint,
    pub description: Option<String>,
    pub shared_with: BTreeSet<String>,
    pub tags: Tags,
}

/// What is behind a target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Endpoint {
    /// The id of an interface.
    Interface(String),
    /// The ARN of a Network Load Balancer.
    NetworkLoadBalancer(String),
    /// The id of a Gateway Load Balancer endpoint.
    GatewayLoadBalancerEndpoint(String),
}

impl World {
    pub fn create_target(
        &mut self,
        caller: &Caller,
        endpoint: Endpoint,
        description: Option<String>,
        tags: Tags,
    ) -> Result<String, Refusal> {
        tag::check(&tags)?;
        let id = self.new_id("tmt");
        if let Endpoint::Interface(interface) = &endpoint {
            self.interface_of(caller, interface)?;
            self.targets_on.entry(interface.clone()).or_default().insert(id.clone());
        }
        let target = Target {
            id: id.clone(),
            owner: caller.account.clone(),
            endpoint,
            description,
            shared_with: BTreeSet::new(),
            tags,
        };
        self.targets.insert(id.clone(), target);
        Ok(id)
    }

    /// Deletes a target of the caller's that no session uses.
    pub fn delete_target(&mut self, caller: &Caller, id: &str) -> Result<(), Refusal> {
        let target = self.targets.get(id).filter(|target| target.owner == caller.account);
        let target = target.ok_or_else(|| Target::missing(id))?;
        if let Some(session) = self.sessions.ids(&Key::Target(id.to_owned())).next() {
            let message = format!("Cannot delete {id}. Target is in use by {session}");
            return Err(Refusal::new("TrafficMirrorTargetInUse", message));
        }
        if let Endpoint::Interface(interface) = &target.endpoint
            && let Some(targets) = self.targets_on.get_mut(interface)
        {
            targets.remove(id);
        }
        self.targets.remove(id);
        Ok(())
    }

    /// Shares a target with an account, as Resource Access Manager does; the sharing is at once
    /// accepted.
    pub fn share_target(&mut self, id: &str, account: &str) {
        if let Some(target) = self.targets.get_mut(id) {
            target.shared_with.insert(account.to_owned());
        }
    }

    /// Ends all sharing of a target; sessions that others have on it stay.
    pub fn unshare_target(&mut self, id: &str) {
        if let Some(target) = self.targets.get_mut(id) {
            target.shared_with.clear();
        }
    }

    pub fn target(&self, id: &str) -> Option<&Target> {
        self.targets.get(id)
    }

    pub(super) fn visible_target(&self, caller: &Caller, id: &str) -> Result<&Target, Refusal> {
        let target = self.targets.get(id).filter(|target| target.is_visible(self, caller));
        target.ok_or_else(|| Target::missing(id))
    }
}
