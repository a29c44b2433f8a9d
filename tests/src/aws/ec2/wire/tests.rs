use super::*;
use crate::aws::ec2::{
    CreateInterface, CreateRule, CreateSession, Direction, Endpoint, PortRange, RunInstances, Tags,
};

/// Two instances with two tags each, the first one with a session, and a client who is nobody but Alice.
struct Stage {
    world: World,
    alice: Caller,
    instances: Vec<String>,
    /// An id for each parameter that takes ids.
    ids: [(&'static str, &'static str, String); 5],
}

impl Stage {
    fn new() -> Self {
        let (mut world, alice) = (World::default(), Caller::default());
        let tags = ["Mirror", "Name"].map(|key| (key.to_owned(), "it".to_owned()));
        let tags = Tags::from(tags);
        let request = RunInstances { count: 2, tags: tags.clone(), ..RunInstances::default() };
        let instances = world.run_instances(&alice, &request).unwrap();
        let [interface, sensor] =
            [0, 1].map(|at: usize| world.instance(&instances[at]).unwrap().interfaces[0].clone());
        let endpoint = Endpoint::Interface(sensor);
        let target = world.create_target(&alice, endpoint, None, tags.clone()).unwrap();
        let filter = world.create_filter(&alice, None, tags).unwrap();
        let request = CreateSession {
            interface: interface.clone(),
            target: target.clone(),
            filter: filter.clone(),
            number: Some(1),
            ..CreateSession::default()
        };
        let session = world.create_session(&alice, &request).unwrap().id;
        let ids = [
            ("DescribeInstances", "InstanceId", instances[0].clone()),
            ("DescribeNetworkInterfaces", "NetworkInterfaceId", interface),
            ("DescribeTrafficMirrorSessions", "TrafficMirrorSessionId", session),
            ("DescribeTrafficMirrorTargets", "TrafficMirrorTargetId", target),
            ("DescribeTrafficMirrorFilters", "TrafficMirrorFilterId", filter),
        ];
        Self { world, alice, instances, ids }
    }

    fn answer(
        &mut self,
        action: &str,
        parameters: &[(&str, &str)],
        flaw: &Flaw,
    ) -> Result<String, Refusal> {
        let fixed = [("Action", action), ("Version", VERSION)];
        let all = fixed.iter().chain(parameters);
        let request = all.map(|&(name, value)| (name.to_owned(), value.to_owned())).collect();
        answer(&mut self.world, &self.alice, &request, flaw)
    }

    fn list(&mut self, action: &str, flaw: &Flaw) -> String {
        self.answer(action, &[], flaw).unwrap()
    }
}

/// What stands in the element, each time.
fn all_in<'a>(xml: &'a str, element: &str) -> Vec<&'a str> {
    let (start, end) = (format!("<{element}>"), format!("</{element}>"));
    xml.split(&start).skip(1).filter_map(|rest| Some(rest.split_once(&end)?.0)).collect()
}

#[test]
fn asking_for_an_id_is_answered_with_it_or_with_the_code_for_those_that_are_unknown() {
    let mut stage = Stage::new();
    let codes = [
        "InvalidInstanceID.NotFound",
        "InvalidNetworkInterfaceID.NotFound",
        "InvalidTrafficMirrorSessionId.NotFound",
        "InvalidTrafficMirrorTargetId.NotFound",
        "InvalidTrafficMirrorFilterId.NotFound",
    ];
    for ((action, name, id), code) in stage.ids.clone().into_iter().zip(codes) {
        let [first, second] = [1, 2].map(|number| format!("{name}.{number}"));
        let known = [(first.as_str(), id.as_str())];
        let answer = stage.answer(action, &known, &Flaw::None).unwrap();
        assert!(answer.contains(&id), "{action}");
        let prefix = id.split('-').next().unwrap();
        let unknown = format!("{prefix}-0ffffffffffffffff");
        let one_unknown = [known[0], (second.as_str(), unknown.as_str())];
        let refusal = stage.answer(action, &one_unknown, &Flaw::None).unwrap_err();
        assert_eq!((refusal.code.as_str(), refusal.status()), (code, 400));
        assert!(refusal.message.contains(&unknown), "{}", refusal.message);
    }
}

