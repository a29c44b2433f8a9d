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
use super::connection::{Cut, Lines};
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
        Reply::Answer { status, service, body, function_failed } => {
            let failed = function_failed.then_some([("x-amz-function-error", "Unhandled")]);
            (status, service.content_type(), failed, service.encode(body)).into_response()
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
    use crate::cloud::call::Outcome;
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

    /// The answer is like any other, and so is its record.
    #[test]
    fn a_list_is_flawed_while_the_same_ids_are_answered_truly() {
        let cloud = start();
        let instance = {
            let mut world = cloud.world();
            let tags = [("Mirror".to_owned(), "True".to_owned())].into();
            let request = RunInstances { tags, ..RunInstances::default() };
            world.run_instances(&Caller::default(), &request).unwrap().remove(0)
        };
        let by_id = format!("DescribeInstances&InstanceId.1={instance}");
        let by_filter = "DescribeInstances&Filter.1.Name=instance-id&Filter.1.Value.1=i-*";
        let by_tag = "DescribeInstances&Filter.1.Name=tag-key&Filter.1.Value.1=Mirror";
        for (kind, whole, flawed) in [
            (Kind::OmitTags, by_tag, by_filter),
            (Kind::OmitTags, "DescribeTags", "DescribeInstances"),
            (Kind::OmitTag("Mirror".to_owned()), "DescribeTags", by_tag),
            (Kind::OmitRows { per_mille: 1000 }, &by_id, by_filter),
            (Kind::Unreadable { per_mille: 1000 }, &by_id, by_filter),
        ] {
            cloud.faults().clear();
            cloud.faults().add(Fault::new("*", kind.clone()));
            let shows = |request: &str| {
                let answer = send(&cloud.endpoint(), request).unwrap();
                assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
                answer.contains(&format!(">{instance}<")) && answer.contains(">Mirror<")
            };
            assert!(shows(&by_id) && shows(whole), "{kind:?}");
            assert!(!shows(flawed), "{kind:?}");
        }
        assert!(cloud.calls().iter().all(|call| call.outcome == Outcome::Done));
    }
}
