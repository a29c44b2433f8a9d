//! What people do in the cloud.

use anyhow::Context;
use local_cloud::aws::ec2::{
    Caller, CreateRule, CreateSession, DEFAULT_ACCOUNT, Direction, Endpoint, Instance,
    LaunchInterface, ModifySession, Query, RunInstances, Session, Tags, ZONE_A,
};

use crate::label::{self, count};
use crate::screen::PLAIN;
use crate::stage::Stage;

/// What people do. Each method does one thing to the cloud and says so.
impl Stage {
    /// Launches instances of this type and these names, with this many interfaces.
    pub(crate) fn launch(
        &mut self,
        names: &[&str],
        instance_type: &str,
        interfaces: u32,
        tags: &[(&str, &str)],
    ) -> anyhow::Result<()> {
        let mut launched = Vec::new();
        for name in names {
            let interface =
                |device_index| LaunchInterface { device_index, ..LaunchInterface::default() };
            let request = RunInstances {
                instance_type: instance_type.to_owned(),
                tags: to_tags(tags.iter().chain(&[("Name", *name)])),
                interfaces: (0..interfaces).map(interface).collect(),
                ..RunInstances::default()
            };
            let mut world = self.deployment.cloud.world();
            for id in world.run_instances(&self.alice, &request)? {
                launched.push(label::instance(&world, &id));
            }
        }
        let tags = if tags.is_empty() { "no tag".to_owned() } else { in_words(tags) };
        let number = match usize::try_from(interfaces)? {
            1 => String::new(),
            number => format!(", {}", count(number, "interface")),
        };
        let text = format!("{instance_type}{number}, {tags}");
        self.tell("alice", &format!("launches {}: {text}", launched.join(", ")))
    }

    pub(crate) fn add_tag(&mut self, name: &str, key: &str, value: &str) -> anyhow::Result<()> {
        let instance = self.instance(name)?.id;
        let tags = to_tags(&[(key, value)]);
        self.deployment.cloud.world().create_tags(&self.alice, &[instance], &tags)?;
        self.tell("alice", &format!("tags {name} with {key}={value}"))
    }

    pub(crate) fn remove_tag(&mut self, name: &str, key: &str) -> anyhow::Result<()> {
        let instance = self.instance(name)?.id;
        let tags = [(key.to_owned(), None)].into();
        self.deployment.cloud.world().delete_tags(&self.alice, &[instance], &tags)?;
        self.tell("alice", &format!("removes the tag {key} from {name}"))
    }

    pub(crate) fn stop(&mut self, name: &str) -> anyhow::Result<()> {
        let instance = self.instance(name)?.id;
        self.deployment.cloud.world().stop_instances(&self.alice, &[instance])?;
        self.tell("alice", &format!("stops {name}"))
    }

    pub(crate) fn start(&mut self, name: &str) -> anyhow::Result<()> {
        let instance = self.instance(name)?.id;
        self.deployment.cloud.world().start_instances(&self.alice, &[instance])?;
        self.tell("alice", &format!("starts {name}"))
    }

    pub(crate) fn terminate(&mut self, name: &str) -> anyhow::Result<()> {
        let instance = self.instance(name)?.id;
        self.deployment.cloud.world().terminate_instances(&self.alice, &[instance])?;
        self.tell("alice", &format!("terminates {name}"))
    }

    /// Creates a target for the first interface of an instance.
    pub(crate) fn make_sensor(&mut self, name: &str) -> anyhow::Result<String> {
        let interface = self.interface(name)?;
        let target = self.make_target(Endpoint::Interface(interface.clone()), name)?;
        self.tell("alice", &format!("creates target {target} for {name}'s {interface}"))?;
        Ok(target)
    }

    pub(crate) fn make_balancer(&mut self, name: &str) -> anyhow::Result<String> {
        let mut world = self.deployment.cloud.world();
        let arn = world.create_network_load_balancer(&self.alice, name, &[ZONE_A])?;
        drop(world);
        let target = self.make_target(Endpoint::NetworkLoadBalancer(arn), name)?;
        let text = format!("creates target {target} for the Network Load Balancer {name}");
        self.tell("alice", &text)?;
        Ok(target)
    }

    fn make_target(&mut self, endpoint: Endpoint, name: &str) -> anyhow::Result<String> {
        let tags = to_tags(&[("Name", name)]);
        Ok(self.deployment.cloud.world().create_target(&self.alice, endpoint, None, tags)?)
    }

    /// Creates the filter that the templates create: it accepts everything, and automirror finds it by its
    /// tag.
    pub(crate) fn make_filter(&mut self, name: &str) -> anyhow::Result<()> {
        let filter = self.make_open_filter(&self.alice.clone(), name, "automirror")?;
        let text = "all packets and Amazon DNS";
        self.tell("alice", &format!("creates filter {filter} ({name}): {text}"))
    }

