//! A world with a source, a target and a filter in it, for the tests of the rules.

use super::{
    Caller, CreateInterface, CreateSession, Endpoint, Refusal, RunInstances, Session, Tags, World,
};

pub(super) struct Stage {
    pub(super) world: World,
    pub(super) alice: Caller,
    pub(super) instance: String,
    pub(super) source: String,
    pub(super) sensor: String,
    pub(super) target: String,
    pub(super) filter: String,
}

impl Stage {
    pub(super) fn new() -> Self {
        let (mut world, alice) = (World::default(), Caller::default());
        let (instance, source) = launch(&mut world, &alice, "m5.large");
        let (sensor, interface) = launch(&mut world, &alice, "c5.large");
        let endpoint = Endpoint::Interface(interface);
        let target = world.create_target(&alice, endpoint, None, Tags::new()).unwrap();
        let filter = world.create_filter(&alice, None, Tags::new()).unwrap();
        world.tick();
        world.take_events();
        Self { world, alice, instance, source, sensor, target, filter }
    }

    /// The interface of one more instance.
    pub(super) fn launch(&mut self, instance_type: &str) -> String {
        launch(&mut self.world, &self.alice, instance_type).1
    }

    pub(super) fn balancer(&mut self) -> String {
        let endpoint = Endpoint::NetworkLoadBalancer("arn:aws:balancer".to_owned());
        self.world.create_target(&self.alice, endpoint, None, Tags::new()).unwrap()
    }

    pub(super) fn request(&self) -> CreateSession {
        CreateSession {
            interface: self.source.clone(),
            target: self.target.clone(),
            filter: self.filter.clone(),
            number: Some(1),
            ..CreateSession::default()
        }
    }

    pub(super) fn create(&mut self, request: &CreateSession) -> Session {
        self.world.create_session(&self.alice, request).unwrap()
    }

    pub(super) fn refuse(&mut self, request: &CreateSession) -> Refusal {
        self.world.create_session(&self.alice, request).unwrap_err()
    }

    /// An interface that a service created.
    pub(super) fn interface_of_service(&mut self, service: &str) -> String {
        let requester = Some(service.to_owned());
        let request = CreateInterface { requester, ..CreateInterface::default() };
        self.world.create_interface(&self.alice, &request).unwrap()
    }
}

fn launch(world: &mut World, caller: &Caller, instance_type: &str) -> (String, String) {
    let request =
        RunInstances { instance_type: instance_type.to_owned(), ..RunInstances::default() };
    let instance = world.run_instances(caller, &request).unwrap().remove(0);
    let interface = world.instance(&instance).unwrap().interfaces[0].clone();
    (instance, interface)
}
