//! What was lost of a pair each time a source of it died, newest first. Each has a statement of its own ([`crate::loss`]).

use askama::Template;
use muster_domain::{loss::BriefLoss, pair::Pair};

use crate::{
    chrome::Chrome,
    loss_words::{Figures, Told, standing},
    parts::{Ends, Mark, When},
};

/// One loss.
#[derive(Debug)]
struct Row {
    href: String,
    noticed: When,
    course: String,
    owner: String,
    figures: Figures,
    standing: Mark,
}

/// `GET /pairs/{pair}/losses`.
#[derive(Debug, Template)]
#[template(path = "pages/losses.html")]
pub struct LossesPage {
    chrome: Chrome,
    pair: String,
    rows: Vec<Row>,
    ends: Ends,
}

impl LossesPage {
    /// Losses of a pair, newest first.
    #[must_use]
    pub fn new(chrome: Chrome, pair: &Pair, losses: &[BriefLoss]) -> Self {
        let name = pair.name.to_string();
        let open = losses.iter().any(BriefLoss::is_open);
        let chrome = chrome
            .titled(format!("Losses of {name}"))
            .here("losses")
            .under("/", "Fleet")
            .under(format!("/pairs/{name}"), name.clone());
        Self {
            chrome: if open { chrome.refreshing(30) } else { chrome },
            rows: losses.iter().map(row).collect(),
            ends: Ends::default(),
            pair: name,
        }
    }

    /// With the ways to the rest of the list.
    #[must_use]
    pub fn part(self, ends: Ends) -> Self {
        Self { ends, ..self }
    }
}

fn row(loss: &BriefLoss) -> Row {
    let truth = loss.truth.as_ref();
    Row {
        href: format!("/pairs/{}/losses/{}", loss.pair, loss.id()),
        noticed: When::full(loss.noticed_at),
        course: format!("{} → {}", loss.source, loss.target),
        owner: loss.owner.to_string(),
        figures: Figures::new(&loss.total, Told::of(truth)),
        standing: standing(&loss.total, truth),
    }
}