#[test]
fn tags_are_listed_with_their_resources() {
    let mut stage = Stage::new();
    let id = stage.instances[1].clone();
    let filters = [("Filter.1.Name", "resource-id"), ("Filter.1.Value.1", id.as_str())];
    let xml = stage.answer("DescribeTags", &filters, &Flaw::None).unwrap();
    let tags = all_in(&xml, "tagSet");
    let tag = |key: &str| {
        format!(
            "<item><resourceId>{id}</resourceId><resourceType>instance</resourceType>\
             <key>{key}</key><value>it</value></item>"
        )
    };
    assert_eq!(tags, [tag("Mirror") + &tag("Name")]);
}

#[test]
fn an_interface_is_described_as_its_creator_says() {
    let mut stage = Stage::new();
    let CreateInterface { subnet, .. } = CreateInterface::default();
    let subnet = ("SubnetId", subnet.as_str());
    let words = ("Description", "ELB net/a/b");
    let made = stage.answer("CreateNetworkInterface", &[subnet, words], &Flaw::None).unwrap();
    assert_eq!(all_in(&made, "description"), ["ELB net/a/b"]);
    let of_service = ("InterfaceType", "network_load_balancer");
    let refusal = stage.answer("CreateNetworkInterface", &[subnet, of_service], &Flaw::None);
    assert_eq!(refusal.unwrap_err().code, "InvalidParameterValue");
    let filters = [("Filter.1.Name", "description"), ("Filter.1.Value.1", "ELB net/*")];
    let found = stage.answer("DescribeNetworkInterfaces", &filters, &Flaw::None).unwrap();
    assert_eq!(all_in(&found, "description"), ["ELB net/a/b"]);
}

#[test]
fn instances_without_tags_are_otherwise_whole() {
    let mut stage = Stage::new();
    let whole = stage.list("DescribeInstances", &Flaw::None);
    let bare = stage.list("DescribeInstances", &Flaw::OmitTags);
    assert_eq!(all_in(&whole, "key").len(), 4);
    assert_eq!(all_in(&bare, "key").len(), 0);
    for element in ["instanceId", "networkInterfaceId", "instanceType"] {
        assert_eq!(all_in(&bare, element), all_in(&whole, element));
    }
    let half = stage.list("DescribeInstances", &Flaw::OmitTag("Mirror".to_owned()));
    assert_eq!(all_in(&half, "key"), ["Name", "Name"]);
}

#[test]
fn rows_are_left_out_or_unreadable_in_every_list() {
    let mut stage = Stage::new();
    let lists = stage.ids.clone().map(|(action, _, id)| (action, id));
    let tags = ("DescribeTags", stage.instances[0].clone());
    for (action, id) in lists.into_iter().chain([tags]) {
        let whole = stage.list(action, &Flaw::None);
        assert!(whole.contains(&id), "{action}");
        let empty = stage.list(action, &Flaw::OmitRows { per_mille: 1000, seed: 0 });
        assert!(!empty.contains("<item>"), "{action}");
        let unreadable = stage.list(action, &Flaw::Unreadable { per_mille: 1000, seed: 0 });
        let element = match action {
            "DescribeInstances" => "instanceId".to_owned(),
            "DescribeTags" => "resourceId".to_owned(),
            _ => format!("{}Id", {
                let noun = action.trim_start_matches("Describe").trim_end_matches('s');
                noun[..1].to_lowercase() + &noun[1..]
            }),
        };
        assert!(whole.contains(&format!("<{element}>{id}<")), "{action}: {element}");
        assert!(!unreadable.contains(&format!("<{element}>{id}<")), "{action}");
        let rows = |xml: &str| xml.matches("<item>").count();
        assert_eq!(rows(&unreadable), rows(&whole), "{action}");
    }
}

