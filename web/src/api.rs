//! The API for people who write programs: every address, made from the same OpenAPI document that programs read.

use askama::{Template, filters::HtmlSafe};
use muster_domain::shell::quoted;
use serde_json::{Map, Value};

use crate::{
    api_schema::{Form, Word, forms, kind, named_in, text},
    chrome::Chrome,
    parts::Link,
};

/// What somebody asks for by `METHOD path`.
#[derive(Debug)]
struct Brief {
    method: String,
    path: String,
    says: String,
    who: String,
    href: String,
}

/// Addresses about one kind of thing.
#[derive(Debug)]
struct Group {
    name: String,
    href: String,
    operations: Vec<Brief>,
}

/// A problem code: what it means and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProblemCode {
    /// Stable.
    pub code: String,
    /// Status it comes with.
    pub status: u16,
    /// What it means, in a sentence or two.
    pub says: String,
}

/// `GET /api`: all addresses, how to begin, the problem codes.
#[derive(Debug, Template)]
#[template(path = "pages/api.html")]
pub struct ApiPage {
    chrome: Chrome,
    url: String,
    groups: Vec<Group>,
    codes: Vec<ProblemCode>,
}

impl ApiPage {
    /// Of a document; `url` is where people reach this server.
    #[must_use]
    pub fn new(chrome: Chrome, document: &Value, url: &str, codes: Vec<ProblemCode>) -> Self {
        let mut groups: Vec<Group> = Vec::new();
        for (path, method, operation) in operations(document) {
            let name = group_of(operation);
            let href = address(&name);
            let brief = Brief {
                href: format!("{href}#{}", text(operation, "operationId")),
                method: method.to_uppercase(),
                path: path.to_owned(),
                says: text(operation, "summary"),
                who: text(operation, "description"),
            };
            match groups.iter_mut().find(|group| group.name == name) {
                Some(group) => group.operations.push(brief),
                None => groups.push(Group { name, href, operations: vec![brief] }),
            }
        }
        Self { chrome: chrome.titled("API"), url: url.to_owned(), groups, codes }
    }
}

/// What an operation takes outside of its body.
#[derive(Debug)]
struct Parameter {
    name: String,
    place: String,
    kind: Kind,
    required: bool,
    says: String,
}

/// A body, or an answer.
#[derive(Debug)]
struct Content {
    status: String,
    says: String,
    media: String,
    kind: Kind,
}

/// A type in words whose names lead to their explanation on the page.
#[derive(Debug, Template)]
#[template(
    source = r##"{% for word in self.0 %}{% if word.named %}<a href="#schema-{{ word.text }}">{{ word.text }}</a>{% else %}{{ word.text }}{% endif %}{% endfor %}"##,
    ext = "html"
)]
struct Kind(Vec<Word>);
impl HtmlSafe for Kind {}

/// One address with one method, in full.
#[derive(Debug)]
struct Operation {
    id: String,
    method: String,
    path: String,
    says: String,
    who: String,
    parameters: Vec<Parameter>,
    takes: Vec<Content>,
    answers: Vec<Content>,
    curl: String,
}

/// A schema that addresses of the group use.
#[derive(Debug)]
struct Schema {
    name: String,
    says: String,
    kind: Kind,
    forms: Vec<Form>,
}

/// `GET /api/reference/{group}`: the addresses about one kind of thing, with what they take and answer.
#[derive(Debug, Template)]
#[template(path = "pages/api_group.html")]
pub struct ApiGroupPage {
    chrome: Chrome,
    name: String,
    operations: Vec<Operation>,
    schemas: Vec<Schema>,
    groups: Vec<Link>,
}

