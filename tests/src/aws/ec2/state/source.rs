//! Whether an interface can be a source, and whether a target has room for it.

use super::session::Key;
use super::{Endpoint, Interface, Refusal, State, World, instance_types};

const SESSIONS_PER_INTERFACE: usize = 3;

/// The services whose requester-managed interfaces can be sources.
const REQUESTERS: [&str; 2] = ["amazon-rds", "amazon-elasticache"];

impl World {
    /// Whether this interface may be the source of one more session.
    pub(super) fn check_source(&self, source: &Interface) -> Result<(), Refusal> {
        let id = &source.id;
        if !self.is_on_supported_instance(source) {
            let message = format!("{id} must be attached to a supported instance");
            return Err(Refusal::new("NetworkInterfaceNotSupported", message));
        }
        if source.ipv4.is_none() {
            let message = format!("{id} has no IPv4 address: IPv6-only subnets are not supported");
            return Err(Refusal::new("NetworkInterfaceNotSupported", message));
        }
        if let Some(target) = self.targets_on.get(id).and_then(|targets| targets.first()) {
            return Err(Refusal::value(format!("{id} is in use by target {target}")));
        }
        if self.sessions.count(&Key::Interface(id.clone())) >= SESSIONS_PER_INTERFACE {
            return Err(Refusal::new(
                "TrafficMirrorSessionsPerInterfaceLimitExceeded",
                format!("Sessions per interface limit reached ({SESSIONS_PER_INTERFACE}) on {id}"),
            ));
        }
        Ok(())
    }

    fn is_on_supported_instance(&self, source: &Interface) -> bool {
        if source.interface_type != "interface" {
            return false;
        }
        let requester = source.requester.as_deref();
        if requester.is_some_and(|service| !REQUESTERS.contains(&service)) {
            return false;
        }
        match source.instance().and_then(|id| self.instances.get(id)) {
            Some(instance) => {
                !matches!(instance.state, State::ShuttingDown | State::Terminated)
                    && instance_types::can_be_source(&instance.instance_type)
            }
            // A database is on a machine that EC2 does not show.
            None => requester.is_some() && source.attachment.is_some(),
        }
    }

    /// Whether the target takes this source. It counts sources, not sessions, whoever owns them.
    pub(super) fn check_room(&self, target: &str, source: &str) -> Result<(), Refusal> {
        let endpoint = self.targets.get(target).map(|target| &target.endpoint);
        let Some(Endpoint::Interface(interface)) = endpoint else { return Ok(()) };
        let mut sources: Vec<_> = (self.sessions.with(&Key::Target(target.to_owned())))
            .map(|session| session.interface.as_str())
            .collect();
        sources.sort_unstable();
        sources.dedup();
        let host = self.interfaces.get(interface).and_then(Interface::instance);
        let host = host.and_then(|id| self.instances.get(id));
        let room = host.map_or(10, |host| instance_types::room_for_sources(&host.instance_type));
        if sources.contains(&source) || sources.len() < room {
            return Ok(());
        }
        Err(Refusal::new(
            "TrafficMirrorSourcesPerTargetLimitExceeded",
            format!("Sources per interface-target limit reached ({})", sources.len() + 1),
        ))
    }

    /// Whether the number is free on the interface, apart from the session that has it now.
    pub(super) fn check_number(
        &self,
        interface: &str,
        number: u16,
        except: Option<&str>,
    ) -> Result<(), Refusal> {
        let Some(code) = &self.duplicate_number else { return Ok(()) };
        let taken = (self.sessions.with(&Key::Interface(interface.to_owned())))
            .any(|session| session.number == number && Some(session.id.as_str()) != except);
        if !taken {
            return Ok(());
        }
        let message = format!("Session number {number} is already in use on {interface}");
        Err(Refusal::new(code, message))
    }
}

#[cfg(test)]
mod tests {
    use super::super::stage::Stage;
    use super::super::{CreateInterface, CreateSession, IPV6_ONLY, RunInstances};