#[test]
fn chance_decides_row_by_row_and_the_seed_decides_chance() {
    let mut stage = Stage::new();
    let request = RunInstances { count: 998, ..RunInstances::default() };
    stage.world.run_instances(&stage.alice, &request).unwrap();
    let mut shown = |seed, per_mille| {
        let xml = stage.list("DescribeInstances", &Flaw::OmitRows { per_mille, seed });
        all_in(&xml, "instanceId").into_iter().map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(shown(1, 0).len(), 1000);
    let left = shown(1, 300);
    assert!((640..760).contains(&left.len()), "{}", left.len());
    assert_eq!(shown(1, 300), left);
    assert_ne!(shown(2, 300), left);
}

#[test]
fn pages_go_on_as_if_all_rows_were_there() {
    let mut stage = Stage::new();
    stage.world.max_page = Some(1);
    let omit = Flaw::OmitRows { per_mille: 1000, seed: 0 };
    let first = stage.list("DescribeInstances", &omit);
    let token = all_in(&first, "nextToken")[0];
    let second = stage.answer("DescribeInstances", &[("NextToken", token)], &Flaw::None).unwrap();
    assert_eq!(all_in(&second, "instanceId"), [stage.instances[1].as_str()]);
}

#[test]
fn the_token_of_the_second_page_is_that_of_the_first() {
    let mut stage = Stage::new();
    stage.world.run_instances(&stage.alice, &RunInstances::default()).unwrap();
    stage.world.max_page = Some(1);
    let first = stage.list("DescribeInstances", &Flaw::RepeatToken);
    let token = all_in(&first, "nextToken")[0];
    // However often it is asked.
    for _ in 0..2 {
        let request = [("NextToken", token)];
        let second = stage.answer("DescribeInstances", &request, &Flaw::RepeatToken).unwrap();
        assert_eq!(all_in(&second, "instanceId"), [stage.instances[1].as_str()]);
        assert_eq!(all_in(&second, "nextToken"), [token]);
    }
    let second = stage.answer("DescribeInstances", &[("NextToken", token)], &Flaw::None).unwrap();
    let last = all_in(&second, "nextToken")[0];
    let request = [("NextToken", last)];
    let third = stage.answer("DescribeInstances", &request, &Flaw::RepeatToken).unwrap();
    assert_eq!(all_in(&third, "nextToken").len(), 0, "the last page has none to repeat");
}

#[test]
fn interfaces_show_their_ipv6_addresses_and_what_they_are_attached_to() {
    let mut stage = Stage::new();
    let (_, _, interface) = &stage.ids[1];
    let address = "2600:1f18::7";
    stage.world.interface_mut(interface).unwrap().ipv6.push(address.parse().unwrap());
    let set = format!("<item><ipv6Address>{address}</ipv6Address></item>");
    for action in ["DescribeInstances", "DescribeNetworkInterfaces"] {
        let xml = stage.list(action, &Flaw::None);
        assert_eq!(all_in(&xml, "ipv6AddressesSet"), [&set], "{action}");
        let attachments = all_in(&xml, "attachment");
        assert_eq!(attachments.len(), 2, "{action}");
        assert!(attachments.iter().all(|it| it.contains("<status>attached</status>")), "{action}");
    }
    let xml = stage.list("DescribeNetworkInterfaces", &Flaw::None);
    let first = all_in(&xml, "attachment")[0];
    assert_eq!(all_in(first, "instanceId"), [stage.instances[0].as_str()]);
    assert_eq!(all_in(first, "instanceOwnerId"), [stage.alice.account.as_str()]);
}

#[test]
fn targets_show_what_is_behind_them_and_their_tags() {
    let mut stage = Stage::new();
    let arn = "arn:aws:elasticloadbalancing:us-east-1:111122223333:loadbalancer/net/a/b";
    for endpoint in [
        Endpoint::NetworkLoadBalancer(arn.to_owned()),
        Endpoint::GatewayLoadBalancerEndpoint("vpce-1".to_owned()),
    ] {
        let tags = [("Name".to_owned(), "it".to_owned())].into();
        stage.world.create_target(&stage.alice, endpoint, None, tags).unwrap();
    }
    let xml = stage.list("DescribeTrafficMirrorTargets", &Flaw::None);
    assert_eq!(all_in(&xml, "networkLoadBalancerArn"), [arn]);
    assert_eq!(all_in(&xml, "gatewayLoadBalancerEndpointId"), ["vpce-1"]);
    assert_eq!(all_in(&xml, "networkInterfaceId").len(), 1);
    assert_eq!(all_in(&xml, "key"), ["Mirror", "Name", "Name", "Name"]);
}

#[test]
fn filters_show_their_rules_in_full() {
    let mut stage = Stage::new();
    let filter = stage.ids[4].2.clone();
    let rule = CreateRule {
        protocol: Some(6),
        action: "reject".to_owned(),
        source_cidr: "10.0.0.0/8".to_owned(),
        source_ports: Some(PortRange { from: 1, to: 2 }),
        destination_ports: Some(PortRange { from: 3, to: 4 }),
        ..CreateRule::accept_all(&filter, Direction::Egress, 7)
    };
    stage.world.create_rule(&stage.alice, rule, Tags::new()).unwrap();
    let xml = stage.list("DescribeTrafficMirrorFilters", &Flaw::None);
    let rules = all_in(&xml, "egressFilterRuleSet")[0];
    for (element, text) in [
        ("trafficDirection", "egress"),
        ("ruleNumber", "7"),
        ("ruleAction", "reject"),
        ("protocol", "6"),
        ("sourcePortRange", "<fromPort>1</fromPort><toPort>2</toPort>"),
        ("destinationPortRange", "<fromPort>3</fromPort><toPort>4</toPort>"),
        ("sourceCidrBlock", "10.0.0.0/8"),
        ("destinationCidrBlock", "0.0.0.0/0"),
    ] {
        assert_eq!(all_in(rules, element), [text], "{element}");
    }
    assert!(!xml.contains("<ingressFilterRuleSet><item>"));
}

#[test]
fn what_lies_between_interfaces_is_listed_by_page_and_by_id() {
    let mut stage = Stage::new();
    let alice = stage.alice.clone();
    let endpoint =
        stage.world.create_gateway_load_balancer_endpoint(&alice, crate::aws::ec2::ZONE_A).unwrap();
    for (action, parameter, id, missing, largest) in [
        (
            "DescribeSecurityGroups",
            "GroupId.1",
            "sg-00000000000000000",
            "InvalidGroup.NotFound",
            "1000",
        ),
        (
            "DescribeNetworkAcls",
            "NetworkAclId.1",
            "acl-0000000000000000a",
            "InvalidNetworkAclID.NotFound",
            "1000",
        ),
        (
            "DescribeRouteTables",
            "RouteTableId.1",
            "rtb-0000000000000000a",
            "InvalidRouteTableID.NotFound",
            "100",
        ),
        (
            "DescribeVpcEndpoints",
            "VpcEndpointId.1",
            endpoint.as_str(),
            "InvalidVpcEndpointId.NotFound",
            "1000",
        ),
    ] {
        let by_id = stage.answer(action, &[(parameter, id)], &Flaw::None).unwrap();
        assert!(by_id.contains(id), "{by_id}");
        let refusal = stage.answer(action, &[(parameter, "x-1")], &Flaw::None).unwrap_err();
        assert_eq!(refusal.code, missing);
        stage.answer(action, &[("MaxResults", largest)], &Flaw::None).unwrap();
        let more = (largest.parse::<u32>().unwrap() + 1).to_string();
        let refusal = stage.answer(action, &[("MaxResults", &more)], &Flaw::None).unwrap_err();
        assert_eq!(refusal.code, "InvalidParameterValue", "{action}");
    }
    stage.world.max_page = Some(1);
    let first = stage.list("DescribeRouteTables", &Flaw::None);
    assert!(first.contains("nextToken") && !first.contains("rtb-0000000000000000b"), "{first}");
}
