//! Importing `mm2.properties`: what is used, what is kept but not used, which lines are bad. All or nothing.

use askama::Template;
use muster_domain::{people::Role, problem::Problem};

use crate::{
    chrome::Chrome,
    format,
    forms::ImportForm,
    parts::{Choice, Field, Notice, Tone},
    sign_in::notice,
};

/// A setting of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImportedSetting {
    /// Line, from 1.
    pub line: usize,
    /// Key as written.
    pub key: String,
    /// Value, credentials replaced by `[redacted]`.
    pub value: String,
    /// What it became: `topics of payments`; empty when Muster does not use it.
    pub becomes: String,
}

/// A line that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadLine {
    /// Line, from 1.
    pub line: usize,
    /// The line, credentials redacted.
    pub text: String,
    /// What is wrong with it and what would be right.
    pub reason: String,
}

/// What reading a file gave.
#[derive(Debug, Clone, Default)]
pub struct ImportResult {
    /// Pairs it makes, with their course: `payments`, `eu-west → eu-central`.
    pub pairs: Vec<(String, String)>,
    /// Clusters it registers.
    pub clusters: Vec<String>,
    /// Settings Muster uses.
    pub used: Vec<ImportedSetting>,
    /// Settings Muster keeps but does not use.
    pub unused: Vec<ImportedSetting>,
    /// Lines that stop the import.
    pub bad: Vec<BadLine>,
    /// Whether it was imported, or only looked at.
    pub imported: bool,
}

/// `GET /pairs/import`; posts [`ImportForm`].
#[derive(Debug, Template)]
#[template(path = "pages/import.html")]
pub struct ImportPage {
    chrome: Chrome,
    problem: Option<Notice>,
    properties: Field,
    team: Field,
    result: Option<ImportResult>,
    said: Option<Notice>,
    may_import: bool,
}

impl ImportPage {
    /// The form, and the result of what was sent with it.
    #[must_use]
    pub fn new(
        chrome: Chrome,
        form: &ImportForm,
        teams: &[String],
        result: Option<ImportResult>,
        problem: Option<&Problem>,
    ) -> Self {
        let problem = problem.map(notice).or_else(|| no_team(&chrome, teams));
        let teams = teams.iter().map(|team| Choice::new(team, team)).collect();
        let help = "Paste the file as it is. Passwords in it are sealed when stored and never shown again.";
        Self {
            chrome: chrome.titled("Import mm2.properties").here("import").under("/", "Fleet"),
            problem,
            properties: Field::area("properties", "mm2.properties", &form.properties, 14)
                .help(help)
                .required(),
            team: Field::select("team", "Team the pairs belong to", teams, &form.team),
            said: result.as_ref().map(said),
            may_import: result.as_ref().is_some_and(|result| result.bad.is_empty() && !result.imported),
            result,
        }
    }
}

/// A pair belongs to a team, so without one there is another first step.
pub(crate) fn no_team(chrome: &Chrome, teams: &[String]) -> Option<Notice> {
    if !teams.is_empty() {
        return None;
    }
    let notice = Notice::new(
        Tone::Warn,
        "There is no team yet, and a pair belongs to one.",
        "Its people own the pair, plan, approve and drive.",
    );
    Some(if chrome.may_anywhere(Role::Admin) {
        notice.link("/teams", "Create a team first")
    } else {
        notice.more("An admin creates teams.")
    })
}

fn said(result: &ImportResult) -> Notice {
    let pairs: Vec<String> = result.pairs.iter().map(|(name, _)| name.clone()).collect();
    let makes = format!(
        "{} and {}",
        format::count(result.pairs.len(), "pair"),
        format::count(result.clusters.len(), "cluster")
    );
    let unused = match result.unused.len() {
        0 => String::new(),
        n => format!("{} not used by Muster, kept and listed.", format::count(n, "setting")),
    };
    match (result.bad.len(), result.imported) {
        (0, true) => Notice::new(Tone::Ok, format!("Imported {makes}."), unused)
            .link(
                pairs.first().map_or_else(|| "/".to_owned(), |pair| format!("/pairs/{pair}")),
                format!("Go to {}", format::list(&pairs, 3)),
            )
            .more("The first survey runs now. Check the rights of both clusters next."),
        (0, false) => {
            Notice::new(Tone::Run, format!("This would make {makes}."), unused).more("Nothing is stored yet.")
        }
        (n, _) => Notice::new(
            Tone::Bad,
            format!("{} cannot be used.", format::count(n, "line")),
            "Nothing was imported.",
        ),
    }
}
