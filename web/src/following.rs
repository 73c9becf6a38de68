//! Pages that are kept up to date while somebody looks at them: in place, by htmx and `static/live.js`; where there are no scripts,
//! by reading the whole page again. `?hold=on` holds one still, because what moves by itself must be stoppable (WCAG 2.2.2).

use askama::{Template, filters::HtmlSafe};

use crate::chrome::Chrome;

/// In the address of a page that its reader holds still.
const HOLD: &str = "hold=on";

/// In the address that a page without scripts reads again by itself: nobody need be there for it. Where there are scripts, htmx says
/// so in a header.
pub const BY_ITSELF: &str = "by=itself";

/// In the address by which a part follows what its page is about until that ends. Its answer says that it has ended, which a page
/// that is opened afterwards need not say.
const UNTIL_ENDED: &str = "until=ended";

/// An address as somebody asks for it. Links and forms of a page that was read again by itself lead where they would have otherwise:
/// who follows them is there.
#[must_use]
pub fn as_asked(address: &str) -> String {
    if address.contains(BY_ITSELF) { changed(address, BY_ITSELF, None) } else { address.to_owned() }
}

/// An address with one part of its query taken out, and one put at its end.
fn changed(address: &str, out: &str, put: Option<&str>) -> String {
    let (path, query) = address.split_once('?').unwrap_or((address, ""));
    let kept = query.split('&').filter(|part| !part.is_empty() && *part != out);
    let query: Vec<&str> = kept.chain(put).collect();
    if query.is_empty() { path.to_owned() } else { format!("{path}?{}", query.join("&")) }
}

/// The attributes of the part of a page that is read again in place; none on a page that does not follow. The page itself is asked
/// for, and its part, the watch line and the places are taken out of the answer: an address for the part alone would read as much.
#[derive(Debug, Clone, Template)]
#[template(
    source = r##"{% if live %} data-read-at="{{ read }}" hx-get="{{ address }}" hx-trigger="every 5s, again" hx-select="#{{ part }}" hx-select-oob="#watch:outerMorph,#places:outerMorph" hx-swap="outerMorph"{% endif %}"##,
    ext = "html"
)]
pub(crate) struct Follow {
    live: bool,
    part: &'static str,
    address: String,
    read: String,
}
impl HtmlSafe for Follow {}

/// Beside the time a page was read at: that it follows, and the way to hold it still, or back.
#[derive(Debug, Clone, Template)]
#[template(
    source = r#"{% if live %}· follows by itself · <a href="{{ still }}">hold still</a>{% else %}· held still · <a href="{{ still }}">read again</a> · <a href="{{ follow }}">follow</a>{% endif %}"#,
    ext = "html"
)]
pub(crate) struct Reads {
    live: bool,
    still: String,
    follow: String,
}
impl HtmlSafe for Reads {}

impl Chrome {
    /// Kept up to date unless its reader holds it still; without scripts it is read again every so many seconds.
    #[must_use]
    pub(crate) fn following(self, seconds: u32) -> Self {
        if self.held() { self } else { self.refreshing(seconds).live() }
    }

    /// Whether the reader holds the page still.
    pub(crate) fn held(&self) -> bool {
        self.asks(HOLD)
    }

    /// Whether this answers a part that follows until its subject ends ([`Chrome::follow_until_ended`]).
    pub(crate) fn was_following(&self) -> bool {
        self.asks(UNTIL_ENDED)
    }

    fn asks(&self, wanted: &str) -> bool {
        self.facts.path.split_once('?').is_some_and(|(_, query)| query.split('&').any(|part| part == wanted))
    }

    /// The page whose part asks: links of the answer lead where those of the page do.
    #[must_use]
    pub(crate) fn of_page(mut self) -> Self {
        self.facts.path = changed(&self.facts.path, UNTIL_ENDED, None);
        self
    }

    /// What the element with this id, which is read again in place, has as attributes.
    pub(crate) fn follow(&self, part: &'static str) -> Follow {
        Follow { live: self.live, part, address: self.address(false), read: self.read_iso() }
    }

