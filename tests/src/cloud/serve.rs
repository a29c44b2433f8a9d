//! The cloud as a server: requests come over HTTP, and connections break where a fault says so.

use std::future;
use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{ConnectInfo, State};
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use tokio::net::TcpListener;

use super::Shared;
use super::line::{Cut, Lines};
use super::reply::{Reply, reply};

pub(super) async fn serve(listener: TcpListener, shared: Arc<Shared>) {
    let lines = Lines { listener, shared: Arc::clone(&shared) };
    let router = Router::new().fallback(handle).with_state(shared);
    let service = router.into_make_service_with_connect_info::<Cut>();
    if let Err(err) = axum::serve(lines, service).await {
        eprintln!("local cloud: {err:#}");
    }
}

async fn handle(
    State(shared): State<Arc<Shared>>,
    ConnectInfo(line): ConnectInfo<Cut>,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    match reply(&shared, &uri, &headers, body).await {
        Reply::Answer { status, service, body } => {
            (status, service.content_type(), body).into_response()
        }
        Reply::Never => future::pending().await,
        Reply::Reset => {
            line.cut();
            StatusCode::OK.into_response()
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{self, ErrorKind, Read, Write};
    use std::net::TcpStream;
    use std::thread;
    use std::time::Duration;

    use super::super::{Cloud, Options};
    use crate::aws::ec2::{Caller, Instance, Query, RunInstances};
    use crate::cloud::call::{Outcome, count};
    use crate::cloud::fault::{Fault, Kind};

    const RUN: &str = "RunInstances&MinCount=1&MaxCount=1";

    fn start() -> Cloud {
        Cloud::start(&Options::default()).unwrap()
    }

    /// Sends a request as Alice, and reads the answer to the end of the connection.
    fn send(endpoint: &str, action: &str) -> io::Result<String> {
        let mut answer = String::new();
        request(endpoint, action)?.read_to_string(&mut answer)?;
        Ok(answer)
    }

    fn request(endpoint: &str, action: &str) -> io::Result<TcpStream> {
        let address = endpoint.trim_start_matches("http://");
        let mut stream = TcpStream::connect(address)?;
        let body = format!("Action={action}&Version=2016-11-15");
        let credential =
            "AWS4-HMAC-SHA256 Credential=111122223333/20260101/us-east-1/ec2/aws4_request";
        write!(
            stream,
            "POST / HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\
             authorization: {credential}\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        )?;
        Ok(stream)
    }

    fn instances(cloud: &Cloud) -> usize {
        let world = cloud.world();
        world.describe::<Instance>(&Caller::default(), &Query::default()).unwrap().rows.len()
    }

    #[test]
    fn an_unknown_action_is_refused_in_xml() {
        let cloud = start();
        let answer = send(&cloud.endpoint(), "DescribeUnicorns").unwrap();
        assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
        assert!(answer.contains("<Errors><Error><Code>InvalidAction</Code><Message>"), "{answer}");
        assert_eq!(cloud.calls()[0].outcome, Outcome::Refused("InvalidAction".to_owned()));
    }

    #[test]
    fn calls_are_recorded_with_their_caller_and_parameters() {
        let cloud = start();
        send(&cloud.endpoint(), RUN).unwrap();
        send(&cloud.endpoint(), "DescribeInstances").unwrap();
        let calls = cloud.calls();
        assert_eq!((count(&calls, "RunInstances"), count(&calls, "DescribeInstances")), (1, 1));
        assert_eq!(calls[0].caller, Caller::default());
        assert_eq!(calls[0].parameters["MaxCount"], "1");
        assert_eq!(calls[0].outcome, Outcome::Done);
        cloud.clear_calls();
        assert!(cloud.calls().is_empty());
    }

    #[test]
    fn a_reset_is_seen_by_the_client_with_or_without_the_effect() {
        for (kind, effect) in [(Kind::ResetBefore, 0), (Kind::ResetAfter, 1)] {
            let cloud = start();
            cloud.faults().add(Fault::once("RunInstances", kind.clone()));
            let err = send(&cloud.endpoint(), RUN).unwrap_err();
            assert_eq!(err.kind(), ErrorKind::ConnectionReset);
            assert_eq!(instances(&cloud), effect);
            assert_eq!(cloud.calls()[0].outcome, Outcome::Fault(kind));
            assert!(send(&cloud.endpoint(), RUN).unwrap().starts_with("HTTP/1.1 200"));
        }
    }

    #[test]
    fn a_call_that_hangs_is_never_answered_with_or_without_the_effect() {
        for (kind, effect) in [(Kind::HangBefore, 0), (Kind::HangAfter, 1)] {
            let cloud = start();
            cloud.faults().add(Fault::once("*", kind));
            let mut stream = request(&cloud.endpoint(), RUN).unwrap();
            stream.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
            // Nothing comes, neither before the call is recorded nor after.
            let mut recorded = false;
            while !recorded {
                recorded = !cloud.calls().is_empty();
                let err = stream.read(&mut [0]).unwrap_err();
                // A child process of another test that ends interrupts the read.
                let silence = [ErrorKind::WouldBlock, ErrorKind::TimedOut, ErrorKind::Interrupted];
                assert!(silence.contains(&err.kind()), "{err}");
            }
            assert_eq!(instances(&cloud), effect);
        }
    }

    #[test]
    fn an_error_on_demand_has_its_code_and_status_and_no_effect() {
        let cloud = start();
        let teapot = Kind::Refuse {
            code: "Teapot".to_owned(),
            message: "short & stout".to_owned(),
            status: 418,
        };
        for (kind, status, code) in [
            (Kind::Throttle, "503", "RequestLimitExceeded"),
            (Kind::ServerError, "500", "InternalError"),
            (Kind::Unavailable, "503", "Unavailable"),
            (teapot, "418", "Teapot"),
        ] {
            cloud.faults().add(Fault::once("RunInstances", kind));
            let answer = send(&cloud.endpoint(), RUN).unwrap();
            assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{answer}");
            assert!(answer.contains(&format!("<Code>{code}</Code>")), "{answer}");
        }
        assert_eq!(instances(&cloud), 0);
    }

    #[test]
    fn garbage_is_a_success_that_cannot_be_read() {
        let cloud = start();
        cloud.faults().add(Fault::once("RunInstances", Kind::Garbage));
        let answer = send(&cloud.endpoint(), RUN).unwrap();
        assert!(answer.starts_with("HTTP/1.1 200") && !answer.contains('<'), "{answer}");
        assert_eq!(instances(&cloud), 1);
    }

    #[test]
    fn a_stale_read_answers_from_the_frozen_world() {
        let cloud = start();
        cloud.world().freeze();
        let alice = Caller::default();
        cloud.world().run_instances(&alice, &RunInstances::default()).unwrap();
        cloud.faults().add(Fault::once("DescribeInstances", Kind::StaleRead));
        let stale = send(&cloud.endpoint(), "DescribeInstances").unwrap();
        assert!(stale.contains("<reservationSet/>"), "{stale}");
        let fresh = send(&cloud.endpoint(), "DescribeInstances").unwrap();
        assert!(fresh.contains("<instanceId>"), "{fresh}");
    }

    #[tokio::test]
    async fn a_held_call_takes_effect_when_it_is_released() {
        let cloud = start();
        cloud.faults().add(Fault::once("RunInstances", Kind::Hold));
        let endpoint = cloud.endpoint();
        let held = thread::spawn(move || send(&endpoint, RUN));
        cloud.faults().held(1).await;
        assert_eq!(instances(&cloud), 0);
        // Another one overtakes it.
        send(&cloud.endpoint(), RUN).unwrap();
        assert_eq!(instances(&cloud), 1);
        cloud.faults().release();
        assert!(held.join().unwrap().unwrap().starts_with("HTTP/1.1 200"));
        assert_eq!(instances(&cloud), 2);
    }

    #[test]
    fn the_cloud_stops_when_it_is_dropped() {
        let cloud = start();
        let endpoint = cloud.endpoint();
        drop(cloud);
        // The port may be given to another process at once, but not to one that speaks EC2.
        assert!(send(&endpoint, "DescribeInstances").map_or(true, |answer| answer.is_empty()));
    }
}
