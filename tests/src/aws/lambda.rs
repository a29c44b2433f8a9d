//! Lambda's API, as far as it tells what is deployed and invokes it.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use tokio::sync::{mpsc, oneshot};

use crate::aws::ec2::Refusal;
use crate::lambda::Answer;

/// A function that is deployed.
#[derive(Clone, Debug, Default)]
pub struct DeployedFunction {
    pub name: String,
    pub description: String,
    pub environment: BTreeMap<String, String>,
}

/// A call of `Invoke`, which waits for the function's answer.
#[derive(Debug)]
pub struct Invoke {
    pub function: String,
    pub payload: Vec<u8>,
    /// Who calls, as the ARN of a principal.
    pub caller: String,
    pub answer: oneshot::Sender<Answer>,
}

/// Functions on a page, the most that Lambda gives.
const PAGE: usize = 50;

/// The action that a path of its REST protocol stands for.
pub(crate) fn action(path: &str) -> Option<&'static str> {
    match path.strip_prefix("/2015-03-31/functions")? {
        "" | "/" => Some("ListFunctions"),
        rest if rest.ends_with("/invocations") => Some(INVOKE),
        _ => Some("GetFunctionConfiguration"),
    }
}

/// The action that only whoever runs the functions can answer.
pub(crate) const INVOKE: &str = "Invoke";

/// The header that asks for an invocation without an answer, as `Event` does. Those are not known here.
pub(crate) const INVOCATION_TYPE: &str = "x-amz-invocation-type";

/// Where calls of `Invoke` go. None: nothing runs the functions.
pub(crate) type Invocations = Option<mpsc::UnboundedSender<Invoke>>;

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
    Ok(shown(find(functions, path)?).to_string())
}

/// Hands an invocation to whoever runs the functions, and gives what its answer comes by.
pub(crate) fn invoke(
    functions: &[DeployedFunction],
    invocations: &Invocations,
    (path, payload, caller): (&str, &[u8], String),
) -> Result<oneshot::Receiver<Answer>, Refusal> {
    let function = find(functions, path)?.name.clone();
    let (answer, answered) = oneshot::channel();
    let invoke = Invoke { function, payload: payload.to_vec(), caller, answer };
    match invocations.as_ref().map(|it| it.send(invoke)) {
        Some(Ok(())) => Ok(answered),
        _ => Err(nothing_runs()),
    }
}

/// The answer where nothing runs the functions, or no longer.
pub(crate) fn nothing_runs() -> Refusal {
    Refusal::new("ServiceException", "nothing runs the functions of this local cloud")
}

/// The body of an answer, as Lambda documents it for functions that fail ("Invoke" in its API reference).
pub(crate) fn body(answer: &Answer) -> String {
    match answer {
        Answer::Response(value) => value.to_string(),
        Answer::NotJson(text) => text.clone(),
        Answer::Error(error) => {
            json!({"errorType": error.error_type, "errorMessage": error.error_message}).to_string()
        }
    }
}

fn find<'a>(
    functions: &'a [DeployedFunction],
    path: &str,
) -> Result<&'a DeployedFunction, Refusal> {
    let name = path.split('/').nth(3).unwrap_or_default();
    functions.iter().find(|function| function.name == name).ok_or_else(|| {
        let message =
            format!("Function not found: arn:aws:lambda:us-east-1:111122223333:function:{name}");
        Refusal::new("ResourceNotFoundException", message)
    })
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

#[cfg(test)]
mod tests {
    use super::*;

    const PATH: &str = "/2015-03-31/functions/automirror/invocations";

    fn ask(path: &str, invocations: &Invocations) -> Result<oneshot::Receiver<Answer>, Refusal> {
        let functions = [DeployedFunction { name: "automirror".to_owned(), ..Default::default() }];
        invoke(&functions, invocations, (path, b"{}", "arn:aws:iam::1:user/alice".to_owned()))
    }

    #[test]
    fn an_invocation_waits_for_whoever_runs_the_function() {
        assert_eq!(action(PATH), Some("Invoke"));
        let (sender, mut receiver) = mpsc::unbounded_channel();
        let mut answered = ask(PATH, &Some(sender)).unwrap();
        let invoke = receiver.try_recv().unwrap();
        assert_eq!((invoke.function.as_str(), &invoke.payload[..]), ("automirror", &b"{}"[..]));
        invoke.answer.send(Answer::Response(json!({"left": 0}))).unwrap();
        assert_eq!(body(&answered.try_recv().unwrap()), r#"{"left":0}"#);
    }

    #[test]
    fn an_invocation_that_nobody_can_answer_is_refused() {
        let (sender, receiver) = mpsc::unbounded_channel();
        let unknown = PATH.replace("automirror", "web");
        assert_eq!(
            ask(&unknown, &Some(sender.clone())).unwrap_err().code,
            "ResourceNotFoundException"
        );
        assert_eq!(ask(PATH, &None).unwrap_err().code, "ServiceException");
        drop(receiver);
        assert_eq!(ask(PATH, &Some(sender)).unwrap_err().code, "ServiceException");
    }
}
