//! `sample()` of people, teams and settings.

use muster_domain::{
    audit::{AuditContent, AuditEntry},
    people::{Actor, Grant, Role},
    problem::Problem,
};
use serde_json::json;

use super::{
    account::{sessions, tokens},
    ago,
    night::{adaeze, chrome_of, names, team, wei},
};
use crate::{
    chrome::{Brake, Chrome},
    people_forms::{PersonEditForm, TeamForm},
    person::{PersonFacts, PersonFormPage, PersonPage, PersonSeen},
    settings::{InstallationSeen, ProcessSeen, SettingSeen, SettingsPage},
    teams::{MemberSeen, TeamPage, TeamSeen, TeamsPage},
};

pub(super) fn admin(path: &str) -> Chrome {
    chrome_of(Some(wei()), path, Brake::Released)
}

fn grant(role: Role, name: Option<&str>) -> Grant {
    Grant { role, team: name.map(team) }
}

fn deed(number: i64, action: &str, object: &str, outcome: &str) -> AuditEntry {
    AuditEntry {
        content: AuditContent {
            number,
            at: ago(4000 - number * 10),
            actor: "tomas.ferreira".to_owned(),
            action: action.to_owned(),
            object: object.to_owned(),
            outcome: outcome.to_owned(),
            detail: json!({}),
        },
        previous_hash: String::new(),
        hash: String::new(),
    }
}

fn person<'a>(grants: &'a [Grant], groups: &'a [String]) -> PersonSeen<'a> {
    PersonSeen {
        name: "tomas.ferreira",
        display_name: "Tomás Ferreira",
        grants,
        from_provider: &grants[1..],
        identity: Some(("https://login.example.com/realms/main", "248289761001")),
        groups,
        disabled_at: None,
        locked_until: Some(ago(-420)),
        may_unlock: true,
        sessions: &[],
        tokens: &[],
        did: &[],
    }
}

impl PersonPage {
    /// Somebody by groups too, locked out.
    #[must_use]
    pub fn sample() -> Self {
        let grants = [grant(Role::Approver, Some("payments-core")), grant(Role::Viewer, None)];
        let (groups, sessions, tokens) = (names(&["staff", "payments-oncall"]), sessions(), tokens());
        let did = [
            deed(311, "run.approve", "run 2141", "done"),
            deed(208, "pair.change", "pair payments", "refused"),
        ];
        let seen =
            PersonSeen { sessions: &sessions[1..], tokens: &tokens, did: &did, ..person(&grants, &groups) };
        Self::new(admin("/people/tomas.ferreira"), &seen, "changed")
    }

    /// Somebody who left, with the longest and the worst name there is.
    #[must_use]
    pub fn sample_left() -> Self {
        let longest = "n".repeat(63);
        let name = format!("<script>alert(1)</script> {}", "Wolfeschlegelsteinhausenbergerdorff ".repeat(5));
        let seen = PersonSeen {
            name: &longest,
            display_name: &name,
            grants: &[],
            from_provider: &[],
            identity: None,
            groups: &[],
            disabled_at: Some(ago(86_400)),
            locked_until: None,
            may_unlock: false,
            sessions: &[],
            tokens: &[],
            did: &[],
        };
        Self::new(admin("/people/n"), &seen, "")
    }
}

impl PersonFormPage {
    /// Taking a role away that is needed.
    #[must_use]
    pub fn sample() -> Self {
        let grants = [grant(Role::Approver, Some("payments-core")), grant(Role::Viewer, None)];
        let (groups, teams) = (names(&["staff"]), names(&["order-platform", "payments-core"]));
        let seen = person(&grants, &groups);
        let facts = PersonFacts {
            name: "tomas.ferreira",
            grants: &grants,
            from_provider: &grants[1..],
            may_sign_in: true,
            teams: &teams,
            has_provider: true,
        };
        let problem = Problem::new(
            "too-few-approvers",
            "Pair `payments` of team `payments-core`: a run needs 1 approval of people who did not ask for it, and only \
             priya.raman may approve; 1 more is needed.",
            "Let an admin give the role approver for the team `payments-core` to 1 more, or ask for fewer approvals.",
        );
        let form = PersonEditForm::of(&seen, 4);
        Self::new(admin("/people/tomas.ferreira/edit"), &facts, &form, Some(&problem))
    }

    /// Somebody who leaves: the form took everything away and comes back to ask.
    #[must_use]
    pub fn sample_taking() -> Self {
        let grants = [grant(Role::Approver, Some("payments-core")), grant(Role::Operator, None)];
        let teams = names(&["order-platform", "payments-core"]);
        let facts = PersonFacts {
            name: "tomas.ferreira",
            grants: &grants,
            from_provider: &[],
            may_sign_in: true,
            teams: &teams,
            has_provider: false,
        };
        let form = PersonEditForm { version: "4".to_owned(), ..PersonEditForm::default() };
        Self::new(admin("/people/tomas.ferreira/edit"), &facts, &form, None)
    }
}

