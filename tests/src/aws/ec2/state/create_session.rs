//! `CreateTrafficMirrorSession`: its rules, in the order in which they are checked.

use serde_json::json;

use super::session::Key;
use super::{Caller, Endpoint, Refusal, Session, Tags, World, cloudtrail, tag};

/// What session to create. The first four are required; numbers are wider than AWS allows, to be
/// refused.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CreateSession {
    pub interface: String,
    pub target: String,
    pub filter: String,
    pub number: Option<i64>,
    pub packet_length: Option<i64>,
    pub vni: Option<i64>,
    pub description: Option<String>,
    pub tags: Tags,
    pub client_token: Option<String>,
}

impl World {
    /// Creates a session; with a client token that was used before, answers as the first time, even
    /// if that session is gone by now.
    pub fn create_session(
        &mut self,
        caller: &Caller,
        request: &CreateSession,
    ) -> Result<Session, Refusal> {
        let answer = self.replay(caller, request).and_then(|replayed| match replayed {
            Some(session) => Ok(session),
            None => self.create_new_session(caller, request),
        });
        let response = answer.as_ref().map(|session| {
            json!({
                "trafficMirrorSession": cloudtrail::session(session),
                "clientToken": request.client_token,
            })
        });
        let told = cloudtrail::create_request(request);
        self.tell_wrapped_call(caller, "CreateTrafficMirrorSession", told, response);
        answer
    }

    fn create_new_session(
        &mut self,
        caller: &Caller,
        request: &CreateSession,
    ) -> Result<Session, Refusal> {
        let number = self.check_create(caller, request)?;
        let packet_length = packet_length(request.packet_length)?;
        let vni = match vni(request.vni)? {
            Some(vni) => vni,
            None => self.new_vni(&caller.account),
        };
        let session = Session {
            id: self.new_id("tms"),
            owner: caller.account.clone(),
            interface: request.interface.clone(),
            target: request.target.clone(),
            filter: request.filter.clone(),
            number,
            packet_length: packet_length.or(self.default_packet_length(&request.target)),
            vni,
            description: request.description.clone(),
            tags: request.tags.clone(),
        };
        self.sessions.put(session.clone());
        self.remember(caller, request, &session);
        Ok(session)
    }

    fn check_create(&self, caller: &Caller, request: &CreateSession) -> Result<u16, Refusal> {
        for (name, value) in [
            ("NetworkInterfaceId", &request.interface),
            ("TrafficMirrorTargetId", &request.target),
            ("TrafficMirrorFilterId", &request.filter),
        ] {
            if value.is_empty() {
                return Err(Refusal::missing_parameter(name));
            }
        }
        let number = request.number.ok_or_else(|| Refusal::missing_parameter("SessionNumber"))?;
        let number = session_number(number)?;
        packet_length(request.packet_length)?;
        vni(request.vni)?;
        tag::check(&request.tags)?;
        let source = self.interface_of(caller, &request.interface)?;
        self.visible_target(caller, &request.target)?;
        self.filter_of(caller, &request.filter)?;
        self.check_source(source)?;
        self.check_number(&source.id, number, None)?;
        self.check_room(&request.target, &source.id)?;
        if self.sessions.count(&Key::Owner(caller.account.clone())) >= self.session_limit {
            return Err(Refusal::new(
                "TrafficMirrorSessionLimitExceeded",
                format!("Session limit reached ({})", self.session_limit),
            ));
        }
        Ok(number)
    }

    /// What an unset packet length becomes: a Network Load Balancer cannot take jumbo frames.
    pub(super) fn default_packet_length(&self, target: &str) -> Option<u16> {
        let endpoint = &self.targets.get(target)?.endpoint;
        matches!(endpoint, Endpoint::NetworkLoadBalancer(_)).then_some(8500)
    }
}

pub(super) fn session_number(value: i64) -> Result<u16, Refusal> {
    in_range("SessionNumber", value, 1, 32_766)
}

pub(super) fn packet_length(value: Option<i64>) -> Result<Option<u16>, Refusal> {
    value.map(|value| in_range("PacketLength", value, 1, 8_500)).transpose()
}

