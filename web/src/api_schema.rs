//! Schemas of the API's description as people read them: a type in words, and the fields of an object.

use serde_json::{Map, Value};

/// Parts of a type in words: text, and names of schemas that the page explains further down.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Word {
    pub(crate) text: String,
    /// Whether it is the name of a schema.
    pub(crate) named: bool,
}

/// One field of an object.
#[derive(Debug)]
pub(crate) struct Field {
    pub(crate) name: String,
    pub(crate) kind: Vec<Word>,
    pub(crate) required: bool,
    pub(crate) says: String,
}

/// A form an object can have, of one or several.
#[derive(Debug)]
pub(crate) struct Form {
    pub(crate) says: String,
    pub(crate) fields: Vec<Field>,
}

fn plain(text: impl Into<String>) -> Word {
    Word { text: text.into(), named: false }
}

/// The name a reference points to.
fn name_of(schema: &Value) -> Option<&str> {
    schema["$ref"].as_str()?.rsplit('/').next()
}

/// A member as text, empty when it is none.
pub(crate) fn text(value: &Value, key: &str) -> String {
    value[key].as_str().unwrap_or_default().to_owned()
}

/// A type in words: `list of Run`, `text (date-time) or null`, `one of low, medium`.
pub(crate) fn kind(schema: &Value) -> Vec<Word> {
    if let Some(name) = name_of(schema) {
        return vec![Word { text: name.to_owned(), named: true }];
    }
    if let Some(value) = schema.get("const") {
        return vec![plain(bare(value))];
    }
    if let Some(values) = schema["enum"].as_array() {
        let values: Vec<String> = values.iter().map(bare).collect();
        return vec![plain(if values.len() == 1 {
            values.concat()
        } else {
            format!("one of {}", values.join(", "))
        })];
    }
    if let Some(forms) = ["oneOf", "anyOf", "allOf"].iter().find_map(|key| schema[*key].as_array()) {
        return joined(forms.iter().map(kind), " or ");
    }
    match &schema["type"] {
        Value::Array(types) => {
            let one = |word: &Value| {
                let mut alone = schema.clone();
                alone["type"] = word.clone();
                kind(&alone)
            };
            joined(types.iter().map(one), " or ")
        }
        Value::String(word) => of_one_type(word, schema),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => vec![plain("anything")],
    }
}

fn of_one_type(word: &str, schema: &Value) -> Vec<Word> {
    let format = schema["format"].as_str();
    match (word, format) {
        ("array", _) => joined([vec![plain("list of")], kind(&schema["items"])].into_iter(), " "),
        ("object", _) if schema["additionalProperties"].is_object() => {
            joined([vec![plain("map of")], kind(&schema["additionalProperties"])].into_iter(), " ")
        }
        ("string", Some(format)) => vec![plain(format!("text ({format})"))],
        ("string", None) => vec![plain("text")],
        ("integer" | "number", _) => vec![plain("number")],
        ("boolean", _) => vec![plain("true or false")],
        (other, _) => vec![plain(other)],
    }
}

/// A value without the quotes of a text.
fn bare(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn joined(parts: impl Iterator<Item = Vec<Word>>, between: &str) -> Vec<Word> {
    let mut all: Vec<Word> = Vec::new();
    for part in parts.filter(|part| !part.is_empty()) {
        if !all.is_empty() {
            all.push(plain(between));
        }
        all.extend(part);
    }
    all
}

/// The forms of a schema: one for an object, several where one of several is meant, none for what is no object.
pub(crate) fn forms(schema: &Value) -> Vec<Form> {
    if let Some(parts) = schema["allOf"].as_array() {
        let mut whole = Form { says: String::new(), fields: Vec::new() };
        for part in parts {
            match name_of(part) {
                Some(_) => whole.fields.push(Field {
                    name: "…".to_owned(),
                    kind: joined([vec![plain("all of")], kind(part)].into_iter(), " "),
                    required: true,
                    says: text(part, "description"),
                }),
                None => whole.fields.extend(fields(part)),
            }
        }
        return vec![whole];
    }
    if let Some(parts) = schema["oneOf"].as_array() {
        let form = |part: &Value| Form { says: text(part, "description"), fields: fields(part) };
        return parts.iter().map(form).filter(|form| !form.fields.is_empty()).collect();
    }
    let fields = fields(schema);
    if fields.is_empty() { Vec::new() } else { vec![Form { says: String::new(), fields }] }
}

fn fields(schema: &Value) -> Vec<Field> {
    let required: Vec<&str> =
        schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let empty = Map::new();
    let properties = schema["properties"].as_object().unwrap_or(&empty);
    let field = |(name, property): (&String, &Value)| Field {
        name: name.clone(),
        kind: kind(property),
        required: required.contains(&name.as_str()),
        says: says(property),
    };
    properties.iter().map(field).collect()
}

/// What a property says of itself, also when it is a reference or null.
fn says(property: &Value) -> String {
    let own = text(property, "description");
    if !own.is_empty() {
        return own;
    }
    let forms = property["oneOf"].as_array();
    forms
        .into_iter()
        .flatten()
        .map(|form| text(form, "description"))
        .find(|text| !text.is_empty())
        .unwrap_or_default()
}

/// Names of all schemas a value refers to, in the order they come, also through one another.
pub(crate) fn named_in(value: &Value, schemas: &Value, seen: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            if let Some(name) = name_of(value).filter(|name| !seen.iter().any(|known| known == name)) {
                seen.push(name.to_owned());
                named_in(&schemas[name], schemas, seen);
            }
            members.values().for_each(|member| named_in(member, schemas, seen));
        }
        Value::Array(items) => items.iter().for_each(|item| named_in(item, schemas, seen)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn said(schema: Value) -> String {
        kind(&schema).into_iter().map(|word| word.text).collect()
    }

    #[test]
    fn types_are_said_in_words() {
        let run = json!({"$ref": "#/components/schemas/Run"});
        assert_eq!(said(json!({"type": "array", "items": run})), "list of Run");
        assert_eq!(said(json!({"oneOf": [run, {"type": "null"}]})), "Run or null");
        assert_eq!(said(json!({"type": ["string", "null"], "format": "uuid"})), "text (uuid) or null");
        assert_eq!(said(json!({"type": "string", "enum": ["low", "high"]})), "one of low, high");
        assert_eq!(said(json!({"const": "end"})), "end");
        assert_eq!(said(json!({"type": "object", "additionalProperties": run})), "map of Run");
        assert_eq!(said(json!({})), "anything");
    }

    #[test]
    fn schemas_are_found_through_one_another_and_once() {
        let schemas = json!({"A": {"properties": {"b": {"$ref": "#/components/schemas/B"}}},
            "B": {"properties": {"a": {"$ref": "#/components/schemas/A"}}}});
        let mut seen = Vec::new();
        named_in(&json!({"$ref": "#/components/schemas/A"}), &schemas, &mut seen);
        assert_eq!(seen, ["A", "B"]);
    }
}
