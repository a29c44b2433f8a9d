//! CloudFormation templates, resolved as CloudFormation would: parameters, conditions, functions.
//!
//! Nothing is created. The names of resources are invented: of the right form, and the same each time.

mod attribute;
mod document;
mod function;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use serde::Serialize;
use serde_json::{Map, Value};

use attribute::Place;

/// A template as it was written.
#[derive(Clone, Debug)]
pub struct Template {
    document: Map<String, Value>,
}

/// What CloudFormation would make of it.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Stack {
    pub parameters: BTreeMap<String, Value>,
    /// Without those whose condition is false.
    pub resources: BTreeMap<String, Value>,
    pub outputs: BTreeMap<String, Value>,
}

impl Template {
    /// A template of this repository's folder `cloudformation`.
    pub fn of_repository(name: &str) -> anyhow::Result<Self> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).parent().map(PathBuf::from);
        Self::read(&folder.unwrap_or_default().join("cloudformation").join(name))
    }

    pub fn read(path: &Path) -> anyhow::Result<Self> {
        let text = std::fs::read_to_string(path)
            .with_context(|| format!("could not read {}", path.display()))?;
        Self::parse(&text).with_context(|| format!("in {}", path.display()))
    }

    pub fn parse(text: &str) -> anyhow::Result<Self> {
        match document::parse(text)? {
            Value::Object(document) => Ok(Self { document }),
            other => bail!("a template is a map, not {other}"),
        }
    }

    /// Whether there is a parameter of this name.
    pub fn has_parameter(&self, name: &str) -> bool {
        self.section("Parameters").is_some_and(|parameters| parameters.contains_key(name))
    }

    /// With these parameters; `AWS::Region`, `AWS::AccountId`, `AWS::Partition`, `AWS::StackName` and
    /// `AWS::StackId` can be given as well. `AllowedPattern` is not checked: that is cfn-lint's and CloudFormation's.
    pub fn resolve(&self, given: &[(&str, &str)]) -> anyhow::Result<Stack> {
        let mut place = Place::default();
        let mut chosen = BTreeMap::new();
        for &(name, value) in given {
            if !place.set(name, value) && chosen.insert(name, value).is_some() {
                bail!("the parameter {name} is given twice");
            }
        }
        let parameters = self.parameters(chosen)?;
        let resolver = Resolver { template: self, place, parameters };
        let resources = resolver.entries("Resources")?;
        let outputs = resolver.entries("Outputs")?;
        Ok(Stack { parameters: resolver.parameters, resources, outputs })
    }

    fn section(&self, name: &str) -> Option<&Map<String, Value>> {
        self.document.get(name)?.as_object()
    }

    fn parameters(
        &self,
        mut chosen: BTreeMap<&str, &str>,
    ) -> anyhow::Result<BTreeMap<String, Value>> {
        let mut parameters = BTreeMap::new();
        for (name, declared) in self.section("Parameters").into_iter().flatten() {
            let given = chosen.remove(name.as_str()).map(str::to_owned);
            let default = || declared.get("Default").map(plain).transpose();
            let value = match given {
                Some(given) => given,
                None => default()?.with_context(|| format!("the parameter {name} is not given"))?,
            };
            if let Some(allowed) = declared.get("AllowedValues").and_then(Value::as_array) {
                let allowed = allowed.iter().map(plain).collect::<anyhow::Result<Vec<_>>>()?;
                if !allowed.contains(&value) {
                    bail!("the parameter {name} is one of {}, not {value}", allowed.join(", "));
                }
            }
            let kind = declared.get("Type").and_then(Value::as_str).unwrap_or_default();
            let is_list = kind == "CommaDelimitedList" || kind.starts_with("List<");
            // A number is text wherever it is referred to, as in CloudFormation.
            let value = if is_list { list(&value) } else { value.into() };
            parameters.insert(name.clone(), value);
        }
        match chosen.keys().next() {
            Some(name) => bail!("there is no parameter {name}"),
            None => Ok(parameters),
        }
    }
}

fn list(value: &str) -> Value {
    value.split(',').filter(|item| !item.is_empty()).map(|item| item.trim().to_owned()).collect()
}

/// A scalar as text.
fn plain(value: &Value) -> anyhow::Result<String> {
    match value {
        Value::String(text) => Ok(text.clone()),
        Value::Number(_) | Value::Bool(_) => Ok(value.to_string()),
        other => bail!("{other} is not text"),
    }
}

/// A template with its parameters.
struct Resolver<'a> {
    template: &'a Template,
    place: Place,
    parameters: BTreeMap<String, Value>,
}

