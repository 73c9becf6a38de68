//! `sample()` of the pages of documents: for somebody who is not signed in, as who comes from an alert, and for somebody who is.

use super::night::{adaeze, chrome_of};
use crate::{
    chrome::Brake,
    document::{Document, DocumentPage},
};

impl DocumentPage {
    /// See [`crate::samples`].
    #[must_use]
    pub fn sample_runbooks() -> Self {
        Self::new(chrome_of(None, "/runbooks", Brake::Released), Document::Runbooks)
    }

    /// See [`crate::samples`].
    #[must_use]
    pub fn sample_operating() -> Self {
        Self::new(chrome_of(Some(adaeze()), "/operating", Brake::Released), Document::Operating)
    }
}
