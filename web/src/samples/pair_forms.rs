//! `sample()` of what pairs are made with: the form of one and the import of a file.

use muster_domain::people::Role;

use super::{
    night::{actor, chrome, chrome_of, names},
    pairs,
};
use crate::{
    chrome::Brake,
    forms::{ImportForm, PairForm},
    import::{BadLine, ImportPage, ImportResult, ImportedSetting},
    pair_form::PairFormPage,
};

impl PairFormPage {
    /// Editing payments.
    #[must_use]
    pub fn sample() -> Self {
        let form = PairForm::from(&pairs::payments().pair);
        let errors =
            [("topics".to_owned(), "Line 1: the bracket at character 9 is never closed.".to_owned())];
        let (clusters, teams) =
            (names(&["eu-central", "eu-west", "us-east"]), names(&["payments-core", "order-platform"]));
        Self::new(chrome("/pairs/payments/edit"), Some("payments"), &form, &clusters, &teams, &errors, None)
    }
}

const TEAMS: &[&str] = &["payments-core", "order-platform"];

fn import(teams: &[&str], result: Option<ImportResult>) -> ImportPage {
    let properties = "clusters = primary, dr\nprimary.bootstrap.servers = kafka-primary:9092\ndr.bootstrap.servers = kafka-dr:9092\nprimary->dr.enabled = true\nprimary->dr.topics = orders.*, payments.*\n# offset sync\nprimary->dr.emit.checkpoints.enabled = true\nprimary->dr.sync.group.offsets.enabled = true\ntasks.max = 4\n";
    let form = ImportForm {
        properties: properties.to_owned(),
        team: "payments-core".to_owned(),
        act: "look".to_owned(),
    };
    // An admin who owns pairs, too.
    let somebody = actor(7, "wei.zhang", &[Role::Admin, Role::Owner]);
    let chrome = chrome_of(Some(somebody), "/pairs/import", Brake::Released);
    ImportPage::new(chrome, &form, &names(teams), result, None)
}

fn import_result() -> ImportResult {
    let setting = |line, key: &str, value: &str, becomes: &str| ImportedSetting {
        line,
        key: key.to_owned(),
        value: value.to_owned(),
        becomes: becomes.to_owned(),
    };
    ImportResult {
        pairs: vec![("primary-dr".to_owned(), "primary → dr".to_owned())],
        clusters: names(&["primary", "dr"]),
        used: vec![
            setting(1, "clusters", "primary, dr", "clusters primary and dr"),
            setting(2, "primary.bootstrap.servers", "kafka-primary:9092", "bootstrap of primary"),
            setting(3, "dr.bootstrap.servers", "kafka-dr:9092", "bootstrap of dr"),
            setting(4, "primary->dr.enabled", "true", "the flow primary → dr is wanted"),
            setting(5, "primary->dr.topics", "orders.*, payments.*", "topics of primary-dr"),
        ],
        unused: vec![setting(9, "tasks.max", "4", "")],
        bad: Vec::new(),
        imported: false,
    }
}

impl ImportPage {
    /// Before anything is sent.
    #[must_use]
    pub fn sample() -> Self {
        import(TEAMS, None)
    }

    /// Before there is a team.
    #[must_use]
    pub fn sample_no_team() -> Self {
        import(&[], None)
    }

    /// A file looked at.
    #[must_use]
    pub fn sample_result() -> Self {
        import(TEAMS, Some(import_result()))
    }

    /// A file with a bad line.
    #[must_use]
    pub fn sample_bad() -> Self {
        let bad = vec![BadLine {
            line: 5,
            text: "primary->dr.topics = orders.(*".to_owned(),
            reason:
                "The bracket is never closed. Write orders\\..* for every topic that begins with “orders.”."
                    .to_owned(),
        }];
        import(TEAMS, Some(ImportResult { bad, ..import_result() }))
    }
}