pub(super) fn vni(value: Option<i64>) -> Result<Option<u32>, Refusal> {
    value.map(|value| in_range("VirtualNetworkId", value, 0, 0x00ff_ffff)).transpose()
}

fn in_range<T: TryFrom<i64>>(name: &str, value: i64, min: i64, max: i64) -> Result<T, Refusal> {
    let refusal = || {
        Refusal::value(format!(
            "Value ({value}) for parameter {name} is invalid. It must be from {min} to {max}."
        ))
    };
    if !(min..=max).contains(&value) {
        return Err(refusal());
    }
    T::try_from(value).map_err(|_| refusal())
}

#[cfg(test)]
mod tests {
    use super::super::stage::Stage;
    use super::*;

    #[test]
    fn numbers_have_ranges_and_their_ends_are_allowed() {
        let mut stage = Stage::new();
        let request = stage.request();
        let numbers = |number, packet_length, vni| CreateSession {
            number: Some(number),
            packet_length: Some(packet_length),
            vni: Some(vni),
            ..request.clone()
        };
        for (number, packet_length, vni) in
            [(0, 1, 0), (32_767, 1, 0), (1, 0, 0), (1, 8_501, 0), (1, 1, -1), (1, 1, 16_777_216)]
        {
            let refusal = stage.refuse(&numbers(number, packet_length, vni));
            assert_eq!(refusal.code, "InvalidParameterValue");
        }
        stage.create(&numbers(1, 1, 0));
        stage.create(&numbers(32_766, 8_500, 16_777_215));
    }

    #[test]
    fn a_session_without_a_vni_gets_one_that_no_other_has_but_a_chosen_one_need_not_be_unique() {
        let mut stage = Stage::new();
        let first = stage.create(&stage.request());
        let second = stage.create(&CreateSession { number: Some(2), ..stage.request() });
        assert_ne!(first.vni, second.vni);
        let vni = Some(first.vni.into());
        stage.create(&CreateSession { number: Some(3), vni, ..stage.request() });
    }

    #[test]
    fn tags_are_held_to_their_limits() {
        let mut stage = Stage::new();
        let request = stage.request();
        let tagged = |tags: Vec<(String, String)>| CreateSession {
            tags: tags.into_iter().collect(),
            ..request.clone()
        };
        let one = |key: &str, value: &str| tagged(vec![(key.to_owned(), value.to_owned())]);
        for request in [one(&"k".repeat(129), ""), one("k", &"v".repeat(257)), one("aws:k", "")] {
            assert_eq!(stage.refuse(&request).code, "InvalidParameterValue");
        }
        let many = |count| tagged((0..count).map(|n| (format!("k{n}"), String::new())).collect());
        assert_eq!(stage.refuse(&many(51)).code, "TagLimitExceeded");
        stage.create(&many(50));
    }

    #[test]
    fn creating_is_told_wrapped_and_failing_with_its_code() {
        let mut stage = Stage::new();
        let request = CreateSession { client_token: Some("once".to_owned()), ..stage.request() };
        let session = stage.create(&request);
        stage.refuse(&CreateSession { number: Some(0), ..stage.request() });
        let events = stage.world.take_events();
        let detail = &events[0]["detail"];
        assert_eq!(events[0]["detail-type"], "AWS API Call via CloudTrail");
        assert_eq!(detail["eventName"], "CreateTrafficMirrorSession");
        assert_eq!(
            detail["requestParameters"],
            json!({
                "CreateTrafficMirrorSessionRequest": {
                    "NetworkInterfaceId": session.interface,
                    "TrafficMirrorTargetId": session.target,
                    "TrafficMirrorFilterId": session.filter,
                    "SessionNumber": 1,
                    "ClientToken": "once",
                },
            })
        );
        let answer = &detail["responseElements"]["CreateTrafficMirrorSessionResponse"];
        assert_eq!(answer["trafficMirrorSession"]["trafficMirrorSessionId"], session.id);
        assert_eq!(answer["trafficMirrorSession"]["tagSet"], "");
        assert_eq!(detail["userIdentity"]["arn"], "arn:aws:iam::111122223333:user/alice");
        let failed = &events[1]["detail"];
        assert_eq!(failed["errorCode"], "Client.InvalidParameterValue");
        assert!(failed.get("responseElements").is_none());
    }
}
