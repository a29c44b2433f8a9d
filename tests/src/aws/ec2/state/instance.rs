//! Instances, and how they come to be.

use super::{Caller, CreateInterface, Refusal, Tags, World, ZONE_A, tag};

/// An instance, as its owner sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Instance {
    pub id: String,
    pub reservation: String,
    pub owner: String,
    pub instance_type: String,
    pub state: State,
    pub availability_zone: String,
    /// None once it is terminated; likewise the subnet.
    pub vpc: Option<String>,
    pub subnet: Option<String>,
    /// The attached interfaces, by device index.
    pub interfaces: Vec<String>,
    pub tags: Tags,
    /// The principal of the service that manages it, such as `eks.amazonaws.com`.
    pub operator: Option<String>,
    pub launched: u64,
    /// Counts the tag changes, for their events.
    pub(super) tag_version: u64,
}

/// Where in its life an instance is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    Pending,
    Running,
    ShuttingDown,
    Terminated,
    Stopping,
    Stopped,
}

impl State {
    pub fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Running => "running",
            Self::ShuttingDown => "shutting-down",
            Self::Terminated => "terminated",
            Self::Stopping => "stopping",
            Self::Stopped => "stopped",
        }
    }

    pub(crate) fn code(self) -> u16 {
        match self {
            Self::Pending => 0,
            Self::Running => 16,
            Self::ShuttingDown => 32,
            Self::Terminated => 48,
            Self::Stopping => 64,
            Self::Stopped => 80,
        }
    }
}

/// What to launch.
#[derive(Clone, Debug)]
pub struct RunInstances {
    pub instance_type: String,
    pub count: usize,
    /// Default: that of the zone, else the one in us-east-1a.
    pub subnet: Option<String>,
    pub availability_zone: Option<String>,
    pub tags: Tags,
    /// Default: one, in the subnet.
    pub interfaces: Vec<LaunchInterface>,
    /// A service that manages the instances and their interfaces.
    pub operator: Option<String>,
}

impl Default for RunInstances {
    fn default() -> Self {
        Self {
            instance_type: "t3.micro".to_owned(),
            count: 1,
            subnet: None,
            availability_zone: None,
            tags: Tags::new(),
            interfaces: Vec::new(),
            operator: None,
        }
    }
}

/// An interface to launch with.
#[derive(Clone, Debug)]
pub struct LaunchInterface {
    pub device_index: u32,
    /// Default: the instance's.
    pub subnet: Option<String>,
    /// One that exists, instead of a new one.
    pub interface: Option<String>,
    pub interface_type: String,
    /// Default: only if it is new.
    pub delete_on_termination: Option<bool>,
}

impl Default for LaunchInterface {
    fn default() -> Self {
        Self {
            device_index: 0,
            subnet: None,
            interface: None,
            interface_type: "interface".to_owned(),
            delete_on_termination: None,
        }
    }
}

impl World {
    /// Launches instances, which are pending until the next tick.
    pub fn run_instances(
        &mut self,
        caller: &Caller,
        request: &RunInstances,
    ) -> Result<Vec<String>, Refusal> {
        let subnet = self.subnet_for(request)?;
        self.check_launch(caller, request)?;
        let reservation = self.new_id("r");
        (0..request.count).map(|_| self.launch(caller, request, &subnet, &reservation)).collect()
    }

    /// For what no call of EC2 can bring about: an operator, say, or tags of AWS's own.
    pub fn instance_mut(&mut self, id: &str) -> Option<&mut Instance> {
        self.instances.get_mut(id)
    }

    pub fn instance(&self, id: &str) -> Option<&Instance> {
        self.instances.get(id)
    }

    /// Every instance, whoever owns it, by id.
    pub fn instances(&self) -> impl Iterator<Item = &Instance> {
        self.instances.values()
    }