impl Resolver<'_> {
    /// The resources or the outputs.
    fn entries(&self, section: &str) -> anyhow::Result<BTreeMap<String, Value>> {
        let mut entries = BTreeMap::new();
        for (id, entry) in self.template.section(section).into_iter().flatten() {
            if self.exists(entry).with_context(|| id.clone())? {
                let mut entry = entry.clone();
                if let Some(entry) = entry.as_object_mut() {
                    entry.remove("Condition");
                }
                let resolved = self.value(&entry).with_context(|| id.clone())?;
                entries.insert(id.clone(), resolved.unwrap_or_default());
            }
        }
        Ok(entries)
    }

    /// Whether the condition of a resource or an output is true.
    fn exists(&self, entry: &Value) -> anyhow::Result<bool> {
        match entry.get("Condition") {
            None => Ok(true),
            Some(Value::String(name)) => self.condition(name),
            Some(other) => bail!("{other} does not name a condition"),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// The one value in the only resource of a template with parameters and conditions.
    fn value(expression: &str) -> anyhow::Result<Value> {
        value_with(expression, &[])
    }

    fn value_with(expression: &str, given: &[(&str, &str)]) -> anyhow::Result<Value> {
        let text = format!(
            r#"
Parameters:
  Empty: {{Type: String, Default: ""}}
  Ids: {{Type: String, Default: "a,b"}}
  Size: {{Type: Number, Default: 128, AllowedValues: [128, 256]}}
  Names: {{Type: CommaDelimitedList, Default: "x, y"}}
Mappings:
  Sizes: {{"128": {{Half: 64}}}}
Conditions:
  IsEmpty: !Equals [!Ref Empty, ""]
  IsFull: !Not [!Condition IsEmpty]
  Both: !And [{{Condition: IsEmpty}}, {{Condition: IsFull}}]
  Either: !Or [{{Condition: IsEmpty}}, {{Condition: IsFull}}]
Resources:
  Queue: {{Type: AWS::SQS::Queue}}
  Gone: {{Type: AWS::SQS::Queue, Condition: IsFull}}
  Role: {{Type: AWS::IAM::Role}}
  Filter: {{Type: AWS::EC2::TrafficMirrorFilter}}
  LogGroup: {{Type: AWS::Logs::LogGroup}}
  Topic: {{Type: AWS::SNS::Topic}}
  It:
    Type: AWS::Lambda::Function
    Properties:
      Value: {expression}
Outputs:
  Seen: {{Value: !Ref Queue}}
  Unseen: {{Condition: IsFull, Value: !Ref Gone}}
"#
        );
        let stack = Template::parse(&text)?.resolve(given)?;
        assert_eq!(stack.resources.contains_key("Gone"), stack.outputs.contains_key("Unseen"));
        Ok(stack.resources["It"]["Properties"]["Value"].clone())
    }

    #[track_caller]
    fn gives(expression: &str, expected: &Value) {
        assert_eq!(value(expression).unwrap(), *expected, "{expression}");
    }

    #[track_caller]
    fn fails(expression: &str, message: &str) {
        let err = format!("{:#}", value(expression).unwrap_err());
        assert!(err.contains(message) && err.starts_with("It: "), "{expression}: {err}");
    }

    #[test]
    fn functions_give_what_cloudformation_gives() {
        gives("!Ref Ids", &json!("a,b"));
        gives("!Ref Size", &json!("128"));
        gives("!Ref Names", &json!(["x", "y"]));
        gives("!Ref AWS::Region", &json!("us-east-1"));
        gives(
            "!Join ['-', [!Ref AWS::Partition, !Ref AWS::AccountId]]",
            &json!("aws-111122223333"),
        );
        gives("!Split [',', !Ref Ids]", &json!(["a", "b"]));
        gives("!Select [1, !Ref Names]", &json!("y"));
        gives("!FindInMap [Sizes, !Ref Size, Half]", &json!(64));
        gives("!Sub '${AWS::StackName}/${Ids}/${!Kept}'", &json!("stack/a,b/${Kept}"));
        gives("!Sub ['${Mine}-${Ids}', {Mine: !Select [0, !Ref Names]}]", &json!("x-a,b"));
        gives("{Fn::Join: [':', [a, {Ref: Ids}]]}", &json!("a:a,b"));
        gives("{Condition: {Bool: {a: 'true'}}}", &json!({"Condition": {"Bool": {"a": "true"}}}));
    }

    #[test]
    fn conditions_choose_and_only_the_chosen_is_resolved() {
        gives("!If [IsEmpty, 1, !Ref Unknown]", &json!(1));
        gives("!If [IsFull, !GetAtt Gone.Arn, 2]", &json!(2));
        gives("[!If [Both, both, neither], !If [Either, one, none]]", &json!(["neither", "one"]));
        let gone = value_with("!GetAtt Gone.QueueName", &[("Empty", "no")]).unwrap();
        assert!(gone.as_str().unwrap().starts_with("stack-Gone-"), "{gone}");
    }

    #[test]
    fn no_value_leaves_out_the_item_and_the_member() {
        gives("[1, !Ref AWS::NoValue, !If [IsFull, 2, !Ref AWS::NoValue]]", &json!([1]));
        gives("{Here: 1, Gone: !Ref AWS::NoValue}", &json!({"Here": 1}));
    }

    #[test]
    fn what_is_not_known_is_named() {
        fails("!Ref Unicorn", "Unicorn");
        fails("!GetAtt Unicorn.Arn", "Unicorn");
        fails("!GetAtt Queue.Horn", "AWS::SQS::Queue has no attribute Horn");
        fails("!Sub '${Unicorn}'", "Unicorn");
        fails("!GetAtt Gone.Arn", "Gone is left out");
        fails("!If [Unicorn, 1, 2]", "there is no condition Unicorn");
        fails("!FindInMap [Sizes, '1', Half]", "1");
        fails("!Select [2, !Ref Names]", "2");
        fails("!Cidr [1, 2]", "Fn::Cidr is not known");
        fails("!Join ['-']", "Fn::Join");
    }

    #[test]
    fn the_template_of_this_repository_resolves() {
        let stack = Template::of_repository("automirror.yaml").unwrap().resolve(&[]).unwrap();
        for role in ["Role", "ConfigRuleRole", "LifecycleRole"] {
            let policies = &stack.resources[role]["Properties"]["Policies"];
            assert!(policies[0]["PolicyDocument"]["Statement"].is_array(), "{role}");
        }
        let arn = stack.outputs["RoleArn"]["Value"].as_str().unwrap();
        assert!(arn.starts_with("arn:aws:iam::111122223333:role/automirror/stack-Role-"), "{arn}");
        assert_eq!(stack.outputs["ConfigRuleName"]["Value"], "automirror");
    }
}
