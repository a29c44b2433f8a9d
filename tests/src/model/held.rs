//! Calls that are held on their way to EC2, and the answers to those that were let through.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient,
    SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use tokio::sync::oneshot;

use super::run::DELETE;

/// What becomes of a call that was held.
#[derive(Clone, Copy, Debug)]
pub(super) enum Fate {
    Answered,
    /// It has its effect, but its answer is lost.
    Unanswered,
}

/// The calls of an execution environment to EC2.
#[derive(Debug)]
struct Desk {
    /// Whether a call of this action waits.
    waits: fn(&str) -> bool,
    waiting: Vec<(Request, oneshot::Sender<Fate>)>,
    /// What was asked and answered since it was last forgotten.
    answered: Vec<(Request, String)>,
}

/// The parameters of a call.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Request(BTreeMap<String, String>);

impl Request {
    fn read(request: &HttpRequest) -> Self {
        let body = request.body().bytes().unwrap_or_default();
        Self(form_urlencoded::parse(body).into_owned().collect())
    }

    pub(super) fn get(&self, name: &str) -> &str {
        self.0.get(name).map(String::as_str).unwrap_or_default()
    }

    pub(super) fn action(&self) -> &str {
        self.get("Action")
    }

    pub(super) fn text(&self) -> String {
        let pairs = self.0.iter().map(|(name, value)| format!("{name}={value}"));
        pairs.collect::<Vec<_>>().join("&")
    }
}

/// The desk of one execution environment, shared with its client.
#[derive(Clone, Debug)]
pub(super) struct Held(Arc<Mutex<Desk>>);

impl Held {
    pub(super) fn new(waits: fn(&str) -> bool) -> Self {
        let desk = Desk { waits, waiting: Vec::new(), answered: Vec::new() };
        Self(Arc::new(Mutex::new(desk)))
    }

    /// An HTTP client whose calls wait here before `client` makes them.
    pub(super) fn before(&self, client: impl HttpClient + 'static) -> SharedHttpClient {
        SharedHttpClient::new(Client { held: self.clone(), inner: SharedHttpClient::new(client) })
    }

    pub(super) fn waiting(&self) -> Vec<Request> {
        self.desk().waiting.iter().map(|(request, _)| request.clone()).collect()
    }

    pub(super) fn answered(&self) -> Vec<(Request, String)> {
        self.desk().answered.clone()
    }

    pub(super) fn last_answer(&self) -> String {
        self.desk().answered.last().map(|(_, answer)| answer.clone()).unwrap_or_default()
    }

    /// How often EC2 has confirmed that a session is gone which the execution environment deletes.
    pub(super) fn deletions(&self) -> usize {
        let is_gone = |(request, answer): &&(Request, String)| {
            request.action() == DELETE
                && (answer.contains("NotFound") || !answer.contains("<Error>"))
        };
        self.desk().answered.iter().filter(is_gone).count()
    }

    /// Forgets the answers so far, which do not matter any more.
    pub(super) fn forget(&self) {
        self.desk().answered.clear();
    }

    pub(super) fn let_through(&self, call: usize, fate: Fate) {
        let (_, turn) = self.desk().waiting.remove(call);
        turn.send(fate).expect("the call waits");
    }

    fn desk(&self) -> MutexGuard<'_, Desk> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn turn(&self, request: &Request) -> Option<oneshot::Receiver<Fate>> {
        let mut desk = self.desk();
        if !(desk.waits)(request.action()) {
            return None;
        }
        let (sender, receiver) = oneshot::channel();
        desk.waiting.push((request.clone(), sender));
        Some(receiver)
    }

    fn note(&self, request: Request, answer: &HttpResponse) {
        let body = answer.body().bytes().unwrap_or_default();
        let body = String::from_utf8_lossy(body).into_owned();
        self.desk().answered.push((request, body));
    }
}

#[derive(Clone, Debug)]
struct Client {
    held: Held,
    inner: SharedHttpClient,
}

impl HttpClient for Client {
    fn http_connector(
        &self,
        settings: &HttpConnectorSettings,
        components: &RuntimeComponents,
    ) -> SharedHttpConnector {
        let inner = self.inner.http_connector(settings, components);
        SharedHttpConnector::new(Connector { held: self.held.clone(), inner })
    }
}

#[derive(Clone, Debug)]
struct Connector {
    held: Held,
    inner: SharedHttpConnector,
}

impl HttpConnector for Connector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let Self { held, inner } = self.clone();
        HttpConnectorFuture::new(async move {
            let asked = Request::read(&request);
            let fate = match held.turn(&asked) {
                None => Fate::Answered,
                Some(turn) => turn.await.unwrap_or(Fate::Unanswered),
            };
            let answer = inner.call(request).await?;
            held.note(asked, &answer);
            match fate {
                Fate::Answered => Ok(answer),
                Fate::Unanswered => std::future::pending().await,
            }
        })
    }
}
