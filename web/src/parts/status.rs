//! Status words with a glyph of their own: pill, stamp, mark.

use askama::{Template, filters::HtmlSafe};

/// How a status is drawn. `Run` is "in progress" and never "healthy".
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Tone {
    /// Wrong now.
    Bad,
    /// Not known; never drawn as good.
    Unk,
    /// Needs a person soon.
    Warn,
    /// In progress.
    Run,
    /// Nothing to say about it.
    Idle,
    /// Well.
    Ok,
}

impl Tone {
    /// CSS class.
    #[must_use]
    pub fn class(self) -> &'static str {
        match self {
            Self::Bad => "bad",
            Self::Unk => "unk",
            Self::Warn => "warn",
            Self::Run => "run",
            Self::Idle => "idle",
            Self::Ok => "ok",
        }
    }

    /// CSS class of text in that tone.
    #[must_use]
    pub fn text_class(self) -> &'static str {
        match self {
            Self::Bad => "bad-t",
            Self::Unk => "unk-t",
            Self::Warn => "warn-t",
            Self::Run => "sig-t",
            Self::Idle => "quiet",
            Self::Ok => "ok-t",
        }
    }

    /// Glyph: shape alone tells tones apart.
    #[must_use]
    pub fn icon(self) -> &'static str {
        match self {
            Self::Bad => "bad",
            Self::Unk => "unk",
            Self::Warn => "warn",
            Self::Run => "run",
            Self::Idle => "na",
            Self::Ok => "ok",
        }
    }
}

/// Live status: outline and word.
#[derive(Debug, Clone, Template)]
#[template(
    source = r##"<span class="pill {{ tone.class() }}"><svg class="icon" aria-hidden="true"><use href="#i-{{ icon }}"/></svg>{{ text }}</span>"##,
    ext = "html"
)]
pub struct Pill {
    tone: Tone,
    icon: &'static str,
    text: String,
}
impl HtmlSafe for Pill {}

impl Pill {
    /// With the glyph of its tone.
    pub fn new(tone: Tone, text: impl Into<String>) -> Self {
        Self { tone, icon: tone.icon(), text: text.into() }
    }

    /// With another glyph: a person, a clock.
    pub fn with_icon(tone: Tone, icon: &'static str, text: impl Into<String>) -> Self {
        Self { tone, icon, text: text.into() }
    }

    /// Its tone.
    #[must_use]
    pub fn tone(&self) -> Tone {
        self.tone
    }

    /// Its words.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }
}

/// Plan verification, in capitals so that it is never read as live health.
#[derive(Debug, Clone, Template)]
#[template(
    source = r##"<span class="stamp {{ tone.class() }}"><svg class="icon" aria-hidden="true"><use href="#i-{{ tone.icon() }}"/></svg>{{ text }}</span>"##,
    ext = "html"
)]
pub struct Stamp {
    tone: Tone,
    text: &'static str,
}
impl HtmlSafe for Stamp {}

impl Stamp {
    /// A stamp.
    #[must_use]
    pub fn new(tone: Tone, text: &'static str) -> Self {
        Self { tone, text }
    }
}

/// Glyph and words inside a sentence or a cell.
#[derive(Debug, Clone, Template)]
#[template(
    source = r##"<span class="gl {{ tone.text_class() }}"><svg class="icon" aria-hidden="true"><use href="#i-{{ icon }}"/></svg><span>{{ text }}</span></span>"##,
    ext = "html"
)]
pub struct Mark {
    tone: Tone,
    icon: &'static str,
    text: String,
}
impl HtmlSafe for Mark {}

impl Mark {
    /// With the glyph of its tone.
    pub fn new(tone: Tone, text: impl Into<String>) -> Self {
        Self { tone, icon: tone.icon(), text: text.into() }
    }

    /// With another glyph.
    pub fn with_icon(tone: Tone, icon: &'static str, text: impl Into<String>) -> Self {
        Self { tone, icon, text: text.into() }
    }

    /// As of a survey that may be `old`: what was well then is not known to be now.
    #[must_use]
    pub fn of_then(self, old: bool) -> Self {
        if old && self.tone == Tone::Ok {
            Self { tone: Tone::Unk, icon: Tone::Unk.icon(), ..self }
        } else {
            self
        }
    }
}