    /// An interface of each kind, and whether it can be a source.
    #[test]
    fn what_can_be_a_source() {
        let mut stage = Stage::new();
        let unlisted = stage.launch("m8g.large");
        let pending = stage.launch("t3.micro");
        let efa = stage.launch("m5.large");
        stage.world.interface_mut(&efa).unwrap().interface_type = "efa".to_owned();
        let request = CreateInterface::default();
        let unattached = stage.world.create_interface(&stage.alice, &request).unwrap();
        let subnet = Some(IPV6_ONLY.to_owned());
        let request = RunInstances { subnet, ..RunInstances::default() };
        let ipv6 = stage.world.run_instances(&stage.alice, &request).unwrap().remove(0);
        let ipv6 = stage.world.instance(&ipv6).unwrap().interfaces[0].clone();
        let [database, cache, balancer] = ["amazon-rds", "amazon-elasticache", "amazon-elb"]
            .map(|service| stage.interface_of_service(service));
        for (what, interface, is_possible) in [
            ("type not listed", unlisted, false),
            ("pending", pending, true),
            ("EFA", efa, false),
            ("on no instance", unattached, false),
            ("without IPv4", ipv6, false),
            ("of RDS", database, true),
            ("of ElastiCache", cache, true),
            ("of a load balancer", balancer, false),
        ] {
            let request = CreateSession { interface, target: stage.balancer(), ..stage.request() };
            let code =
                stage.world.create_session(&stage.alice, &request).map_err(|it| it.code).err();
            let expected = (!is_possible).then(|| "NetworkInterfaceNotSupported".to_owned());
            assert_eq!(code, expected, "{what}");
        }
    }

    #[test]
    fn a_stopped_instance_can_be_a_source_and_one_that_goes_cannot() {
        let mut stage = Stage::new();
        let ids = [stage.instance.clone()];
        stage.world.stop_instances(&stage.alice, &ids).unwrap();
        stage.world.tick();
        stage.create(&stage.request());
        stage.world.terminate_instances(&stage.alice, &ids).unwrap();
        let refusal = stage.refuse(&CreateSession { number: Some(2), ..stage.request() });
        assert_eq!(refusal.code, "NetworkInterfaceNotSupported");
    }

    #[test]
    fn a_targets_interface_cannot_be_a_source_until_the_target_is_deleted() {
        let mut stage = Stage::new();
        let interface = stage.world.instance(&stage.sensor).unwrap().interfaces[0].clone();
        let target = stage.balancer();
        let request = CreateSession { interface, target, ..stage.request() };
        let refusal = stage.refuse(&request);
        assert_eq!(refusal.code, "InvalidParameterValue");
        assert!(refusal.message.contains("is in use by target"));
        stage.world.delete_target(&stage.alice, &stage.target).unwrap();
        stage.create(&request);
    }

    #[test]
    fn an_interface_has_three_sessions_at_most() {
        let mut stage = Stage::new();
        for number in 1..=3 {
            stage.create(&CreateSession { number: Some(number), ..stage.request() });
        }
        let refusal = stage.refuse(&CreateSession { number: Some(4), ..stage.request() });
        assert_eq!(refusal.code, "TrafficMirrorSessionsPerInterfaceLimitExceeded");
    }

    #[test]
    fn an_interface_takes_ten_sources_as_a_target_however_many_sessions_they_have() {
        let mut stage = Stage::new();
        let sources: Vec<_> = (0..11).map(|_| stage.launch("t3.micro")).collect();
        let request = |stage: &Stage, interface: &str, number| CreateSession {
            interface: interface.to_owned(),
            number: Some(number),
            ..stage.request()
        };
        for source in &sources[..10] {
            stage.create(&request(&stage, source, 1));
        }
        stage.create(&request(&stage, &sources[0], 2));
        let refusal = stage.refuse(&request(&stage, &sources[10], 1));
        assert_eq!(refusal.code, "TrafficMirrorSourcesPerTargetLimitExceeded");
        assert_eq!(refusal.message, "Sources per interface-target limit reached (11)");
    }

    #[test]
    fn a_listed_type_takes_a_hundred_sources_and_a_balancer_any_number() {
        let mut stage = Stage::new();
        stage.world.instance_mut(&stage.sensor).unwrap().instance_type = "c5.18xlarge".to_owned();
        let balancer = stage.balancer();
        for count in 1..=101 {
            let interface = stage.launch("t3.micro");
            let request = CreateSession { interface, ..stage.request() };
            if count <= 100 {
                stage.create(&request);
            } else {
                let refusal = stage.refuse(&request);
                assert_eq!(refusal.code, "TrafficMirrorSourcesPerTargetLimitExceeded");
            }
            let target = balancer.clone();
            stage.create(&CreateSession { target, number: Some(2), ..request });
        }
    }

    #[test]
    fn a_number_is_taken_once_on_an_interface_unless_that_is_not_enforced() {
        let mut stage = Stage::new();
        stage.create(&stage.request());
        let refusal = stage.refuse(&stage.request());
        assert_eq!(refusal.code, "InvalidParameterValue");
        let message = format!("Session number 1 is already in use on {}", stage.source);
        assert_eq!(refusal.message, message);
        stage.world.duplicate_number = Some("SomeOtherCode".to_owned());
        assert_eq!(stage.refuse(&stage.request()).code, "SomeOtherCode");
        stage.world.duplicate_number = None;
        stage.create(&stage.request());
    }
}
