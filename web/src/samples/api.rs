//! `sample()` of the pages about the API.

use serde_json::{Value, json};

use super::night::{adaeze, chrome_of};
use crate::{
    api::{ApiGroupPage, ApiPage, ProblemCode},
    chrome::Brake,
};

fn document() -> Value {
    let run = json!({"$ref": "#/components/schemas/Run"});
    let problem = json!({"description": "The state of things does not take it.",
        "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}});
    let approve = json!({"operationId": "post_runs_run_approve", "tags": ["runs"], "summary": "Approve it; never by its requester.",
        "description": "Role approver for the team. Audited as `run.approve`.",
        "parameters": [{"name": "run", "in": "path", "required": true, "schema": {"type": "string", "format": "uuid"}}],
        "requestBody": {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/NewVote"}}}},
        "responses": {"200": {"description": "Done.", "content": {"application/json": {"schema": run}}}, "409": problem}});
    let brake = json!({"operationId": "delete_brake", "tags": ["brake"], "summary": "Release it.",
        "description": "Role owner or admin. Audited as `brake.release`.", "responses": {"409": problem}});
    json!({
        "paths": {"/api/v1/runs/{run}/approve": {"post": approve}, "/api/v1/brake": {"delete": brake}},
        "components": {"schemas": {
            "NewVote": {"type": "object", "description": "A vote.", "example": {"comment": "it's fine"},
                "properties": {"comment": {"type": "string", "description": "Words kept in the evidence."}}},
            "Run": {"type": "object", "description": "A run.", "required": ["state"], "properties": {
                "state": {"$ref": "#/components/schemas/RunState"},
                "outcome": {"oneOf": [{"type": "null"}, {"type": "string", "description": "Where it ended."}]}}},
            "RunState": {"type": "string", "enum": ["approved", "rejected"], "description": "Where a run is in its life."},
            "Problem": {"type": "object", "required": ["code"], "properties": {"code": {"type": "string"}}},
        }},
    })
}

impl ApiPage {
    /// See [`crate::samples`].
    #[must_use]
    pub fn sample() -> Self {
        let code = ProblemCode {
            code: "own-request".to_owned(),
            status: 403,
            says: "Nobody approves what they requested.".to_owned(),
        };
        let chrome = chrome_of(Some(adaeze()), "/api", Brake::Released);
        Self::new(chrome, &document(), "https://muster.example", vec![code])
    }
}

impl ApiGroupPage {
    /// See [`crate::samples`].
    #[must_use]
    pub fn sample() -> Self {
        let chrome = chrome_of(Some(adaeze()), "/api/reference/runs", Brake::Released);
        Self::new(chrome, &document(), "https://muster.example", "runs").expect("the sample has runs")
    }
}