    fn make_open_filter(&self, by: &Caller, name: &str, manager: &str) -> anyhow::Result<String> {
        let mut world = self.deployment.cloud.world();
        let tags = to_tags(&[("Name", name), ("ManagedBy", manager)]);
        let filter = world.create_filter(by, None, tags)?;
        for direction in [Direction::Ingress, Direction::Egress] {
            let rule = CreateRule::accept_all(&filter, direction, 100);
            world.create_rule(by, rule, Tags::new())?;
        }
        world.modify_network_services(by, &filter, &["amazon-dns".to_owned()], &[])?;
        Ok(filter)
    }

    /// Lets `who` mirror an instance to a target of another account.
    pub(crate) fn siphon(&mut self, name: &str, who: &str, account: &str) -> anyhow::Result<()> {
        let interface = self.interface(name)?;
        let insider = self.insider(who);
        let outsider = Caller::user(account);
        let filter = self.make_open_filter(&insider, who, who)?;
        let mut world = self.deployment.cloud.world();
        let target = world.create_balancer_target(&outsider, "x", &[ZONE_A])?;
        world.share_target(&target, DEFAULT_ACCOUNT);
        let (number, session) = (Some(1), CreateSession::default());
        let session = CreateSession { interface, target, filter, number, ..session };
        let session = world.create_session(&insider, &session)?;
        drop(world);
        let (id, target) = (&session.id, &session.target);
        self.tell(who, &format!("mirrors {name} to target {target} of account {account}: {id}"))?;
        self.siphon = Some(session);
        Ok(())
    }

    /// Lets `who` delete all owned sessions on an instance's interfaces.
    pub(crate) fn sabotage(&mut self, name: &str, who: &str) -> anyhow::Result<()> {
        let saboteur = self.insider(who);
        for Session { id, interface, .. } in self.owned_sessions(name)? {
            self.deployment.cloud.world().delete_session(&saboteur, &id)?;
            self.attacked += 1;
            self.tell(who, &format!("deletes session {id} on {name}'s {interface}"))?;
        }
        Ok(())
    }

    /// Lets `who` turn all owned sessions on an instance's interfaces to the target of another account.
    pub(crate) fn divert(&mut self, name: &str, who: &str) -> anyhow::Result<()> {
        let saboteur = self.insider(who);
        let target = self.siphon.as_ref().context("there is no other target")?.target.clone();
        for Session { id, interface, .. } in self.owned_sessions(name)? {
            let change = ModifySession {
                session: id.clone(),
                target: Some(target.clone()),
                ..ModifySession::default()
            };
            self.deployment.cloud.world().modify_session(&saboteur, &change)?;
            self.attacked += 1;
            self.tell(who, &format!("turns session {id} on {name}'s {interface} to {target}"))?;
        }
        Ok(())
    }

    fn insider(&self, who: &str) -> Caller {
        Caller { principal: format!("user/{who}"), ..self.alice.clone() }
    }

    fn owned_sessions(&self, name: &str) -> anyhow::Result<Vec<Session>> {
        let interfaces = self.instance(name)?.interfaces;
        let mut sessions = self.sessions();
        sessions.retain(|session| interfaces.contains(&session.interface) && is_owned(session));
        Ok(sessions)
    }

    /// Lets `who` turn AWS Config's recorder on or off.
    pub(crate) fn record(&mut self, is_on: bool, who: &str) -> anyhow::Result<()> {
        self.deployment.cloud.config().recording = is_on;
        let verb = if is_on { "starts" } else { "stops" };
        self.tell(who, &format!("{verb} AWS Config's recorder"))
    }

    /// What the user sees of all instances.
    pub(crate) fn instances(&self) -> anyhow::Result<Vec<Instance>> {
        let world = self.deployment.cloud.world();
        let page = world.describe::<Instance>(&self.alice, &Query::default())?;
        Ok(page.rows.into_iter().cloned().collect())
    }

    pub(crate) fn sessions(&self) -> Vec<Session> {
        self.deployment.cloud.world().sessions().cloned().collect()
    }

    pub(crate) fn instance(&self, name: &str) -> anyhow::Result<Instance> {
        let mut instances = self.instances()?.into_iter();
        instances
            .find(|instance| instance.tags.get("Name").is_some_and(|tag| tag == name))
            .with_context(|| format!("there is no instance {name}"))
    }

    fn interface(&self, name: &str) -> anyhow::Result<String> {
        let interfaces = self.instance(name)?.interfaces;
        interfaces.into_iter().next().with_context(|| format!("{name} has no interface"))
    }

    /// Shows what a person does.
    pub(crate) fn tell(&mut self, who: &str, what: &str) -> anyhow::Result<()> {
        self.screen.row((PLAIN, who), what)?;
        Ok(())
    }
}

/// Whether automirror owns the session.
pub(crate) fn is_owned(session: &Session) -> bool {
    session.tags.get("ManagedBy").is_some_and(|owner| owner == "automirror")
}

fn to_tags<'a>(tags: impl IntoIterator<Item = &'a (&'a str, &'a str)>) -> Tags {
    tags.into_iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

fn in_words(tags: &[(&str, &str)]) -> String {
    tags.iter().map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>().join(", ")
}