pub(super) fn payments_core() -> TeamSeen {
    let member = |name: &str, roles: &[Role], everywhere: &[Role]| MemberSeen {
        name: name.to_owned(),
        roles: roles.to_vec(),
        everywhere: everywhere.to_vec(),
        may_sign_in: name != "jonas.lindqvist",
    };
    TeamSeen {
        name: "payments-core".to_owned(),
        description: "Cards, cash and the ledger".to_owned(),
        members: vec![
            member("adaeze.obi", &[Role::Operator], &[Role::Viewer]),
            member("jonas.lindqvist", &[Role::Approver], &[]),
            member("priya.raman", &[], &[Role::Approver]),
        ],
        pairs: names(&["payments", "payments-ledger"]),
        channels: names(&["on-call", "room"]),
        version: 3,
    }
}

pub(super) fn nobodys() -> TeamSeen {
    TeamSeen {
        name: "new-team".to_owned(),
        description: String::new(),
        members: Vec::new(),
        pairs: Vec::new(),
        channels: Vec::new(),
        version: 1,
    }
}

impl TeamsPage {
    /// Two teams, for an admin.
    #[must_use]
    pub fn sample() -> Self {
        Self::new(admin("/teams"), &[nobodys(), payments_core()], &TeamForm::default(), None, "created")
    }

    /// None, for somebody who may make none.
    #[must_use]
    pub fn sample_empty() -> Self {
        let viewer = Actor { grants: vec![grant(Role::Viewer, Some("payments-core"))], ..adaeze() };
        Self::new(chrome_of(Some(viewer), "/teams", Brake::Released), &[], &TeamForm::default(), None, "")
    }
}

impl TeamPage {
    /// With all that belongs to one.
    #[must_use]
    pub fn sample() -> Self {
        Self::new(admin("/teams/payments-core"), &payments_core(), None, None, "changed")
    }

    /// Nothing belongs to it.
    #[must_use]
    pub fn sample_empty() -> Self {
        Self::new(admin("/teams/new-team"), &nobodys(), None, None, "")
    }
}

fn setting(name: &str, value: Option<&str>, set_by: &str, says: &str) -> SettingSeen {
    SettingSeen {
        name: name.to_owned(),
        value: value.map(str::to_owned),
        set_by: set_by.to_owned(),
        says: says.to_owned(),
    }
}

fn installation<'a>(
    processes: &'a [ProcessSeen],
    settings: &'a [SettingSeen],
    fixed: &'a [(String, String)],
) -> InstallationSeen<'a> {
    InstallationSeen {
        version: "0.1.0",
        public_url: "https://muster.example.com",
        postgres: "15.18",
        private: false,
        bytes: 1_284_000_000,
        bytes_at: ago(20),
        migration: 22,
        migrated_at: ago(900_000),
        processes,
        key: "k-5f1c09aa",
        sealed_with: Some("k-5f1c09aa"),
        passwords_of: "admins only",
        provider: Some(("Example ID", "https://login.example.com/realms/main")),
        retention: fixed,
        limits: fixed,
        settings,
    }
}

impl SettingsPage {
    /// Two processes at work.
    #[must_use]
    pub fn sample() -> Self {
        let process = |name: &str, pairs, runs| ProcessSeen { name: name.to_owned(), pairs, runs };
        let processes = [process("muster-1/4120", 5, 1), process("muster-2/3988", 3, 0)];
        let settings = [
            setting(
                "DATABASE_URL",
                Some("set"),
                "environment",
                "Address of an external PostgreSQL (14 or newer)",
            ),
            setting("MUSTER_SURVEY_SECONDS", Some("5"), "default", "Seconds between two surveys of a pair"),
            setting(
                "MUSTER_OIDC_ROLES",
                Some("kafka-admins=admin;payments-oncall=operator@payments,approver@payments;staff=viewer"),
                "environment",
                "Which roles the provider's groups give",
            ),
            setting("MUSTER_SMTP_URL", None, "", "Mail server"),
        ];
        let fixed = [("Runs, reports and the audit".to_owned(), "for ever".to_owned())];
        Self::new(admin("/settings"), &installation(&processes, &settings, &fixed))
    }

    /// Nothing at work, and a key that does not fit any more.
    #[must_use]
    pub fn sample_rotated() -> Self {
        let fixed = [("A session".to_owned(), "12 hours, or 2 idle hours".to_owned())];
        let seen = installation(&[], &[], &fixed);
        Self::new(
            admin("/settings"),
            &InstallationSeen { sealed_with: Some("k-77ab3e10"), provider: None, ..seen },
        )
    }
}