    fn subnet_for(&self, request: &RunInstances) -> Result<String, Refusal> {
        let named =
            request.subnet.as_ref().or(request.interfaces.iter().find_map(|i| i.subnet.as_ref()));
        if let Some(named) = named {
            return Ok(named.clone());
        }
        let attached = request.interfaces.iter().find_map(|i| i.interface.as_ref());
        if let Some(interface) = attached.and_then(|id| self.interfaces.get(id)) {
            return Ok(interface.subnet.clone());
        }
        let Some(zone) = &request.availability_zone else { return Ok(ZONE_A.to_owned()) };
        let of_zone = self
            .subnets
            .values()
            .find(|subnet| subnet.availability_zone == *zone && subnet.is_default());
        of_zone
            .map(|subnet| subnet.id.clone())
            .ok_or_else(|| Refusal::value(format!("Invalid availability zone: [{zone}]")))
    }

    /// Everything that could stop a launch half-way.
    fn check_launch(&self, caller: &Caller, request: &RunInstances) -> Result<(), Refusal> {
        tag::check(&request.tags)?;
        for subnet in request.subnet.iter().chain(request.interfaces.iter().flat_map(|i| &i.subnet))
        {
            self.subnet(subnet)?;
        }
        for interface in request.interfaces.iter().flat_map(|i| &i.interface) {
            self.free_interface(caller, interface)?;
            if request.count > 1 {
                return Err(Refusal::new(
                    "InvalidParameterCombination",
                    "Network interfaces may not be specified when launching several instances",
                ));
            }
        }
        let mut indexes: Vec<_> = request.interfaces.iter().map(|i| i.device_index).collect();
        indexes.sort_unstable();
        if indexes.windows(2).any(|pair| pair[0] == pair[1]) {
            return Err(Refusal::value("Each network interface requires a unique device index"));
        }
        if indexes.first().is_some_and(|&index| index != 0) {
            return Err(Refusal::new(
                "InvalidParameterCombination",
                "The primary network interface, with device index 0, is missing",
            ));
        }
        Ok(())
    }

    fn launch(
        &mut self,
        caller: &Caller,
        request: &RunInstances,
        subnet: &str,
        reservation: &str,
    ) -> Result<String, Refusal> {
        let id = self.new_id("i");
        let ground = self.subnet(subnet)?;
        let instance = Instance {
            id: id.clone(),
            reservation: reservation.to_owned(),
            owner: caller.account.clone(),
            instance_type: request.instance_type.clone(),
            state: State::Pending,
            availability_zone: ground.availability_zone.clone(),
            vpc: Some(ground.vpc.clone()),
            subnet: Some(ground.id.clone()),
            interfaces: Vec::new(),
            tags: request.tags.clone(),
            operator: request.operator.clone(),
            launched: self.now,
            tag_version: 0,
        };
        self.instances.insert(id.clone(), instance);
        let primary = [LaunchInterface::default()];
        let launched =
            if request.interfaces.is_empty() { &primary } else { &request.interfaces[..] };
        for spec in launched {
            let existing = spec.interface.clone();
            let is_new = existing.is_none();
            let interface = match existing {
                Some(interface) => interface,
                None => self.create_interface(
                    caller,
                    &CreateInterface {
                        subnet: spec.subnet.clone().unwrap_or_else(|| subnet.to_owned()),
                        interface_type: spec.interface_type.clone(),
                        operator: request.operator.clone(),
                        ..CreateInterface::default()
                    },
                )?,
            };
            let dies_with_it = spec.delete_on_termination.unwrap_or(is_new);
            self.attach(&interface, &id, spec.device_index, dies_with_it);
        }
        self.set_state(&id, State::Pending);
        Ok(id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn launch_tags_send_no_tag_event() {
        let (mut world, alice) = (World::default(), Caller::default());
        let tags = Tags::from([("Mirror".to_owned(), "True".to_owned())]);
        world.run_instances(&alice, &RunInstances { tags, ..RunInstances::default() }).unwrap();
        let events = world.take_events();
        assert_eq!(events.len(), 1);
        assert_eq!(events[0]["detail"]["state"], "pending");
    }
}
