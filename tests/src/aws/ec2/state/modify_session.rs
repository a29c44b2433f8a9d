//! `ModifyTrafficMirrorSession`: the same rules for what changes.

use serde_json::json;

use super::create_session::{packet_length, session_number, vni};
use super::{Caller, Endpoint, Refusal, Session, World, cloudtrail};

/// What to change about a session; what is `None` stays.
#[derive(Clone, Debug, Default)]
pub struct ModifySession {
    pub session: String,
    pub target: Option<String>,
    pub filter: Option<String>,
    pub number: Option<i64>,
    pub packet_length: Option<i64>,
    pub vni: Option<i64>,
    pub description: Option<String>,
    /// What goes back to its default.
    pub remove: Vec<Field>,
}

/// A field that can be removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field {
    PacketLength,
    Description,
    VirtualNetworkId,
}

impl Field {
    pub(crate) fn parse(name: &str) -> Result<Self, Refusal> {
        [Self::PacketLength, Self::Description, Self::VirtualNetworkId]
            .into_iter()
            .find(|field| field.name() == name)
            .ok_or_else(|| {
                Refusal::value(format!("Value ({name}) for parameter RemoveField is invalid."))
            })
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::PacketLength => "packet-length",
            Self::Description => "description",
            Self::VirtualNetworkId => "virtual-network-id",
        }
    }
}

impl World {
    /// Changes a session of the caller's.
    pub fn modify_session(
        &mut self,
        caller: &Caller,
        request: &ModifySession,
    ) -> Result<Session, Refusal> {
        let answer = self.modified(caller, request);
        if let Ok(session) = &answer {
            self.sessions.put(session.clone());
        }
        let response = answer
            .as_ref()
            .map(|session| json!({ "trafficMirrorSession": cloudtrail::session(session) }));
        let told = cloudtrail::modify_request(request);
        self.tell_wrapped_call(caller, "ModifyTrafficMirrorSession", told, response);
        answer
    }

    /// The session as it would be afterwards.
    fn modified(&mut self, caller: &Caller, request: &ModifySession) -> Result<Session, Refusal> {
        if request.session.is_empty() {
            return Err(Refusal::missing_parameter("TrafficMirrorSessionId"));
        }
        let mut session = self.session_of(caller, &request.session)?.clone();
        if let Some(number) = request.number {
            session.number = session_number(number)?;
            self.check_number(&session.interface, session.number, Some(&session.id))?;
        }
        if let Some(filter) = &request.filter {
            session.filter.clone_from(&self.filter_of(caller, filter)?.id);
        }
        if let Some(target) = &request.target {
            self.check_new_target(caller, &session, target)?;
            session.target.clone_from(target);
        }
        if let Some(length) = packet_length(request.packet_length)? {
            session.packet_length = Some(length);
        }
        if let Some(vni) = vni(request.vni)? {
            session.vni = vni;
        }
        if let Some(description) = &request.description {
            session.description = Some(description.clone());
        }
        for field in &request.remove {
            match field {
                Field::PacketLength => session.packet_length = None,
                Field::Description => session.description = None,
                Field::VirtualNetworkId => session.vni = self.new_vni(&session.owner),
            }
        }
        session.packet_length =
            session.packet_length.or_else(|| self.default_packet_length(&session.target));
        Ok(session)
    }

    fn check_new_target(
        &self,
        caller: &Caller,
        session: &Session,
        target: &str,
    ) -> Result<(), Refusal> {
        let found = self.visible_target(caller, target)?;
        if matches!(&found.endpoint, Endpoint::Interface(on) if *on == session.interface) {
            return Err(Refusal::value(format!(
                "{} is in use by target {target}",
                session.interface
            )));
        }
        self.check_room(target, &session.interface)
    }
}

#[cfg(test)]
mod tests {
    use super::super::CreateSession;
    use super::super::stage::Stage;
    use super::*;

    fn with_session() -> (Stage, Session) {
        let mut stage = Stage::new();
        let request = CreateSession {
            packet_length: Some(100),
            vni: Some(42),
            description: Some("mine".to_owned()),
            ..stage.request()
        };
        let session = stage.create(&request);
        (stage, session)
    }

    fn of(session: &Session) -> ModifySession {
        ModifySession { session: session.id.clone(), ..ModifySession::default() }
    }

    #[test]
    fn a_change_is_held_to_the_rules_and_a_refused_one_changes_nothing() {
        let (mut stage, session) = with_session();
        stage.create(&CreateSession { number: Some(2), ..stage.request() });
        for (request, code) in [
            (ModifySession { number: Some(2), ..of(&session) }, "InvalidParameterValue"),
            (ModifySession { number: Some(0), ..of(&session) }, "InvalidParameterValue"),
            (ModifySession { packet_length: Some(0), ..of(&session) }, "InvalidParameterValue"),
            (
                ModifySession { filter: Some("tmf-gone".to_owned()), ..of(&session) },
                "InvalidTrafficMirrorFilterId.NotFound",
            ),
            (
                ModifySession { target: Some("tmt-gone".to_owned()), ..of(&session) },
                "InvalidTrafficMirrorTargetId.NotFound",
            ),
        ] {
            let refusal = stage.world.modify_session(&stage.alice, &request).unwrap_err();
            assert_eq!(refusal.code, code);
        }
        assert_eq!(stage.world.session(&session.id), Some(&session));
    }

    #[test]
    fn a_session_cannot_move_to_a_full_target_or_to_its_own_source() {
        let (mut stage, _) = with_session();
        for _ in 0..9 {
            let interface = stage.launch("t3.micro");
            stage.create(&CreateSession { interface, ..stage.request() });
        }
        let (target, interface) = (stage.balancer(), stage.launch("t3.micro"));
        let session = stage.create(&CreateSession { interface, target, ..stage.request() });
        let request = ModifySession { target: Some(stage.target.clone()), ..of(&session) };
        let refusal = stage.world.modify_session(&stage.alice, &request).unwrap_err();
        assert_eq!(refusal.code, "TrafficMirrorSourcesPerTargetLimitExceeded");

        let itself = Endpoint::Interface(session.interface.clone());
        let itself =
            stage.world.create_target(&stage.alice, itself, None, super::super::Tags::new());
        let request = ModifySession { target: Some(itself.unwrap()), ..of(&session) };
        let refusal = stage.world.modify_session(&stage.alice, &request).unwrap_err();
        assert_eq!(refusal.code, "InvalidParameterValue");
    }
}
