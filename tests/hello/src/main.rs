//! Hello, world, as `cargo lambda new` begins it, on one thread, as automirror and config-rule run.

use lambda_runtime::{Error, LambdaEvent, service_fn};
use serde_json::{Value, json};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    lambda_runtime::tracing::init_default_subscriber();
    lambda_runtime::run(service_fn(handle)).await
}

async fn handle(_: LambdaEvent<Value>) -> Result<Value, Error> {
    Ok(json!({"message": "hello, world"}))
}
