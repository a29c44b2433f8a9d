//! Client tokens: the same request with the same token gets the same answer.

use std::collections::HashMap;

use super::{Caller, CreateSession, Refusal, Session, World};

/// The first request and answer of every client token, by account.
#[derive(Clone, Debug, Default)]
pub(super) struct Replays(HashMap<(String, String), (CreateSession, Session)>);

impl World {
    /// The first answer, if the token was used before.
    pub(super) fn replay(
        &self,
        caller: &Caller,
        request: &CreateSession,
    ) -> Result<Option<Session>, Refusal> {
        let Some(token) = &request.client_token else { return Ok(None) };
        if token.len() > 64 || !token.is_ascii() {
            return Err(Refusal::value("ClientToken must have at most 64 ASCII characters"));
        }
        if let Some(answer) = &self.remembered_answer {
            return Ok(Some(answer.clone()));
        }
        let key = (caller.account.clone(), token.clone());
        let remembered = self.replays.0.get(&key).filter(|(_, session)| {
            self.token_outlives_session || self.session(&session.id).is_some()
        });
        match remembered {
            Some((first, session)) if self.is_the_same(first, request) => Ok(Some(session.clone())),
            Some(_) => Err(Refusal::new(
                "IdempotentParameterMismatch",
                "The request uses the same client token as a previous, but non-identical request.",
            )),
            None => Ok(None),
        }
    }

    fn is_the_same(&self, first: &CreateSession, request: &CreateSession) -> bool {
        if self.token_is_for_tags {
            return first == request;
        }
        let tags = request.tags.clone();
        CreateSession { tags, ..first.clone() } == *request
    }

    pub(super) fn remember(&mut self, caller: &Caller, request: &CreateSession, answer: &Session) {
        if let Some(token) = &request.client_token {
            let key = (caller.account.clone(), token.clone());
            self.replays.0.insert(key, (request.clone(), answer.clone()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::stage::Stage;
    use super::*;

    #[test]
    fn a_token_replays_the_first_answer_even_when_the_session_is_gone() {
        let mut stage = Stage::new();
        let request = CreateSession { client_token: Some("once".to_owned()), ..stage.request() };
        let first = stage.create(&request);
        assert_eq!(stage.create(&request), first);
        stage.world.delete_session(&stage.alice, &first.id).unwrap();
        assert_eq!(stage.create(&request), first);
        assert_eq!(stage.world.sessions().count(), 0);
    }

    #[test]
    fn a_token_may_forget_a_session_that_is_gone() {
        let mut stage = Stage::new();
        stage.world.token_outlives_session = false;
        let request = CreateSession { client_token: Some("once".to_owned()), ..stage.request() };
        let first = stage.create(&request);
        assert_eq!(stage.create(&request), first);
        stage.world.delete_session(&stage.alice, &first.id).unwrap();
        assert_ne!(stage.create(&request).id, first.id);
    }

    #[test]
    fn a_token_is_for_one_request_and_of_64_ascii_characters_at_most() {
        let mut stage = Stage::new();
        let with_token = |request: CreateSession, token: &str| CreateSession {
            client_token: Some(token.to_owned()),
            ..request
        };
        stage.create(&with_token(stage.request(), "once"));
        let other = CreateSession { number: Some(2), ..stage.request() };
        let refusal = stage.refuse(&with_token(other.clone(), "once"));
        assert_eq!(refusal.code, "IdempotentParameterMismatch");
        for token in ["x".repeat(65), "ü".to_owned()] {
            let refusal = stage.refuse(&with_token(other.clone(), &token));
            assert_eq!(refusal.code, "InvalidParameterValue");
        }
        stage.create(&with_token(other, &"x".repeat(64)));
    }

    #[test]
    fn a_token_may_be_for_whatever_tags() {
        let mut stage = Stage::new();
        let request = CreateSession { client_token: Some("once".to_owned()), ..stage.request() };
        let first = stage.create(&request);
        let tags = [("a".to_owned(), "1".to_owned())].into();
        let other = CreateSession { tags, ..request };
        assert_eq!(stage.refuse(&other).code, "IdempotentParameterMismatch");
        stage.world.token_is_for_tags = false;
        assert_eq!(stage.create(&other), first);
    }

    #[test]
    fn a_token_of_a_refused_request_is_not_used_up() {
        let mut stage = Stage::new();
        stage.world.session_limit = 0;
        let request = CreateSession { client_token: Some("once".to_owned()), ..stage.request() };
        assert_eq!(stage.refuse(&request).code, "TrafficMirrorSessionLimitExceeded");
        stage.world.session_limit = 1;
        stage.create(&request);
    }
}
