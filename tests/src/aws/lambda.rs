//! Lambda's API, as far as it tells what is deployed.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::aws::ec2::Refusal;

/// A function that is deployed.
#[derive(Clone, Debug, Default)]
pub struct DeployedFunction {
    pub name: String,
    pub description: String,
    pub environment: BTreeMap<String, String>,
}

/// Functions on a page, the most that Lambda gives.
const PAGE: usize = 50;

/// The action that a path of its REST protocol stands for.
pub(crate) fn action(path: &str) -> Option<&'static str> {
    let rest = path.strip_prefix("/2015-03-31/functions")?;
    if matches!(rest, "" | "/") { Some("ListFunctions") } else { Some("GetFunctionConfiguration") }
}

/// Does what a request asks for; the answer is JSON.
pub(crate) fn answer(
    functions: &[DeployedFunction],
    action: &str,
    path: &str,
    parameters: &BTreeMap<String, String>,
) -> Result<String, Refusal> {
    if action == "ListFunctions" {
        let marker = parameters.get("Marker").and_then(|it| it.parse().ok()).unwrap_or(0_usize);
        let page: Vec<Value> = functions.iter().skip(marker).take(PAGE).map(shown).collect();
        let next = marker + page.len();
        let marker = (next < functions.len()).then(|| next.to_string());
        return Ok(json!({"Functions": page, "NextMarker": marker}).to_string());
    }
    let name = path.split('/').nth(3).unwrap_or_default();
    let function = functions.iter().find(|function| function.name == name);
    let function = function.ok_or_else(|| {
        let message =
            format!("Function not found: arn:aws:lambda:us-east-1:111122223333:function:{name}");
        Refusal::new("ResourceNotFoundException", message)
    })?;
    Ok(shown(function).to_string())
}

/// The body of an error response.
pub(crate) fn refuse(refusal: &Refusal) -> String {
    json!({"__type": refusal.code, "Message": refusal.message, "Type": "User"}).to_string()
}

fn shown(function: &DeployedFunction) -> Value {
    let DeployedFunction { name, description, environment } = function;
    json!({
        "FunctionName": name,
        "FunctionArn": format!("arn:aws:lambda:us-east-1:111122223333:function:{name}"),
        "Description": description,
        "Environment": {"Variables": environment},
        "LoggingConfig": {"LogFormat": "JSON", "LogGroup": format!("/aws/lambda/{name}")},
        "LastModified": "2026-01-02T03:04:05.000+0000",
        "Runtime": "provided.al2023",
        "Version": "$LATEST",
    })
}
