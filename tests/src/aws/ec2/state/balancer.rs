//! What other services put into a VPC for targets: Network Load Balancers and Gateway Load Balancer endpoints. All
//! that EC2 shows of them is the interfaces that AWS creates, and no user can create such interfaces.

use std::collections::BTreeMap;

use super::{Caller, CreateInterface, Endpoint, LoadBalancer, Refusal, Tags, VpcEndpoint, World};

/// AWS's own account, which creates the interfaces of endpoints.
const AWS: &str = "727180483921";

impl World {
    /// Makes a Network Load Balancer with an interface in each of the subnets. The answer is its ARN.
    pub fn create_network_load_balancer(
        &mut self,
        caller: &Caller,
        name: &str,
        subnets: &[&str],
    ) -> Result<String, Refusal> {
        let path = format!("net/{name}/{:016x}", self.next_number());
        for subnet in subnets {
            let request = CreateInterface {
                subnet: (*subnet).to_owned(),
                interface_type: "network_load_balancer".to_owned(),
                description: format!("ELB {path}"),
                requester: Some("amazon-elb".to_owned()),
                ..CreateInterface::default()
            };
            self.create_interface_of_aws(caller, &request)?;
        }
        let (region, account) = (&self.region, &caller.account);
        let arn = format!("arn:aws:elasticloadbalancing:{region}:{account}:loadbalancer/{path}");
        let subnets: Vec<_> =
            subnets.iter().map(|id| self.subnet(id).cloned()).collect::<Result<_, _>>()?;
        let balancer = LoadBalancer {
            arn: arn.clone(),
            owner: account.clone(),
            name: name.to_owned(),
            vpc: subnets.first().map(|subnet| subnet.vpc.clone()).unwrap_or_default(),
            zones: subnets.into_iter().map(|it| (it.availability_zone, it.id)).collect(),
            security_groups: Vec::new(),
            state: "active".to_owned(),
            crosses_zones: false,
            listeners: Vec::new(),
            target_groups: BTreeMap::new(),
        };
        self.load_balancers.insert(arn.clone(), balancer);
        Ok(arn)
    }

    /// Makes a Network Load Balancer and a target that leads to it. The answer is the target's id.
    pub fn create_balancer_target(
        &mut self,
        caller: &Caller,
        name: &str,
        subnets: &[&str],
    ) -> Result<String, Refusal> {
        let balancer = self.create_network_load_balancer(caller, name, subnets)?;
        self.create_target(caller, Endpoint::NetworkLoadBalancer(balancer), None, Tags::new())
    }

    /// Makes a Gateway Load Balancer endpoint, which stands in one subnet. The answer is its id.
    pub fn create_gateway_load_balancer_endpoint(
        &mut self,
        caller: &Caller,
        subnet: &str,
    ) -> Result<String, Refusal> {
        let id = self.new_id("vpce");
        let request = CreateInterface {
            subnet: subnet.to_owned(),
            interface_type: "gateway_load_balancer_endpoint".to_owned(),
            description: format!("VPC Endpoint Interface {id}"),
            requester: Some(AWS.to_owned()),
            ..CreateInterface::default()
        };
        self.create_interface_of_aws(caller, &request)?;
        let endpoint = VpcEndpoint {
            id: id.clone(),
            vpc: self.subnet(subnet)?.vpc.clone(),
            service: format!("com.amazonaws.vpce.{}.vpce-svc-00000000000000001", self.region),
            state: "available".to_owned(),
            owner: caller.account.clone(),
            tags: Tags::new(),
        };
        self.endpoints.insert(id.clone(), endpoint);
        Ok(id)
    }

    /// Deletes a balancer by its ARN, or an endpoint by its id: its interfaces vanish, while targets and sessions
    /// stay, and nothing tells them.
    pub fn delete_balancer_or_endpoint(&mut self, arn_or_id: &str) {
        let description = match arn_or_id.split_once(":loadbalancer/") {
            Some((_, path)) => format!("ELB {path}"),
            None => format!("VPC Endpoint Interface {arn_or_id}"),
        };
        let is_its = |requester: &str| matches!(requester, "amazon-elb" | AWS);
        let of_it: Vec<_> = (self.interfaces.values())
            .filter(|interface| interface.description == description)
            .filter(|interface| interface.requester.as_deref().is_some_and(is_its))
            .map(|interface| interface.id.clone())
            .collect();
        for interface in of_it {
            self.remove_interface(&interface);
        }
        self.load_balancers.remove(arn_or_id);
        self.endpoints.remove(arn_or_id);
        self.gone_endpoints.insert(arn_or_id.to_owned());
    }

    /// Whether this balancer or endpoint was there and was deleted.
    pub fn is_endpoint_gone(&self, arn_or_id: &str) -> bool {
        self.gone_endpoints.contains(arn_or_id)
    }

