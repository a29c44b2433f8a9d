//! What EC2 answers: the first line names a call, and then come answers, each a status on a line and
//! a body, with `===` on a line between them. After the last one the connection is lost.

use std::{
    collections::{BTreeSet, VecDeque},
    sync::{Arc, Mutex},
};

use automirror::failure::{Failure, Kind};
use aws_sdk_ec2::{
    Client,
    config::{
        BehaviorVersion, Credentials, Region, SharedCredentialsProvider, SharedHttpClient,
        http::{HttpRequest, HttpResponse},
        retry::RetryConfig,
    },
};
use aws_smithy_runtime_api::client::{
    http::{HttpConnector, HttpConnectorFuture, SharedHttpConnector, http_client_fn},
    result::ConnectorError,
};
use shared::{plan::plan, policy::Policy};
use shared_ec2::{
    client::{Ec2, SdkConfig},
    observe::observe,
    reader::Reader,
    selector::Selector,
};

/// The longest line said about a step or a failure.
const LONGEST: usize = 5_000;

/// Any answer is data or a failure with a reason that is fit for the log.
pub fn check(input: &[u8]) {
    let (call, answers) = split(input, b"\n");
    let answers = Answers::parse(answers);
    let status = answers.first_status();
    let config = config(answers.clone());
    let client = Client::new(&config);
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
    match call {
        b"create" => {
            let send = client.create_traffic_mirror_session().send();
            check_change(status, runtime.block_on(send).map_err(Failure::from));
        }
        b"modify" => {
            let send = client.modify_traffic_mirror_session().send();
            check_change(status, runtime.block_on(send).map_err(Failure::from));
        }
        b"delete" => {
            let send = client.delete_traffic_mirror_session().send();
            check_change(status, runtime.block_on(send).map_err(Failure::from));
        }
        b"named" => {
            let selectors = [
                Selector::Instance("i-1".parse().unwrap()),
                Selector::Interface("eni-2".parse().unwrap()),
                Selector::Session("tms-1".parse().unwrap()),
                Selector::Unattached,
            ];
            runtime.block_on(check_reading(&config, selectors.into(), &answers));
        }
        _ => runtime.block_on(check_reading(&config, [Selector::Sweep].into(), &answers)),
    }
}

fn check_change<T>(status: Option<u16>, changed: Result<T, Failure>) {
    let Err(Failure { kind, code, message }) = changed else {
        assert!(status.is_some_and(|status| status < 400), "a success");
        return;
    };
    crate::assert_fit(&message, LONGEST);
    match status {
        None => assert_eq!((kind, code), (Kind::Transient, None), "no answer"),
        Some(500..) => assert!(!matches!(kind, Kind::Permanent | Kind::Conflict), "{code:?}"),
        Some(_) => {}
    }
}

/// What was read in part only is an error: nothing may be decided from it.
async fn check_reading(config: &SdkConfig, selectors: BTreeSet<Selector>, answers: &Answers) {
    let policy = Policy::parse(|_| None).expect("the defaults are valid");
    let account = "111111111111".parse().unwrap();
    let ec2 = Ec2::new(config);
    for judges in [false, true] {
        let reader = Reader { ec2: &ec2, policy: &policy, account: &account, cache: None, judges };
        check_read(&reader, &selectors, answers).await;
    }
}

async fn check_read(reader: &Reader<'_>, selectors: &BTreeSet<Selector>, answers: &Answers) {
    if let Ok(observed) = observe(reader, selectors).await {
        assert!(!answers.went_wrong(), "a call was not answered with success");
        for step in plan(reader.policy, &observed).steps {
            crate::assert_fit(&step.to_string(), LONGEST);
        }
    }
}

#[derive(Clone, Debug)]
struct Answers(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    left: VecDeque<Answer>,
    /// Something else than a success was given.
    went_wrong: bool,
}

/// A status and a body.
type Answer = (u16, Vec<u8>);

impl Answers {
    fn parse(mut text: &[u8]) -> Self {
        let mut left = VecDeque::new();
        while !text.is_empty() {
            let (answer, rest) = split(text, b"\n===\n");
            let (status, body) = split(answer, b"\n");
            let status = std::str::from_utf8(status).ok().and_then(|status| status.parse().ok());
            left.push_back((status.unwrap_or(200), body.to_vec()));
            text = rest;
        }
        Self(Arc::new(Mutex::new(State { left, went_wrong: false })))
    }

    fn first_status(&self) -> Option<u16> {
        self.0.lock().unwrap().left.front().map(|(status, _)| *status)
    }

    fn went_wrong(&self) -> bool {
        self.0.lock().unwrap().went_wrong
    }
}

impl HttpConnector for Answers {
    fn call(&self, _: HttpRequest) -> HttpConnectorFuture {
        let mut state = self.0.lock().unwrap();
        let answer = state.left.pop_front();
        state.went_wrong |= !matches!(answer, Some((200..300, _)));
        let answer = answer.and_then(|(status, body)| Some((status.try_into().ok()?, body)));
        HttpConnectorFuture::ready(match answer {
            Some((status, body)) => Ok(HttpResponse::new(status, body.into())),
            None => Err(ConnectorError::io("the connection is lost".into())),
        })
    }
}

fn config(answers: Answers) -> SdkConfig {
    let connector = SharedHttpConnector::new(answers);
    let credentials = Credentials::new("key", "secret", None, None, "fuzz");
    let http: SharedHttpClient = http_client_fn(move |_, _| connector.clone());
    SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::from_static("eu-central-1"))
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .retry_config(RetryConfig::disabled())
        .http_client(http)
        .build()
}

/// What stands before and after the first `at`; all and nothing where there is none.
fn split<'a>(text: &'a [u8], at: &[u8]) -> (&'a [u8], &'a [u8]) {
    match text.windows(at.len()).position(|part| part == at) {
        Some(position) => (&text[..position], &text[position + at.len()..]),
        None => (text, &[]),
    }
}
