//! `muster routes`: every address there is, for reviewers of access and for tests that own a list. Speaks to nobody.

use muster_domain::people::Role;
use serde_json::{Value, json};

use super::{print, reach};
use crate::{
    http::route::{Access, Audit, Kind, Route},
    routes,
};

/// Prints the table of routes.
pub(super) fn routes(as_json: bool) {
    let items: Vec<Value> = routes::routes().iter().map(described).collect();
    if as_json {
        print::json(&json!({"items": items}));
        return;
    }
    let row = |route: &Value| {
        let mut row = ["method", "path", "kind", "who", "audit"].map(|key| print::word(route, key)).to_vec();
        let commands = route["commands"].as_array().into_iter().flatten().filter_map(Value::as_str);
        row.push(commands.collect::<Vec<_>>().join(", "));
        row
    };
    let rows: Vec<Vec<String>> = items.iter().map(row).collect();
    print::table(&["METHOD", "PATH", "FOR", "WHO MAY USE IT", "IN THE AUDIT", "COMMANDS"], &rows);
}

fn described(route: &Route) -> Value {
    json!({
        "method": route.method.as_str(),
        "path": route.path,
        "kind": match route.rule.kind {
            Kind::Api => "api",
            Kind::Page => "page",
        },
        "who": who(route.rule.access),
        "audit": match route.rule.audit {
            Audit::Reads => "changes nothing",
            Audit::Writes(action) => action,
        },
        "commands": reach::commands(route),
        "no_command": reach::why_none(route),
    })
}

fn who(access: Access) -> String {
    let named = |roles: &[Role]| roles.iter().map(|role| role.as_str()).collect::<Vec<_>>().join(" or ");
    match access {
        Access::Anyone => "anyone".to_owned(),
        Access::SignedIn => "anyone signed in".to_owned(),
        Access::Reader(of) => format!("who may read the {}", of.as_str()),
        Access::Role(roles, of) => format!("{} of the {}", named(roles), of.as_str()),
        Access::Anywhere(roles) => format!("{} of any team", named(roles)),
        Access::Auditor => "who may read everything".to_owned(),
    }
}