    /// The same for an element that says how its subject ended, and then asks no more. The rest of the page stays as it was.
    pub(crate) fn follow_until_ended(&self, part: &'static str) -> Follow {
        let address = changed(&self.address(false), UNTIL_ENDED, Some(UNTIL_ENDED));
        Follow { address, ..self.follow(part) }
    }

    /// See [`Reads`].
    pub(crate) fn reads(&self) -> Reads {
        Reads { live: self.live, still: self.address(true), follow: self.address(false) }
    }

    /// Where the page is read again without scripts.
    pub(crate) fn again_by_itself(&self) -> String {
        changed(&self.facts.path, BY_ITSELF, Some(BY_ITSELF))
    }

    /// The page's own address, held still or not.
    fn address(&self, hold: bool) -> String {
        changed(&self.facts.path, HOLD, hold.then_some(HOLD))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        chrome::{Brake, Facts, Theme},
        samples,
    };

    fn page(path: &str) -> Chrome {
        let facts = Facts {
            person: None,
            brake: Brake::Released,
            problems: Some(0),
            runs_active: 0,
            approvals_open: 0,
            theme: Theme::System,
            path: path.to_owned(),
            now: samples::now(),
        };
        Chrome::new(facts).titled("A page").following(30)
    }

    fn said(part: &impl Template) -> String {
        part.render().unwrap()
    }

    #[test]
    fn a_page_that_follows_asks_for_its_own_address_and_takes_its_part_out_of_it() {
        let page = page("/pairs/orders?hours=24&hold=off");
        assert_eq!(page.refresh_seconds, Some(30), "without scripts");
        assert_eq!(
            said(&page.follow("pair-live")),
            " data-read-at=\"2026-11-19T03:12:40Z\" hx-get=\"/pairs/orders?hours=24&#38;hold=off\" \
             hx-trigger=\"every 5s, again\" hx-select=\"#pair-live\" \
             hx-select-oob=\"#watch:outerMorph,#places:outerMorph\" hx-swap=\"outerMorph\""
        );
        assert!(said(&page.reads()).contains("href=\"/pairs/orders?hours=24&#38;hold=off&#38;hold=on\""));
    }

    #[test]
    fn a_part_that_follows_until_the_end_says_so_and_links_of_its_answer_do_not() {
        let part = said(&page("/pairs/orders/content?proof=7").follow_until_ended("proof-open"));
        assert!(part.contains("hx-get=\"/pairs/orders/content?proof=7&#38;until=ended\""), "{part}");
        let answer = page("/pairs/orders/content?proof=7&until=ended");
        assert!(answer.was_following());
        let answer = answer.of_page();
        assert!(!answer.was_following());
        assert_eq!(said(&answer.follow_until_ended("proof-open")), part, "it asks for the same again");
        assert!(said(&answer.reads()).contains("href=\"/pairs/orders/content?proof=7&#38;hold=on\""));
    }

    #[test]
    fn a_page_that_is_read_again_by_itself_says_so_and_its_links_do_not() {
        let page = page("/pairs/orders?hours=24");
        assert_eq!(page.again_by_itself(), "/pairs/orders?hours=24&by=itself");
        assert_eq!(as_asked(&page.again_by_itself()), "/pairs/orders?hours=24");
        assert_eq!(as_asked("/?by=itself"), "/");
        assert_eq!(as_asked("/runs?text=by=itselfish&&"), "/runs?text=by=itselfish", "words are no mark");
        assert_eq!(as_asked("/runs?"), "/runs?");
    }

    #[test]
    fn a_page_that_is_held_still_asks_for_nothing_and_has_the_way_back() {
        let page = page("/?hold=on");
        assert!(page.held() && !page.live);
        assert_eq!(page.refresh_seconds, None);
        assert_eq!(said(&page.follow("fleet-live")), "");
        assert_eq!(
            said(&page.reads()),
            "· held still · <a href=\"/?hold=on\">read again</a> · <a href=\"/\">follow</a>"
        );
    }
}