    fn create_interface_of_aws(
        &mut self,
        caller: &Caller,
        request: &CreateInterface,
    ) -> Result<(), Refusal> {
        let id = self.create_interface(caller, request)?;
        // EC2 does not name the service here.
        if let Some(attachment) =
            self.interfaces.get_mut(&id).and_then(|interface| interface.attachment.as_mut())
        {
            "amazon-aws".clone_into(&mut attachment.instance_owner);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::stage::Stage;
    use super::super::{CreateSession, Interface, Query, Resource, SECOND_VPC, ZONE_A, ZONE_B};
    use super::*;

    fn described<'a>(stage: &'a Stage, description: &str) -> Vec<&'a Interface> {
        let query = Query::default().with("description", &[description]);
        stage.world.describe::<Interface>(&stage.alice, &query).unwrap().rows
    }

    #[test]
    fn a_load_balancer_has_an_interface_in_each_subnet_and_its_arn_names_it_as_they_do() {
        let mut stage = Stage::new();
        let alice = stage.alice.clone();
        let subnets = [ZONE_A, ZONE_B];
        let [first, second] = [(); 2].map(|()| {
            stage.world.create_network_load_balancer(&alice, "sensors", &subnets).unwrap()
        });
        assert_ne!(first, second);
        let (start, path) = first.split_once(":loadbalancer/").unwrap();
        assert_eq!(start, "arn:aws:elasticloadbalancing:us-east-1:111122223333");
        let [kind, name, id] = path.split('/').collect::<Vec<_>>()[..] else { panic!("{path}") };
        assert_eq!((kind, name, id.len()), ("net", "sensors", 16));
        let found = described(&stage, &format!("ELB {path}"));
        let subnets: Vec<_> = found.iter().map(|interface| interface.subnet.as_str()).collect();
        assert_eq!(subnets, [ZONE_A, ZONE_B]);
        for interface in found {
            assert_eq!(interface.interface_type, "network_load_balancer");
            assert_eq!(interface.requester.as_deref(), Some("amazon-elb"));
            assert_eq!((interface.owner(), interface.status()), ("111122223333", "in-use"));
            assert_eq!(interface.attachment.as_ref().unwrap().instance_owner, "amazon-aws");
        }
    }

    #[test]
    fn an_endpoint_has_one_interface_of_awss_own_account() {
        let mut stage = Stage::new();
        let alice = stage.alice.clone();
        let id = stage.world.create_gateway_load_balancer_endpoint(&alice, SECOND_VPC).unwrap();
        assert!(id.starts_with("vpce-") && id.len() == 22, "{id}");
        let found = described(&stage, &format!("VPC Endpoint Interface {id}"));
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].interface_type, "gateway_load_balancer_endpoint");
        assert_eq!(found[0].requester.as_deref(), Some("727180483921"));
        assert_eq!((found[0].subnet.as_str(), found[0].owner()), (SECOND_VPC, "111122223333"));
    }

    #[test]
    fn what_is_deleted_takes_its_own_interfaces_along_and_leaves_targets_sessions_and_forgeries() {
        let mut stage = Stage::new();
        let alice = stage.alice.clone();
        let arn = stage.world.create_network_load_balancer(&alice, "a", &[ZONE_A, ZONE_B]).unwrap();
        let other = stage.world.create_network_load_balancer(&alice, "a", &[ZONE_A]).unwrap();
        let endpoint = stage.world.create_gateway_load_balancer_endpoint(&alice, ZONE_A).unwrap();
        let description = described(&stage, "ELB net/a/*")[0].description.clone();
        let forged = CreateInterface { description, ..CreateInterface::default() };
        stage.world.create_interface(&alice, &forged).unwrap();
        let balancer = Endpoint::NetworkLoadBalancer(arn.clone());
        let target = stage.world.create_target(&alice, balancer, None, Tags::new()).unwrap();
        stage.create(&CreateSession { target: target.clone(), ..stage.request() });

        stage.world.delete_balancer_or_endpoint(&arn);
        let left = described(&stage, "ELB net/a/*");
        assert_eq!(left.iter().filter(|interface| interface.requester.is_some()).count(), 1);
        assert_eq!(left.len(), 2);
        assert_eq!(described(&stage, "VPC Endpoint Interface *").len(), 1);
        stage.world.delete_balancer_or_endpoint(&endpoint);
        stage.world.delete_balancer_or_endpoint(&other);
        assert_eq!(described(&stage, "VPC Endpoint Interface *").len(), 0);
        assert_eq!(described(&stage, "ELB net/a/*").len(), 1);
        assert!(stage.world.target(&target).is_some());
        assert_eq!(stage.world.sessions().count(), 1);
    }
}
