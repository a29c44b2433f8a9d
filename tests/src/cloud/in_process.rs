//! AWS's clients without a network between them and the cloud: time may stand still meanwhile, and the owner
//! of the gate decides when each call comes.

use std::fmt;
use std::sync::Arc;

use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_runtime_api::http::StatusCode;
use aws_smithy_types::body::SdkBody;
use axum::body::Bytes;
use axum::http::{HeaderMap, HeaderValue, Uri};
use futures_util::future::BoxFuture;

use super::reply::{Reply, reply};
use super::service::Request;
use super::{Cloud, Shared};

/// When a call waits at its gate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Moment {
    /// On its way to the cloud.
    Before,
    /// Done there, but not answered yet.
    After,
}

/// Lets a call on, by the name of its action. A future that never ends loses it.
pub type Gate = Arc<dyn Fn(&str, Moment) -> BoxFuture<'static, ()> + Send + Sync>;

impl Cloud {
    /// What AWS's clients take as their HTTP client.
    pub fn connect(&self, gate: Gate) -> impl HttpClient + 'static {
        Line { shared: Arc::clone(&self.shared), gate }
    }
}

#[derive(Clone)]
struct Line {
    shared: Arc<Shared>,
    gate: Gate,
}

impl fmt::Debug for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Line")
    }
}

impl HttpClient for Line {
    fn http_connector(
        &self,
        _: &HttpConnectorSettings,
        _: &RuntimeComponents,
    ) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

impl HttpConnector for Line {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let line = self.clone();
        HttpConnectorFuture::new(async move { line.send(&request).await })
    }
}

impl Line {
    async fn send(&self, request: &HttpRequest) -> Result<HttpResponse, ConnectorError> {
        let uri: Uri = request.uri().parse().map_err(user_error)?;
        let mut headers = HeaderMap::new();
        for (name, value) in request.headers() {
            let name: axum::http::HeaderName = name.parse().map_err(user_error)?;
            headers.append(name, HeaderValue::from_str(value).map_err(user_error)?);
        }
        let body = Bytes::copy_from_slice(request.body().bytes().unwrap_or_default());
        let action = Request::read(&uri, &headers, body.clone()).action;
        (self.gate)(&action, Moment::Before).await;
        let reply = reply(&self.shared, &uri, &headers, body).await;
        (self.gate)(&action, Moment::After).await;
        match reply {
            Reply::Answer { status, service, body, .. } => {
                let status = StatusCode::try_from(status.as_u16()).map_err(user_error)?;
                let mut response = HttpResponse::new(status, SdkBody::from(service.encode(body)));
                let [(name, value)] = service.content_type();
                response.headers_mut().insert(name.as_str().to_owned(), value);
                Ok(response)
            }
            Reply::Never => std::future::pending().await,
            Reply::Reset => {
                let error = std::io::Error::from(std::io::ErrorKind::ConnectionReset);
                Err(ConnectorError::io(error.into()))
            }
        }
    }
}

fn user_error(error: impl std::error::Error + Send + Sync + 'static) -> ConnectorError {
    ConnectorError::user(error.into())
}
