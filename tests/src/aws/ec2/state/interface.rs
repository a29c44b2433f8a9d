//! Network interfaces, and how they come to be and go.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::{Caller, DEFAULT_GROUP, Refusal, Resource, Subnet, Tags, World, ZONE_A, subnet, tag};

/// The types that users may create.
const FOR_USERS: [&str; 5] = ["interface", "efa", "efa-only", "branch", "trunk"];

/// A network interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interface {
    pub id: String,
    pub owner: String,
    /// `interface`, `efa`, `trunk`, `nat_gateway`, …
    pub interface_type: String,
    pub vpc: String,
    pub subnet: String,
    pub availability_zone: String,
    /// Whatever its creator says of it.
    pub description: String,
    pub ipv4: Option<Ipv4Addr>,
    pub ipv6: Vec<Ipv6Addr>,
    /// The security groups.
    pub groups: Vec<String>,
    /// The service that created it; such an interface is requester-managed.
    pub requester: Option<String>,
    /// The principal of the service that manages it.
    pub operator: Option<String>,
    pub attachment: Option<Attachment>,
    pub tags: Tags,
}

/// What an interface is attached to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attachment {
    pub id: String,
    /// None for a machine of a service, which EC2 does not show.
    pub instance: Option<String>,
    pub instance_owner: String,
    pub device_index: u32,
    pub network_card_index: u32,
    pub status: String,
    pub delete_on_termination: bool,
}

/// What interface to create.
#[derive(Clone, Debug)]
pub struct CreateInterface {
    pub subnet: String,
    pub interface_type: String,
    pub description: String,
    /// A service that creates it (`amazon-rds`), which also attaches it to a machine of its own.
    pub requester: Option<String>,
    pub operator: Option<String>,
    pub tags: Tags,
}

impl Default for CreateInterface {
    fn default() -> Self {
        Self {
            subnet: ZONE_A.to_owned(),
            interface_type: "interface".to_owned(),
            description: String::new(),
            requester: None,
            operator: None,
            tags: Tags::new(),
        }
    }
}

impl Interface {
    pub fn status(&self) -> &'static str {
        if self.attachment.is_some() { "in-use" } else { "available" }
    }

    pub(super) fn device_index(&self) -> Option<u32> {
        Some(self.attachment.as_ref()?.device_index)
    }

    pub fn instance(&self) -> Option<&str> {
        self.attachment.as_ref()?.instance.as_deref()
    }
}

impl World {
    /// Creates an interface that belongs to the caller.
    pub fn create_interface(
        &mut self,
        caller: &Caller,
        request: &CreateInterface,
    ) -> Result<String, Refusal> {
        tag::check(&request.tags)?;
        // The other types are those of AWS's services: whoever sees one may believe its description.
        if request.requester.is_none() && !FOR_USERS.contains(&request.interface_type.as_str()) {
            let message = format!("Invalid value '{}' for InterfaceType", request.interface_type);
            return Err(Refusal::value(message));
        }
        let subnet = self.subnet(&request.subnet)?.clone();
        let id = self.new_id("eni");
        let host = u32::try_from(self.next_number() & 0x00ff_ffff).unwrap_or_default();
        let ipv4 = (!subnet.ipv6_only).then(|| subnet::address(&subnet.vpc, host));
        let prefix = Ipv6Addr::new(0x2600, 0x1f18, 0, 0, 0, 0, 0, 0);
        let ipv6 = Ipv6Addr::from_bits(prefix.to_bits() | u128::from(host));
        let attachment = request.requester.as_ref().map(|service| Attachment {
            id: self.new_id("ela-attach"),
            instance: None,
            instance_owner: service.clone(),
            device_index: 1,
            network_card_index: 0,
            status: "attached".to_owned(),
            delete_on_termination: false,
        });
        let interface = Interface {
            id: id.clone(),
            owner: caller.account.clone(),
            interface_type: request.interface_type.clone(),
            vpc: subnet.vpc,
            subnet: subnet.id,
            availability_zone: subnet.availability_zone,
            description: request.description.clone(),
            ipv4,
            ipv6: subnet.ipv6_only.then_some(ipv6).into_iter().collect(),
            // What AWS makes for balancers and endpoints has none unless somebody gives it one.
            groups: request
                .requester
                .is_none()
                .then(|| DEFAULT_GROUP.to_owned())
                .into_iter()
                .collect(),
            requester: request.requester.clone(),
            operator: request.operator.clone(),
            attachment,
            tags: request.tags.clone(),
        };
        self.interfaces.insert(id.clone(), interface);
        Ok(id)
    }

    /// Deletes an interface that is not attached, and its sessions with it.
    pub fn delete_interface(&mut self, caller: &Caller, id: &str) -> Result<(), Refusal> {
        if self.interface_of(caller, id)?.attachment.is_some() {
            return Err(Refusal::value(format!("Network interface '{id}' is currently in use.")));
        }
        self.remove_interface(id);
        Ok(())
    }

    pub fn interface(&self, id: &str) -> Option<&Interface> {
        self.interfaces.get(id)
    }

    /// For what no call of EC2 can bring about: a requester, say, or a lost address.
    pub fn interface_mut(&mut self, id: &str) -> Option<&mut Interface> {
        self.interfaces.get_mut(id)
    }

    /// The interface, if it is the caller's.
    pub(super) fn interface_of(&self, caller: &Caller, id: &str) -> Result<&Interface, Refusal> {
        let interface = self.interfaces.get(id).filter(|i| i.owner == caller.account);
        interface.ok_or_else(|| Interface::missing(id))
    }

    pub(super) fn free_interface(&self, caller: &Caller, id: &str) -> Result<&Interface, Refusal> {
        let interface = self.interface_of(caller, id)?;
        if interface.attachment.is_some() {
            return Err(Refusal::new(
                "InvalidNetworkInterface.InUse",
                format!("Interface: [{id}] in use."),
            ));
        }
        Ok(interface)
    }

    /// A deleted interface takes the sessions with it of which it is the source. The targets on it
    /// stay, and deliver nothing.
    pub(super) fn remove_interface(&mut self, id: &str) {
        self.interfaces.remove(id);
        self.sessions.remove_source(id);
    }

    pub(super) fn subnet(&self, id: &str) -> Result<&Subnet, Refusal> {
        self.subnets.get(id).ok_or_else(|| {
            let message = format!("The subnet ID '{id}' does not exist");
            Refusal::new("InvalidSubnetID.NotFound", message)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::Query;
    use super::*;

    #[test]
    fn users_describe_their_interfaces_as_they_like_but_cannot_make_those_of_services() {
        let (mut world, alice) = (World::default(), Caller::default());
        let request = |interface_type: &str| CreateInterface {
            interface_type: interface_type.to_owned(),
            description: "ELB net/forged/0123456789abcdef".to_owned(),
            ..CreateInterface::default()
        };
        for possible in FOR_USERS {
            world.create_interface(&alice, &request(possible)).unwrap();
        }
        for impossible in
            ["network_load_balancer", "gateway_load_balancer_endpoint", "vpc_endpoint", "lambda"]
        {
            let refusal = world.create_interface(&alice, &request(impossible)).unwrap_err();
            assert_eq!(refusal.code, "InvalidParameterValue", "{impossible}");
        }
        let found = |pattern: &str| {
            let query = Query::default().with("description", &[pattern]);
            world.describe::<Interface>(&alice, &query).unwrap().rows.len()
        };
        assert_eq!([found("ELB net/forged/*"), found("ELB net/*/?"), found("ELB")], [5, 0, 0]);
    }
}