impl ApiGroupPage {
    /// Of a document; `None` when no address is about that.
    #[must_use]
    pub fn new(chrome: Chrome, document: &Value, url: &str, name: &str) -> Option<Self> {
        let of_group = operations(document).filter(|(.., operation)| group_of(operation) == name);
        let schemas = &document["components"]["schemas"];
        let mut used = Vec::new();
        let operations: Vec<Operation> = of_group
            .map(|(path, method, operation)| {
                for part in ["requestBody", "responses"] {
                    named_in(&operation[part], schemas, &mut used);
                }
                read(path, method, operation, schemas, url)
            })
            .collect();
        if operations.is_empty() {
            return None;
        }
        let schema = |name: &String| Schema {
            name: name.clone(),
            says: text(&schemas[name], "description"),
            kind: Kind(kind(&schemas[name])),
            forms: forms(&schemas[name]),
        };
        used.sort();
        let mut groups: Vec<String> =
            self::operations(document).map(|(.., operation)| group_of(operation)).collect();
        groups.dedup();
        groups.sort();
        groups.dedup();
        Some(Self {
            chrome: chrome.titled(format!("API: {name}")).under("/api", "API").here(name),
            name: name.to_owned(),
            operations,
            schemas: used.iter().map(schema).collect(),
            groups: groups.into_iter().map(|name| Link::new(address(&name), name)).collect(),
        })
    }
}

fn address(group: &str) -> String {
    format!("/api/reference/{group}")
}

/// Path, method and operation of all there are, in the order of the document.
fn operations(document: &Value) -> impl Iterator<Item = (&str, &str, &Value)> {
    let paths = document["paths"].as_object().into_iter().flatten();
    paths.flat_map(|(path, methods)| {
        let methods = methods.as_object().into_iter().flatten();
        methods.map(move |(method, operation)| (path.as_str(), method.as_str(), operation))
    })
}

fn group_of(operation: &Value) -> String {
    operation["tags"][0].as_str().unwrap_or("service").to_owned()
}

fn read(path: &str, method: &str, operation: &Value, schemas: &Value, url: &str) -> Operation {
    let parameter = |parameter: &Value| Parameter {
        name: text(parameter, "name"),
        place: text(parameter, "in"),
        kind: Kind(kind(&parameter["schema"])),
        required: parameter["required"] == true,
        says: text(parameter, "description"),
    };
    let empty = Map::new();
    let answers = operation["responses"].as_object().unwrap_or(&empty);
    Operation {
        id: text(operation, "operationId"),
        method: method.to_uppercase(),
        path: path.to_owned(),
        says: text(operation, "summary"),
        who: text(operation, "description"),
        parameters: operation["parameters"].as_array().into_iter().flatten().map(parameter).collect(),
        takes: contents("", &operation["requestBody"]),
        answers: answers.iter().flat_map(|(status, answer)| contents(status, answer)).collect(),
        curl: curl(path, method, operation, schemas, url),
    }
}

fn contents(status: &str, value: &Value) -> Vec<Content> {
    let content = |media: &str, kind: Vec<Word>| Content {
        status: status.to_owned(),
        says: text(value, "description"),
        media: media.to_owned(),
        kind: Kind(kind),
    };
    match value["content"].as_object() {
        Some(all) => all.iter().map(|(media, what)| content(media, kind(&what["schema"]))).collect(),
        None if value.is_null() => Vec::new(),
        None => vec![content("", Vec::new())],
    }
}

/// A command to try it with: the token from the environment, the schema's example as the body.
fn curl(path: &str, method: &str, operation: &Value, schemas: &Value, url: &str) -> String {
    let mut words = vec![format!("curl -s {url}{path}")];
    if method != "get" {
        words.push(format!("-X {}", method.to_uppercase()));
    }
    if operation["security"] != Value::Array(Vec::new()) {
        words.push("-H \"Authorization: Bearer $MUSTER_TOKEN\"".to_owned());
    }
    let body = &operation["requestBody"]["content"]["application/json"]["schema"]["$ref"];
    if let Some(name) = body.as_str().and_then(|name| name.rsplit('/').next()) {
        let example = schemas[name].get("example").map(Value::to_string).unwrap_or_else(|| "{}".to_owned());
        words.push(format!("--json {}", quoted(&example)));
    }
    words.join(" \\\n  ")
}
